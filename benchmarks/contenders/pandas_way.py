"""The tutorial's way in pandas: the whole day as one data frame."""

from __future__ import annotations

import pandas as pd

from benchmarks.contenders.job import branch_of, column, download, read_job


def main() -> None:
    """Publish the day."""
    job = read_job()
    file = download(job)
    result = job.folder / "data.parquet"
    clean(pd.read_json(file, lines=True, dtype=False, convert_dates=False)).to_parquet(result, index=False)
    with branch_of(job) as branch:
        branch.upload(job.raw_key, file)
        branch.upload(job.key, result)


def clean(events: pd.DataFrame) -> pd.DataFrame:
    """Return the events as published."""
    events = events.rename(columns=column)
    events["timestamp"] = _instants(events["timestamp"].astype("str"))
    for name in ("quantity", "price"):
        events[name] = pd.to_numeric(events[name].astype("str").str.replace(",", ""), errors="coerce")
    events = events[events["event_id"].str.strip().fillna("") != ""]
    events = events.dropna(subset=["timestamp", "quantity", "price"])
    events = events.sort_values(["event_id", "timestamp", "price"]).drop_duplicates("event_id")
    return events.astype({"quantity": "int64", "price": "float64"})


def _instants(texts: pd.Series) -> pd.Series:
    found = pd.to_datetime(texts, utc=True, format="ISO8601", errors="coerce")
    for pattern, unit in ((r"\d{9,10}", "s"), (r"\d{12,13}", "ms")):
        epochs = texts.str.fullmatch(pattern)
        found[epochs] = pd.to_datetime(texts[epochs].astype("int64"), unit=unit, utc=True)
    return found


if __name__ == "__main__":
    main()
