"""Bundles of receipts: which there are, and that a wrong one changes no result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, timedelta
from hashlib import md5
from typing import Any

import pytest

from orchestration.lake import keys
from orchestration.lake.bundles import bundle_bytes, bundled
from orchestration.lake.catalog import read_bodies

DATES = [str(date(2025, 3, 1) + timedelta(days=number)) for number in range(70)]
BODIES = {keys.date_receipt(day): f'{{"objects": {{"é": "{day}"}}}}\n'.encode() for day in DATES}
CHECKSUMS = {key: md5(body).hexdigest() for key, body in BODIES.items()}
MARCH, APRIL = "marts/_receipts/2025-03.json", "marts/_receipts/2025-04.json"


class Objects:
    """A lake that counts what is read."""

    cache = None

    def __init__(self, bundles: Mapping[str, bytes]) -> None:
        self.objects, self.read_keys = {**BODIES, **bundles}, list[str]()

    def read(self, _: str, key: str) -> bytes | None:
        self.read_keys.append(key)
        return self.objects.get(key)


def bundle_of(month: str) -> bytes:
    return bundle_bytes({key: body for key, body in BODIES.items() if month in key})


def test_every_month_but_the_latest_has_a_bundle() -> None:
    assert {key: len(receipts) for key, receipts in bundled(CHECKSUMS).items()} == {MARCH: 31, APRIL: 30}
    assert bundled({key: CHECKSUMS[key] for key in list(CHECKSUMS)[:31]}) == {}
    assert bundled({}) == {}


def test_receipts_of_months_with_a_bundle_are_not_read_one_by_one() -> None:
    lake: Any = Objects({MARCH: bundle_of("2025-03"), APRIL: bundle_of("2025-04")})
    assert read_bodies(lake, "c", CHECKSUMS) == BODIES
    assert sorted(lake.read_keys) == sorted([*list(BODIES)[61:], MARCH, APRIL, "marts/_receipts/2025-05.json"])


def test_few_receipts_are_read_without_bundles() -> None:
    lake: Any = Objects({MARCH: bundle_of("2025-03")})
    few = {key: CHECKSUMS[key] for key in list(CHECKSUMS)[:31]}
    assert read_bodies(lake, "c", few) == {key: BODIES[key] for key in few}
    assert sorted(lake.read_keys) == sorted(few)


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"_receipts/date=2025-03-01.json": 1}',
        b'{"_receipts/date=2025-03-01.json": "\\ud800"}',
        json.dumps({key: body.decode().replace("objects", "ohjects") for key, body in BODIES.items()}).encode(),
    ],
)
def test_a_damaged_bundle_changes_no_result(damaged: bytes) -> None:
    lake: Any = Objects({MARCH: damaged, APRIL: bundle_of("2025-04")})
    assert read_bodies(lake, "c", CHECKSUMS) == BODIES


def test_a_bundle_of_earlier_receipts_serves_those_that_are_the_same() -> None:
    earlier = bundle_of("2025-03").replace(b"2025-03-07", b"2025-99-07")
    lake: Any = Objects({MARCH: earlier, APRIL: bundle_of("2025-04")})
    assert read_bodies(lake, "c", CHECKSUMS) == BODIES
    assert keys.date_receipt("2025-03-07") in lake.read_keys
    assert keys.date_receipt("2025-03-06") not in lake.read_keys
