"""The requests that a fetch sends to the API."""

from __future__ import annotations

from importlib.metadata import version

import pytest
from pydantic import SecretStr

from orchestration.errors import SourceBodyInvalid, UsageError
from orchestration.settings import SourceSettings
from tests.helpers.fetching import ENVELOPE, Api, linked, records
from tests.malformed_responses.case import answer


def test_a_query_in_the_path_is_sent_with_every_page(api: Api) -> None:
    pages = api.fetch(
        answer('{"data": [1], "next": "b&c"}'),
        answer('{"data": [2], "next": null}'),
        path="/events?type=sale;old&q=%2F",
        parameters={"size": 5, "date": "{date}"},
        **ENVELOPE,
        paging={"style": "cursor", "parameter": "cursor", "next": "next"},
    )

    assert records(pages) == [1, 2]
    first = "/events?type=sale;old&q=%2F&date=2025-05-20&size=5"
    assert api.targets == [first, f"{first}&cursor=b%26c"]


def test_a_next_link_is_requested_as_given(api: Api) -> None:
    pages = api.fetch(
        linked("[1]", '<?page=2&q=a%2Fb;c+d>; rel="next last"'),
        linked("[2]", "</events;v=1?a,b#top>; title=\"x, <y>\"; rel='next'"),
        linked("[3]", '</events?page=2>; rel="prev"'),
        paging={"style": "next_link"},
        path="/events?type=sale",
    )

    assert records(pages) == [1, 2, 3]
    assert api.targets == ["/events?type=sale&date=2025-05-20", "/events?page=2&q=a%2Fb;c+d", "/events;v=1?a,b"]


@pytest.mark.parametrize("anchor", ["", "/events", "?date=2025-05-20"])
def test_an_anchor_that_is_the_page_itself_is_accepted(api: Api, anchor: str) -> None:
    pages = api.fetch(
        linked("[1]", f'<?page=2>; rel="next"; anchor="{anchor}"'), answer("[2]"), paging={"style": "next_link"}
    )

    assert records(pages) == [1, 2]


@pytest.mark.parametrize("anchor", ["#part", "/events/1", "http://elsewhere.example/events"])
def test_a_link_of_another_resource_is_not_followed(api: Api, anchor: str) -> None:
    api.fetch(linked("[1]", f'<?page=2>; rel="next"; anchor="{anchor}"'), paging={"style": "next_link"})

    assert len(api.targets) == 1


def test_a_paging_loop_is_detected_before_a_request_is_repeated(api: Api) -> None:
    with pytest.raises(SourceBodyInvalid, match="page 4 is page 2 again, so the paging is circular") as error:
        api.fetch(
            answer('{"id": 1, "data": [1], "next": "b"}'),
            answer('{"id": 2, "data": [2], "next": "a"}'),
            answer('{"id": 3, "data": [3], "next": "b"}'),
            **ENVELOPE,
            paging={"style": "cursor", "parameter": "cursor", "next": "next"},
        )

    assert len(api.targets) == 3
    assert error.value.cause.endswith("&cursor=b' was requested before")


def test_two_values_of_a_header_with_the_cursor_are_an_error(api: Api) -> None:
    with pytest.raises(SourceBodyInvalid, match="names 2 different values of X-Next: 'a', 'b'"):
        api.fetch(
            answer("[1]", "200 OK", "X-Next: a", "X-Next: b"),
            paging={"style": "cursor", "parameter": "cursor", "next_header": "X-Next"},
        )


def test_a_next_link_may_write_scheme_and_host_in_other_letters(api: Api) -> None:
    pages = api.fetch(
        linked("[1]", f"<HTTP://127.0.0.1:{api.server.server_address[1]}/events?p=2>; rel=next"),
        answer("[2]"),
        paging={"style": "next_link"},
    )

    assert records(pages) == [1, 2]


def header(head: bytes, name: str) -> list[str]:
    lines = head.decode().split("\r\n")
    return [line.partition(": ")[2] for line in lines if line.lower().startswith(f"{name.lower()}: ")]


def test_the_client_names_itself(api: Api) -> None:
    api.fetch(answer("[]"))

    assert header(api.server.asked[0], "User-Agent") == [f"ingest-clean/{version('ingest-clean')}"]


def test_declared_headers_replace_the_default_ones_on_every_page(api: Api) -> None:
    api.fetch(
        linked("[1]", "<?page=2>; rel=next"),
        answer("[2]"),
        headers={"User-Agent": "us (us@example.org)", "accept": "application/vnd.shop+json", "X-Version": "2"},
        paging={"style": "next_link"},
    )

    for head in api.server.asked:
        assert header(head, "User-Agent") == ["us (us@example.org)"]
        assert header(head, "Accept") == ["application/vnd.shop+json"]
        assert header(head, "X-Version") == ["2"]
        assert header(head, "Accept-Encoding") == ["gzip, deflate, br, zstd"]


@pytest.mark.parametrize("token", ["hush\nX-Admin: yes", "h\xfcsh", "hush\x00"])
def test_a_token_that_is_invalid_in_a_header_is_a_usage_error_without_the_token(api: Api, token: str) -> None:
    settings = SourceSettings(url="http://127.0.0.1:9", token=SecretStr(token))
    with pytest.raises(UsageError, match="SHOP_API_TOKEN has a character that is invalid in an HTTP header") as error:
        api.fetch(answer("[]"), source=settings)

    assert "sh" not in error.value.describe().replace("SHOP", "")


def test_a_token_sent_over_plain_http_is_warned_of_once(api: Api) -> None:
    # Linux connects 0.0.0.0 to this machine, but it is not a loopback address.
    url = f"http://0.0.0.0:{api.server.server_address[1]}"
    paged = {"style": "page", "parameter": "page"}

    api.fetch(answer("[1]"), answer("[]"), environment={"SHOP_API_URL": url, "SHOP_API_TOKEN": "hush"}, paging=paged)

    warnings = [line for line in api.logged if line.startswith("warning: ")]
    assert warnings == ["warning: SHOP_API_TOKEN is sent to 0.0.0.0 over plain http, which others can read; use https"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_token_that_stays_on_this_machine_is_not_warned_of(api: Api, host: str) -> None:
    url = f"http://{host}:{api.server.server_address[1]}"

    api.fetch(answer("[]"), environment={"SHOP_API_URL": url, "SHOP_API_TOKEN": "hush"})

    assert len(api.logged) == 1


def test_no_token_needs_no_warning(api: Api) -> None:
    api.fetch(answer("[]"), environment={"SHOP_API_URL": f"http://0.0.0.0:{api.server.server_address[1]}"})

    assert len(api.logged) == 1
