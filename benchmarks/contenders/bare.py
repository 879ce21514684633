"""The bare script: download, upload, one COPY of DuckDB that cleans and writes to the lake, commit, merge."""

from __future__ import annotations

from benchmarks.contenders.cleaning import connect, copy_of
from benchmarks.contenders.job import FIELDS, branch_of, column, download, read_job


def main() -> None:
    """Publish the day."""
    job = read_job()
    file = download(job)
    form = "array" if job.form == "array" else "newline_delimited"
    texts = ", ".join(f"'{field}': 'varchar'" for field in FIELDS)
    renamed = ", ".join(f'"{field}" as {column(field)}' for field in FIELDS)
    raw = f"(select {renamed} from read_json('{file}', format = '{form}', columns = {{{texts}}}))"
    with branch_of(job) as branch, connect(job) as connection:
        branch.upload(job.raw_key, file)
        connection.execute(copy_of(raw, f"s3://{job.repository}/{branch.name}/{job.key}"))


if __name__ == "__main__":
    main()
