"""Receipts: the formats that this version reads. Their content: tests/integration/run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestration.errors import PlatformFailed
from orchestration.lake.receipt import FORMAT, parse_receipt


def parsed(**content: Any) -> Any:
    return parse_receipt("_receipts/marts.json", json.dumps({"objects": {"a": "b"}, **content}).encode(), "c" * 64)


@pytest.mark.parametrize("format_", [{"format": number} for number in range(1, FORMAT + 1)] + [{}])
def test_every_format_so_far_is_read(format_: dict[str, int]) -> None:
    assert parsed(**format_).objects == {"a": "b"}


@pytest.mark.parametrize("format_", [FORMAT + 1, 99, "2", None])
def test_a_later_format_is_refused_with_what_to_do(format_: object) -> None:
    with pytest.raises(PlatformFailed) as error:
        parsed(format=format_)

    assert error.value.cause == (
        f"_receipts/marts.json at cccccccccccc is a receipt of format {format_}, "
        f"and this version of ingest-clean reads formats up to {FORMAT}"
    )
    assert "later one" in error.value.remedy
