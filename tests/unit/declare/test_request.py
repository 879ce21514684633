"""How a request asks for a day, and how an address is taken apart."""

from __future__ import annotations

import pytest

from orchestration.declare.arguments import auth_of, pairs_of
from orchestration.declare.request import date_in, find_day, split_address
from orchestration.errors import UsageError

DATE = "2025-05-20"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("date", "2025-05-20", "{date}"),
        ("day", "20250520", "{date:%Y%m%d}"),
        ("since", "2025-05-20T00:00:00Z", "{start}"),
        ("created[gte]", "1747699200", "{start:epoch}"),
        ("created[lt]", "1747785600", "{end:epoch}"),
        ("from", "1747699200000", "{start:epoch_ms}"),
        ("pubStartDate", "2025-05-20T00:00:00.000Z", "{start:rfc3339_ms}"),
        ("until", "2025-05-21", "{end:%Y-%m-%d}"),
        ("end_date", "2025-05-20", "{date}"),
        ("date", "2025", "{date:%Y}"),
        # A placeholder of the user stays.
        ("since", "{start:%Y-%m-%dT%H}", "{start:%Y-%m-%dT%H}"),
        # Other values are no day, whatever their name is.
        ("date", "2025-05-19", "2025-05-19"),
        ("since", "yesterday", "yesterday"),
        ("limit", "2025", "2025"),
        ("from", "2025-05-21", "2025-05-21"),
    ],
)
def test_a_parameter_that_names_the_date_becomes_a_placeholder(name: str, value: str, expected: str) -> None:
    assert find_day("", "/things", {name: value}, DATE).parameters == {name: expected}


def test_the_last_second_of_the_day_is_an_inclusive_end() -> None:
    inclusive = find_day("", "/q", {"starttime": "2025-05-20T00:00:00", "endtime": "2025-05-20T23:59:59"}, DATE)
    exclusive = find_day("", "/q", {"starttime": "2025-05-20T00:00:00", "endtime": "2025-05-21T00:00:00"}, DATE)

    assert (inclusive.end, inclusive.parameters["endtime"]) == ("inclusive", "{end:%Y-%m-%dT%H:%M:%S}")
    assert (exclusive.end, exclusive.parameters["endtime"]) == ("exclusive", "{end:%Y-%m-%dT%H:%M:%S}")


@pytest.mark.parametrize(
    ("parameters", "open_ended"),
    [
        ({"since": "2025-05-20T00:00:00Z"}, True),
        ({"updated_after": "2025-05-20"}, True),
        ({"since": "2025-05-20T00:00:00Z", "until": "2025-05-21T00:00:00Z"}, False),
        ({"start_date": "2025-05-20", "end_date": "2025-05-20"}, False),
        ({"date": "2025-05-20"}, False),
        ({}, False),
    ],
)
def test_a_day_to_begin_with_alone_is_open_ended(parameters: dict[str, str], open_ended: bool) -> None:
    asked = find_day("", "/things", parameters, DATE)

    assert asked.open_ended is open_ended
    assert asked.is_snapshot is not bool(parameters)


def test_a_date_in_the_path_becomes_a_placeholder_and_a_version_does_not() -> None:
    assert find_day("", "/v1/2025/05/20/top", {}, DATE).path == "/v1/{date:%Y/%m/%d}/top"
    assert find_day("", "/v1/days/2025-05-20", {}, DATE).path == "/v1/days/{date}"
    assert find_day("", "/2025-05-20/things", {}, DATE).path == "/2025-05-20/things"
    assert date_in("/2010-04-01/Messages", {"DateSent": DATE}) == DATE
    assert date_in("/2010-04-01/Messages", {}) is None
    assert date_in("/v1/days/2025-02-30", {}) is None


def test_an_address_is_taken_apart() -> None:
    whole = "https://api.example.com/v1/things?date=2025-05-20&limit=10"

    assert split_address(whole, "", ["limit=20"]) == (
        "https://api.example.com",
        "/v1/things",
        {"date": DATE, "limit": "20"},
    )
    assert split_address("https://api.example.com/v1/", "/things?a=b", []) == (
        "https://api.example.com/v1",
        "/things",
        {"a": "b"},
    )
    assert split_address("", "things", []) == ("", "/things", {})


@pytest.mark.parametrize(
    ("url", "parameter", "says"),
    [
        ("api.example.com/things", "a=b", "not an http address"),
        ("ftp://api.example.com", "a=b", "not an http address"),
        ("https://ada:secret@api.example.com", "a=b", "not an http address"),
        ("https://api.example.com/things?api_key=s3cr3t", "a=b", "'api_key' looks like a secret"),
        ("https://api.example.com/things", "access_token=s3cr3t", "'access_token' looks like a secret"),
        ("https://api.example.com/things", "a", "'a' is not NAME=VALUE"),
    ],
)
def test_an_address_that_must_not_be_declared_is_refused_without_its_secret(
    url: str, parameter: str, says: str
) -> None:
    with pytest.raises(UsageError, match=says) as refused:
        split_address(url, "", [parameter])
    assert "s3cr3t" not in refused.value.describe()
    assert "secret@" not in refused.value.describe()


def test_options_with_parts_are_read() -> None:
    assert auth_of("") == {}
    assert auth_of("basic") == {"type": "basic"}
    assert auth_of("header:X-Api-Key") == {"type": "header", "name": "X-Api-Key"}
    assert pairs_of("--header", ["Accept=a/b", "X=1=2"]) == {"Accept": "a/b", "X": "1=2"}
    for wrong in ("oauth2", "header", "bearer:x", "query:"):
        with pytest.raises(UsageError, match="not one of bearer, basic"):
            auth_of(wrong)
