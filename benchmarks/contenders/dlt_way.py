"""dlt: its REST API source, Parquet, and its DuckDB destination; then the bare script's COPY of the loaded table.

dlt keeps no copy of what the source sent, so none is uploaded. Its source reads JSON arrays only.
"""

from __future__ import annotations

from typing import Any

import dlt
from dlt.sources.rest_api import rest_api_source

from benchmarks.contenders.cleaning import connect, copy_of
from benchmarks.contenders.job import FIELDS, Job, branch_of, column, read_job


def main() -> None:
    """Publish the day."""
    job = read_job()
    database = job.folder / "events.duckdb"
    pipeline = dlt.pipeline(
        "events",
        pipelines_dir=str(job.folder / "dlt"),
        destination=dlt.destinations.duckdb(str(database)),
        dataset_name="raw",
    )
    pipeline.run(_source(job), loader_file_format="parquet").raise_on_failed_jobs()
    raw = f"(select {', '.join(column(field) for field in FIELDS)} from raw.events)"
    with branch_of(job) as branch, connect(job, str(database)) as connection:
        connection.execute(copy_of(raw, f"s3://{job.repository}/{branch.name}/{job.key}"))


def _source(job: Job) -> Any:
    return rest_api_source(
        {
            "client": {"base_url": job.source, "paginator": "single_page"},
            "resources": [
                {
                    "name": "events",
                    "endpoint": {"path": "events", "params": {"date": job.date}, "data_selector": "$"},
                    "write_disposition": "replace",
                    # As texts, like the other contenders: dlt would make columns of its own for timestamps in
                    # another form.
                    "columns": {column(field): {"data_type": "text"} for field in FIELDS},
                }
            ],
        }
    )


if __name__ == "__main__":
    main()
