"""What `elt source add` and `elt new` say to do next."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.declare.add import next_commands
from orchestration.declare.draft import Draft, Wanted


@pytest.mark.parametrize(
    ("day", "of_the_date"), [({}, " 2025-05-20"), ({"end": "inclusive"}, " 2025-05-20"), ({"snapshot_age": 1}, "")]
)
def test_a_snapshot_is_fetched_for_its_only_day(day: dict[str, Any], of_the_date: str) -> None:
    """A run of the sample's date would be refused: the API answers with what is current."""
    declared = {"config": {"meta": {"fetch": {"path": "/readings", "day": day}}}}
    drafted = Draft(Wanted("sensors", "readings", {}, {}), "", declared, "2025-05-20", b"[]", 0, (), ())

    assert next_commands(drafted, "elt up") == [
        "export SENSORS_API_URL=…",
        "elt up",
        f"elt source check sensors.readings{of_the_date}",
        f"elt run{of_the_date}",
    ]
