"""How large the compared days are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from examples.events_api.options import Form


@dataclass(frozen=True)
class Size:
    """What one call of the benchmark compares.

    Attributes:
        rows: The events of each day.
        forms: How the source sends them.
        rounds: How often each contender runs.
    """

    rows: tuple[int, ...]
    forms: tuple[Form, ...] = ("ndjson", "array")
    rounds: int = 3


SIZES: Mapping[str, Size] = {
    # Shows that everything runs, within three minutes; one round has no spread.
    "small": Size((1_000, 50_000), rounds=1),
    "medium": Size((1_000, 200_000, 2_000_000)),
    # As an array, dlt would need more memory than most machines have.
    "large": Size((10_000_000,), forms=("ndjson",)),
}
