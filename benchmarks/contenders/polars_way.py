"""The tutorial's way in polars: one lazy query from the file to Parquet."""

from __future__ import annotations

import polars as pl

from benchmarks.contenders.job import FIELDS, branch_of, column, download, read_job


def main() -> None:
    """Publish the day."""
    job = read_job()
    file = download(job)
    result = job.folder / "data.parquet"
    events = pl.scan_ndjson(file, schema=dict.fromkeys(FIELDS, pl.String))
    clean(events).sink_parquet(result, compression="snappy")
    with branch_of(job) as branch:
        branch.upload(job.raw_key, file)
        branch.upload(job.key, result)


def clean(events: pl.LazyFrame) -> pl.LazyFrame:
    """Return the events as published."""
    return (
        events.rename({field: column(field) for field in FIELDS})
        .with_columns(
            _instant(pl.col("timestamp")),
            pl.col("quantity").str.replace_all(",", "").cast(pl.Int64, strict=False),
            pl.col("price").str.replace_all(",", "").cast(pl.Float64, strict=False),
        )
        .filter(pl.col("event_id").str.strip_chars() != "")
        .drop_nulls(["timestamp", "quantity", "price"])
        .sort("event_id", "timestamp", "price")
        .unique("event_id", keep="first", maintain_order=True)
    )


def _instant(text: pl.Expr) -> pl.Expr:
    form = "%Y-%m-%dT%H:%M:%S"
    number = text.cast(pl.Int64, strict=False)
    return (
        pl.when(text.str.contains(r"^\d{9,10}$"))
        .then(pl.from_epoch(number, "s").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))
        .when(text.str.contains(r"^\d{12,13}$"))
        .then(pl.from_epoch(number, "ms").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))
        .otherwise(
            pl.coalesce(
                text.str.replace("Z$", "+00:00").str.to_datetime(f"{form}%:z", time_unit="us", strict=False),
                text.str.to_datetime(form, time_unit="us", strict=False).dt.replace_time_zone("UTC"),
            )
        )
        .alias("timestamp")
    )


if __name__ == "__main__":
    main()
