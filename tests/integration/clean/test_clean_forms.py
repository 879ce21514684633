"""Declared forms of instants and numbers, compared with Python's reading: formats, zones, epochs, decimal comma."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orchestration.dbt_runner.build import Engine
from tests.helpers.projects import copy_project
from tests.helpers.tables import Field, write_table

from .conftest import Bench, build_tables, parsed

GERMAN = "%d.%m.%Y %H:%M:%S"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Reading = Callable[[str], Any]


def formatted(form: str, grammar: str) -> Reading:
    """Returns the reading of a format: texts of the grammar, parsed by Python, in UTC without an offset."""

    def read(text: str) -> datetime | None:
        if not re.fullmatch(grammar, text, re.ASCII):
            return None
        try:
            at = datetime.strptime(text, form)
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            return None

    return read


def local(zone: str, change: str, form: str = GERMAN) -> Reading:
    """Returns the reading of a local time. At a clock change, it may be one of two instants, or none."""

    def read(text: str) -> datetime | None:
        at, where = datetime.strptime(text, form), ZoneInfo(zone)
        readings = [at.replace(tzinfo=where, fold=fold).astimezone(UTC) for fold in (0, 1)]
        right = {one for one in readings if one.astimezone(where).replace(tzinfo=None) == at}
        if len(right) == 1:
            return right.pop()
        return {"reject": None, "earlier": min(readings), "later": max(readings)}[change]

    return read


def epoch(digits: int) -> Reading:
    """Returns the reading of a number with so many decimals in a second."""

    def read(text: str) -> datetime | None:
        if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text, re.ASCII):
            return None
        micros = int(Decimal(text).scaleb(6 - digits))
        return EPOCH + timedelta(microseconds=micros) if -62135596800_000000 <= micros < 253402300800_000000 else None

    return read


def comma(kind: type) -> Reading:
    """Returns the reading of a number with a decimal comma."""

    def read(text: str) -> Any:
        decimals = r"(,[0-9]+)?(e[+-]?[0-9]+)?" if kind is float else ""
        text = text.strip("\t\n\v\f\r \u00a0")
        if not re.fullmatch(rf"[+-]?([0-9]+|[1-9][0-9]{{0,2}}(\.[0-9]{{3}})+){decimals}", text, re.ASCII):
            return None
        return kind(text.replace(".", "").replace(",", "."))

    return read


def at_clock_changes() -> Iterator[str]:
    """Yields local times of days at which clocks somewhere change, and of days beside them."""
    days = (
        "2025-03-30", "2025-10-26", "2025-03-09", "2025-11-02",  # Berlin, New York
        "2025-04-06", "2025-10-05", "2011-12-29", "2011-12-30", "2011-12-31",  # Lord Howe by 30 minutes, Apia by a day
        "1945-05-24", "1947-05-11", "2025-02-23", "2025-04-05", "1970-01-01", "2025-07-01",
    )  # fmt: skip
    for day in days:
        for minutes in range(0, 24 * 60, 15):
            yield (datetime.fromisoformat(day) + timedelta(minutes=minutes)).strftime(GERMAN)


ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca")
LOCAL_TIMES = {
    f"{zone.split('/')[1].lower()}_{change}": (zone, change)
    for zone in ZONES
    for change in (("reject", "earlier", "later") if zone in ZONES[:1] else ("later",))
}

HOURS, SIXTY = "([01][0-9]|2[0-3])", "[0-5][0-9]"
FORMS: dict[str, tuple[dict[str, Any], Reading, list[str]]] = {
    "german": (
        {"format": GERMAN},
        formatted(GERMAN, rf"[0-9]{{2}}\.[0-9]{{2}}\.[0-9]{{4}} {HOURS}:{SIXTY}:{SIXTY}"),
        [
            "20.05.2025 10:05:00", "31.12.9999 23:59:59", "01.01.0001 00:00:00", "29.02.2024 00:00:00",
            "29.02.2025 00:00:00", "31.04.2025 00:00:00", "00.05.2025 10:05:00", "20.13.2025 10:05:00",
            "20.05.0000 10:05:00", "20.05.2025 24:00:00", "20.05.2025 10:60:00", "20.05.2025 10:05:60",
            "20.5.2025 10:05:00", "20.05.25 10:05:00", "20.05.2025 10:05", "20.05.2025  10:05:00",
            " 20.05.2025 10:05:00", "20.05.2025 10:05:00 ", "20.05.2025 10:05:00Z", "2025-05-20T10:05:00Z",
            "20-05-2025 10:05:00", "20x05x2025 10:05:00", "20.05.2025 10:05:00.5", "٢٠.05.2025 10:05:00", "1747735200",
            "20.05.2025T10:05:00", "+20.05.2025 10:05:00", "", "heute",
        ],
    ),
    "us": (
        {"format": "%-m/%-d/%y %-I:%M %p"},
        formatted("%m/%d/%y %I:%M %p", rf"[0-9]{{1,2}}/[0-9]{{1,2}}/[0-9]{{2}} [0-9]{{1,2}}:{SIXTY} [AP]M"),
        [
            "5/20/25 3:07 PM", "05/20/25 03:07 AM", "12/31/68 12:00 AM", "1/1/69 12:59 PM", "5/20/25 13:07 PM",
            "5/20/25 0:07 AM", "5/20/2025 3:07 PM", "20/5/25 3:07 PM", "5/20/25 3:07", "5/20/25 3:07 XM",
        ],
    ),
    "offset": (
        {"format": "%Y-%m-%d %H:%M:%S.%f %z"},
        formatted(
            "%Y-%m-%d %H:%M:%S.%f %z",
            rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} {HOURS}:{SIXTY}:{SIXTY}\.[0-9]{{1,6}} [+-]{HOURS}:?{SIXTY}",
        ),
        [
            "2025-05-20 10:05:00.5 +0200", "2025-05-20 10:05:00.123456 -05:30", "2025-05-20 23:59:59.0 +2359",
            "2025-05-20 10:05:00.1234567 +0200", "2025-05-20 10:05:00.5 +2400", "2025-05-20 10:05:00.5 Z",
            "2025-05-20 10:05:00.5", "2025-05-20 10:05:00. +0200", "0001-01-01 00:00:00.0 +0001",
        ],
    ),
    "named": (
        {"format": "100%%: %A, %-d %B %Y [it's]"},
        formatted("100%%: %A, %d %B %Y [it's]", r"100%: [A-Z][a-z]+, [0-9]{1,2} [A-Z][a-z]+ [0-9]{4} \[it's\]"),
        [
            "100%: Tuesday, 20 May 2025 [it's]", "100%: Sunday, 1 March 2026 [it's]", "100%: Tue, 20 May 2025 [it's]",
            "100%: Tuesday, 20 Mai 2025 [it's]", "100%: Tuesday, 20 May 2025 its]",
            "100%: Friday, 30 February 2025 [it's]",
        ],
    ),
    "day": ({"format": "%Y%m%d"}, formatted("%Y%m%d", "[0-9]{8}"), ["20250520", "20250230", "2025052", "202505200"]),
    "epoch": (
        {"format": "epoch"},
        epoch(0),
        ["1747735200", "0", "-1", "-0.5", "1747735200.123456", "1747735200.1234569", "5", "99999999999",
         "-99999999999", "253402300799", "253402300800",
         "1e9", "1,747,735,200", "+1", "1747735200.", "", "1747735200000"],
    ),
    "epoch_ms": (
        {"format": "epoch_ms"},
        epoch(3),
        ["1747735200123", "1747735200123.5", "-1", "0", "1747735200", "253402300799999", "253402300800000"],
    ),
    "epoch_us": ({"format": "epoch_us"}, epoch(6), ["1747735200123456", "-1", "1747735200123456.0"]),
    "epoch_ns": ({"format": "epoch_ns"}, epoch(9), ["1747735200123456789", "1747735200123456999", "999"]),
    "comma": (
        {"decimal": "comma"},
        comma(float),
        ["1.234,50", "1.234", "0,5", "12,50", "-1.234.567,891", "+3", "1,5e3", " 12 ", "0,500", "1234,5", "-0,0", "1e3",
         "1,234.50", "1.23", "12.50", "0.500", "01.234", "1.2345", ".5", ",5", "5,", "1..234", "1,2,3", "€5",
         "1 234,5", ""],
    ),
    "count": (
        {"decimal": "comma"},
        comma(int),
        ["1.234", "1.234.567", "-3", "12", "007", "1,0", "1.23", "0.123", "1e3", "9.223.372.036.854.775.807"],
    ),
}  # fmt: skip
SENT_AS_NUMBERS = {"comma": [1234, 1.234, 1.5, 1e3, 0.5], "count": [1234, 1.234], "epoch": [5, 1747735200.5, -7]}
"""JSON numbers. With a point, they contradict a decimal comma: `1.234` may not become 1234."""


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Bench:
    project = copy_project(tmp_path_factory.mktemp("forms"))
    types = {"comma": "double", "count": "bigint"}
    declared = {name: form for name, (form, _, _) in FORMS.items()} | {
        name: {"format": GERMAN, "zone": zone, **({"clock_change": change} if change != "reject" else {})}
        for name, (zone, change) in LOCAL_TIMES.items()
    }
    declared["berlin"] = {"zone": "Europe/Berlin"}
    fields = [
        Field(name, name, types.get(name, "timestamptz"), meta={"optional": True, **form})
        for name, form in declared.items()
    ]
    write_table(project, "forms", [Field("id", "id"), *fields], ["id"], reject_limit=1)
    keyed = [
        Field("at", "at", "timestamptz", meta={"format": "epoch_ms"}),
        Field("amount", "amount", "double", meta={"decimal": "comma"}),
    ]
    write_table(project, "keyed", keyed, ["at", "amount"], reject_limit=1)
    return parsed(project, tmp_path_factory.mktemp("parsed"), engine)


def expected_values() -> dict[str, list[tuple[Any, Any]]]:
    """Returns by column what is sent, and what a careful reader takes it for."""
    found: dict[str, list[tuple[Any, Any]]] = {
        name: [(text, read(text)) for text in texts] for name, (_, read, texts) in FORMS.items()
    }
    for name, numbers in SENT_AS_NUMBERS.items():
        pointed = name in ("comma", "count")
        read = FORMS[name][1]
        found[name] += [
            (number, None if pointed and isinstance(number, float) else read(str(number))) for number in numbers
        ]
    for name, (zone, change) in LOCAL_TIMES.items():
        found[name] = [(text, local(zone, change)(text)) for text in at_clock_changes()]
    iso = "%Y-%m-%dT%H:%M"
    berlin = local("Europe/Berlin", "reject", iso)
    found["berlin"] = [
        *((text, berlin(text)) for text in ("2025-05-20T10:05", "2025-10-26T02:30", "2025-03-30T02:30")),
        ("2025-05-20 10:05:00.5", datetime(2025, 5, 20, 8, 5, 0, 500000, UTC)),
        ("2025-10-26T02:30:00+01:00", datetime(2025, 10, 26, 1, 30, tzinfo=UTC)),
        ("2025-05-20T10:05Z", datetime(2025, 5, 20, 10, 5, tzinfo=UTC)),
        ("1747735200", datetime(2025, 5, 20, 10, tzinfo=UTC)),
        ("20.05.2025 10:05:00", None),
    ]  # fmt: skip
    # The largest integers are beyond 64 bits.
    found["count"].append(("9.223.372.036.854.775.808", None))
    return found


def test_declared_forms_are_read_as_python_reads_them(forms: Bench) -> None:
    values = expected_values()
    records = [
        {"id": f"{name} {number}", name: sent}
        for name, sent_and_read in values.items()
        for number, (sent, _) in enumerate(sent_and_read)
    ]
    assert len(records) > 1_000
    keyed = [
        {"at": "1747735200123", "amount": "1.234,50"},
        {"at": "1747735200123.1234", "amount": "1"},
        {"at": "1", "amount": "1.234.567.890.123.456,7"},
        {"at": "2", "amount": 1.5},
    ]

    result = build_tables(forms, {"forms": records, "keyed": keyed})

    assert result.accounting["forms"].closes
    for name, sent_and_read in values.items():
        found = dict(forms.rows("forms", f'id, "{name}"'))
        assert [
            (sent, found.get(f"{name} {number}")) for number, (sent, _) in enumerate(sent_and_read)
        ] == sent_and_read
    reasons = {json.loads(record)["id"]: reason for reason, record in forms.rows("forms_rejected", "reason, record")}
    faults = {"comma": "not_numeric", "count": "not_integer"}
    assert reasons == {
        f"{name} {number}": f"{name}_{faults.get(name, 'unparseable')}"
        for name, sent_and_read in values.items()
        for number, (_, value) in enumerate(sent_and_read)
        if value is None
    }
    assert sorted(reason for (reason,) in forms.rows("keyed_rejected", "reason")) == [
        "amount_not_exact",
        "amount_not_numeric",
        "at_not_exact",
    ]
