"""How requests ask for a day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from orchestration.source.day import day_of, filled, filled_json, has_placeholder, problems_of, today_in


@pytest.mark.parametrize(
    ("text", "exclusive", "inclusive"),
    [
        ("{date}", "2025-05-20", "2025-05-20"),
        ("d={date:%Y%m%d}&x", "d=20250520&x", "d=20250520&x"),
        ("{date:%Y/%-m/%-d}", "2025/5/20", "2025/5/20"),
        ("{start}..{end}", "2025-05-20T00:00:00Z..2025-05-21T00:00:00Z", "2025-05-20T00:00:00Z..2025-05-20T23:59:59Z"),
        ("{start:epoch} {end:epoch}", "1747699200 1747785600", "1747699200 1747785599"),
        ("{start:epoch_ms} {end:epoch_ms}", "1747699200000 1747785600000", "1747699200000 1747785599999"),
        ("{end:rfc3339_ms}", "2025-05-21T00:00:00.000Z", "2025-05-20T23:59:59.999Z"),
        ("{end:%Y-%m-%dT%H:%M:%S%z}", "2025-05-21T00:00:00+0000", "2025-05-20T23:59:59+0000"),
        ("{end:%H:%M:%S.%f}", "00:00:00.000000", "23:59:59.999000"),
        ("{end:%Y-%m-%d}", "2025-05-21", "2025-05-20"),
    ],
)
def test_placeholders_are_filled_with_the_day(text: str, exclusive: str, inclusive: str) -> None:
    assert filled(text, day_of("2025-05-20")) == exclusive
    assert filled(text, day_of("2025-05-20", end="inclusive")) == inclusive


@pytest.mark.parametrize(
    ("day", "zone", "hours", "start"),
    [
        ("2025-05-20", "Europe/Berlin", 24, "2025-05-20T00:00:00+02:00"),
        ("2025-03-30", "Europe/Berlin", 23, "2025-03-30T00:00:00+01:00"),
        ("2025-10-26", "Europe/Berlin", 25, "2025-10-26T00:00:00+02:00"),
        # Clocks skip midnight here, so the day begins at one.
        ("2025-04-25", "Africa/Cairo", 23, "2025-04-25T01:00:00+03:00"),
        # Here midnight comes twice, and the day begins with the first.
        ("2024-11-03", "America/Havana", 25, "2024-11-03T00:00:00-04:00"),
        ("2025-05-20", "Asia/Kathmandu", 24, "2025-05-20T00:00:00+05:45"),
    ],
)
def test_a_day_is_as_long_as_the_clocks_of_its_zone_make_it(day: str, zone: str, hours: int, start: str) -> None:
    found = day_of(day, zone)

    assert found.next.astimezone(UTC) - found.start.astimezone(UTC) == timedelta(hours=hours)
    assert filled("{start}", found) == start
    assert int(filled("{end:epoch}", found)) - int(filled("{start:epoch}", found)) == hours * 3600


def test_the_last_second_is_in_the_day_where_clocks_change_at_midnight() -> None:
    assert filled("{end}", day_of("2025-04-24", "Africa/Cairo", "inclusive")) == "2025-04-24T23:59:59+02:00"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("{{date}}", "{date}"),
        ("{{start:epoch}}", "{start:epoch}"),
        ("query { a(id: 5) { b }}", "query { a(id: 5) { b }}"),
        ('{"a": 1}', '{"a": 1}'),
        ("{}", "{}"),
        ("{ date }", "{ date }"),
        ("50%", "50%"),
    ],
)
def test_other_braces_are_left_alone(text: str, result: str) -> None:
    assert list(problems_of(text)) == []
    assert not has_placeholder(text)
    assert filled(text, day_of("2025-05-20")) == result


def test_a_json_body_is_filled_and_epochs_become_numbers() -> None:
    body: Any = {"a": ["{date}", 5, None], "b": {"from": "{start:epoch_ms}", "to": "<{end:epoch}"}, "c": True}

    assert filled_json(body, day_of("2025-05-20")) == {
        "a": ["2025-05-20", 5, None],
        "b": {"from": 1747699200000, "to": "<1747785600"},
        "c": True,
    }
    assert has_placeholder(body)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "{begin}",
            "{begin} is not a placeholder: allowed are {date}, {start} and {end}; write {{begin}} for the text",
        ),
        ("{start:iso}", "{start:iso}: 'iso' is not a format: allowed are epoch, epoch_ms, rfc3339, rfc3339_ms, or a"),
        ("{date:epoch}", "{date:epoch}: 'epoch' is not a format: allowed are a strftime format such as %Y%m%d"),
        ("{date:%H}", "%H is not a directive that may be used here"),
        ("{start:%s}", "%s is not a directive that may be used here"),
        ("{start:%-Y}", "%-Y is not a directive that may be used here"),
        ("{start:%Y%}", "% is not a directive that may be used here"),
        ("{start:}", "'' is not a format"),
    ],
)
def test_a_placeholder_that_cannot_be_filled_is_named(text: str, problem: str) -> None:
    (found,) = problems_of(text)

    assert problem in found


def test_filled_values_can_be_quoted() -> None:
    assert filled("/a b/{date}", day_of("2025-05-20"), lambda text: text.replace("-", "")) == "/a b/20250520"


def test_today_depends_on_the_zone() -> None:
    now = datetime(2025, 5, 20, 23, 0, tzinfo=UTC)

    assert today_in("UTC", now) == date(2025, 5, 20)
    assert today_in("Asia/Tokyo", now) == date(2025, 5, 21)


@pytest.mark.parametrize("zone", ["Europe/Bärlin", "Mars", "", "../etc/passwd"])
def test_a_zone_that_does_not_exist_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="is not a time zone of the IANA database"):
        day_of("2025-05-20", zone)
