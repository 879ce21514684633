"""The files that Spark wrote, moved to their keys: `place_files` on a lake in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

import pytest

from orchestration.errors import PlatformFailed
from orchestration.lake.client import Lake
from orchestration.lake.listed import LakeObject
from orchestration.spark.files import place_files

DATE = "curated/events/date=2025-05-20"
MODELS = {f"{DATE}/data.parquet": "events", "curated/events_rejected/date=2025-05-20/data.parquet": "events_rejected"}


class Memory:
    """A branch as a dictionary."""

    def __init__(self, *keys: str) -> None:
        self.objects_by_key = {key: f"bytes of {key}" for key in keys}

    def objects(self, ref: str, prefix: str = "") -> Iterator[LakeObject]:
        return (LakeObject(key, "", 0) for key in sorted(self.objects_by_key) if key.startswith(prefix))

    def copy(self, branch: str, source: str, target: str) -> None:
        self.objects_by_key[target] = self.objects_by_key[source]

    def delete(self, branch: str, keys: Sequence[str]) -> None:
        for key in keys:
            self.objects_by_key.pop(key, None)


def place(memory: Memory, models: dict[str, str] | None = None) -> dict[str, str]:
    return place_files(cast(Lake, memory), "branch", models or MODELS)


def test_one_file_gets_the_key_of_its_model() -> None:
    memory = Memory(
        "raw/page", "_spark/events/data/part-00000-a.parquet", "_spark/events_rejected/data/part-0-b.parquet"
    )

    placed = place(memory)

    assert placed == MODELS
    assert memory.objects_by_key == {
        "raw/page": "bytes of raw/page",
        f"{DATE}/data.parquet": "bytes of _spark/events/data/part-00000-a.parquet",
        "curated/events_rejected/date=2025-05-20/data.parquet": "bytes of _spark/events_rejected/data/part-0-b.parquet",
    }


def test_several_files_are_numbered_in_their_order_and_replace_a_former_file() -> None:
    parts = [f"_spark/events/data/_file=000000000{number}/part-{5 - number}.parquet" for number in range(3)]
    memory = Memory(f"{DATE}/data.parquet", *reversed(parts))

    placed = place(memory, {f"{DATE}/data.parquet": "events"})

    assert placed == {f"{DATE}/data-0000{number}.parquet": "events" for number in (1, 2, 3)}
    assert memory.objects_by_key == {
        f"{DATE}/data-0000{number}.parquet": f"bytes of {part}" for number, part in enumerate(parts, 1)
    }


def test_a_model_that_was_not_built_has_no_key_and_what_spark_left_is_deleted() -> None:
    built = "_spark/events/data/part-0.parquet"
    memory = Memory(built, "_spark/products/data/", "_spark/products/data/_temporary/0/task/part-0.snappy.parquet")
    key = f"{DATE}/data.parquet"

    assert place(memory, {key: "events"}) == {key: "events"}
    assert memory.objects_by_key == {key: f"bytes of {built}"}


def test_a_built_model_without_a_file_fails() -> None:
    left = "_spark/events/data/_temporary/0/task/part-0.snappy.parquet"
    memory = Memory(left, "_spark/events_rejected/data/part-0.parquet")

    with pytest.raises(
        PlatformFailed, match=rf"^dbt reported that events was built, but Spark wrote no file for {DATE}/data.parquet$"
    ):
        place(memory)


def test_a_mart_by_date_has_a_file_for_each_name() -> None:
    models = {f"marts/daily_sales/{name}.parquet": "daily_sales" for name in ("2025-05", "2025-06-01")}
    memory = Memory(*(f"_spark/daily_sales/{name}/part-0.parquet" for name in ("2025-05", "2025-06-01")))

    assert place(memory, models) == models
    assert memory.objects_by_key == {
        key: f"bytes of _spark/daily_sales/{key.split('/')[2].removesuffix('.parquet')}/part-0.parquet"
        for key in models
    }
