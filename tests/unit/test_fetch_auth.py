"""How requests sign in, and that no secret leaves by a message, a log line or another host."""

from __future__ import annotations

import json
import logging
import re
import traceback
from base64 import b64encode
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from orchestration.errors import IngestCleanError, SourceBodyInvalid, SourceRefused, SourceUnreachable, UsageError
from orchestration.source.secrets import Secrets
from tests.helpers.fetching import CURSOR, ENVELOPE, PAGED, Api, linked, records
from tests.malformed_responses.case import answer

SECRET = "s3cr3t/+ key"  # its form in a URL differs
OAUTH: dict[str, Any] = {"auth": {"type": "oauth2", "token_url": "/token", "scope": "read write"}}
CLIENT: dict[str, object] = {"SHOP_API_CLIENT_ID": "me", "SHOP_API_CLIENT_SECRET": SECRET}


def heads(api: Api, name: str, path: str = "/events") -> list[str]:
    found = []
    for head in api.server.asked:
        lines = head.decode().split("\r\n")
        if lines[0].split()[1].startswith(path):
            found += [
                value for key, _, value in (line.partition(": ") for line in lines) if key.lower() == name.lower()
            ]
    return found


@pytest.mark.parametrize(
    ("auth", "environment", "header", "value"),
    [
        (None, {"TOKEN": "abc"}, "Authorization", "Bearer abc"),
        ({"type": "bearer"}, {"TOKEN": "abc"}, "Authorization", "Bearer abc"),
        ({"type": "header", "name": "X-Key"}, {"TOKEN": "abc"}, "X-Key", "abc"),
        ({"type": "header", "name": "Authorization", "prefix": "Token "}, {"TOKEN": "a"}, "Authorization", "Token a"),
        (
            {"type": "basic"},
            {"USER": "me", "PASSWORD": "pä:ss"},
            "Authorization",
            f"Basic {b64encode('me:pä:ss'.encode()).decode()}",
        ),
        ({"type": "basic"}, {"USER": "key"}, "Authorization", f"Basic {b64encode(b'key:').decode()}"),
    ],
)
def test_each_auth_is_sent_with_every_page(
    api: Api, auth: Any, environment: dict[str, str], header: str, value: str
) -> None:
    named: dict[str, object] = {f"SHOP_API_{name}": text for name, text in environment.items()}

    api.fetch(answer("[1]"), answer("[]"), environment=named, **PAGED, **({"auth": auth} if auth else {}))

    assert heads(api, header) == [value] * len(api.targets)
    assert len(api.targets) == 3


@pytest.mark.parametrize(
    ("auth", "missing", "block"),
    [
        ({"type": "bearer"}, "TOKEN", "token"),
        ({"type": "header", "name": "X"}, "TOKEN", "token"),
        ({"type": "query", "name": "k"}, "TOKEN", "token"),
        ({"type": "basic"}, "USER", "user"),
        (OAUTH["auth"], "CLIENT_ID", "client-id"),
    ],
)
def test_a_missing_secret_is_a_usage_error_before_anything_is_requested(
    api: Api, auth: Any, missing: str, block: str
) -> None:
    with pytest.raises(UsageError, match=f"SHOP_API_{missing} is not set, and auth of shop.events needs it") as error:
        api.fetch(answer("[]"), auth=auth)

    assert f"elt secrets set shop-api-{block}" in error.value.remedy
    assert api.targets == []


def test_a_user_with_a_colon_is_refused(api: Api) -> None:
    with pytest.raises(UsageError, match="SHOP_API_USER has a colon"):
        api.fetch(answer("[]"), auth={"type": "basic"}, environment={"SHOP_API_USER": "a:b"})


@pytest.mark.parametrize(
    ("auth", "problem"),
    [
        ({"type": "digest"}, "auth.type: Invalid value 'digest'; allowed: bearer, basic, header, query, oauth2"),
        ({"name": "X"}, "auth: Object missing required field `type`; allowed: bearer, basic, header, query, oauth2"),
        ({"type": "header"}, "auth: Object missing required field `name`"),
        ({"type": "bearer", "token": "x"}, "auth: Object contains unknown field `token`; allowed: type"),
        ({"type": "header", "name": "a b"}, "auth.name: 'a b' is not a valid header name"),
        ({"type": "header", "name": "Host"}, "auth.name: 'Host' cannot be set"),
        ({"type": "header", "name": "x-a"}, "headers: gives 'x-a', which is auth.name"),
        ({"type": "query", "name": "date"}, "parameters: gives 'date', which is auth.name"),
        ({"type": "query", "name": "a"}, "path: its query gives 'a', and so does auth.name"),
        ({"type": "oauth2", "token_url": "token"}, "auth.token_url: 'token' is neither an http address nor a path"),
        ({"type": "oauth2", "token_url": "https://me:x@h/"}, "auth.token_url: 'https://me:x@h/' is neither"),
    ],
)
def test_a_wrong_auth_is_refused_with_the_reason(api: Api, auth: Any, problem: str) -> None:
    with pytest.raises(UsageError) as error:
        api.fetch(answer("[]"), auth=auth, path="/events?a=1", headers={"X-A": "1"})

    assert f"config.meta.fetch.{problem}" in error.value.cause


# a key in the query

KEYED: dict[str, Any] = {"auth": {"type": "query", "name": "api_key"}}


def fails(api: Api, *answers: bytes, **fetch: Any) -> IngestCleanError:
    with pytest.raises(IngestCleanError) as error:
        api.fetch(*answers, environment={"SHOP_API_TOKEN": SECRET}, **KEYED, **fetch)
    return error.value


def test_a_key_in_the_query_is_sent_with_every_page_and_once(api: Api) -> None:
    pages = api.fetch(
        linked("[1]", "</events?api_key=s3cr3t%2F%2B+key&page=2>; rel=next"),
        linked("[2]", "</events?page=3>; rel=next"),
        answer("[3]"),
        environment={"SHOP_API_TOKEN": SECRET},
        paging={"style": "next_link"},
        **KEYED,
    )

    assert records(pages) == [1, 2, 3]
    key = "api_key=s3cr3t%2F%2B+key"
    assert api.targets == [f"/events?date=2025-05-20&{key}", f"/events?page=2&{key}", f"/events?page=3&{key}"]


ECHOES = (SECRET, "s3cr3t%2F%2B%20key", "s3cr3t%2F%2B+key", "s3cr3t\\/+ key", b64encode(SECRET.encode()).decode())


@pytest.mark.parametrize("echo", [*ECHOES[:3], ECHOES[4]])
@pytest.mark.parametrize(
    ("sent", "fetch"),
    [
        (lambda echo: answer(f'"no {echo}"', "403 Forbidden"), {}),
        (lambda echo: answer(b"", f"500 {echo}"), {}),
        (lambda echo: answer(b"", "302 Found", f"Location: http://h/?k={echo}"), {}),
        (lambda echo: answer(f'"{echo}"'), {}),
        (lambda echo: answer(f'{{"ok": false, "error": "{echo}", "data": []}}'), ENVELOPE),
        (lambda echo: answer(f'{{"data": "{echo}"}}'), ENVELOPE),
        (lambda echo: answer(f'{{"data": [1], "next": ["{echo}"]}}'), CURSOR),
        (lambda echo: linked("[1]", f"<http://h/?k={echo}>; rel=next"), {"paging": {"style": "next_link"}}),
        (lambda echo: linked("[1]", f"nonsense {echo}"), {"paging": {"style": "next_link"}}),
        (lambda echo: linked("[1]", f"<?{'x' * 70}={echo}>; rel=next"), {}),
        (lambda echo: answer("[]", content_type=f"text/{echo}"), {}),
    ],
)
def test_an_echo_of_the_key_is_hidden_in_errors_and_log_lines(
    api: Api, sent: Callable[[str], bytes], fetch: dict[str, Any], echo: str
) -> None:
    error = fails(api, sent(echo), **fetch)

    shown: list[str] = [error.describe(), *api.logged]
    shown += traceback.format_exception(error)
    for text in shown:
        # A traceback has the lines of the source, but not their values.
        assert not any(form in text or form[:6] in text for form in ECHOES), text
    assert "***" in error.describe()


def test_a_cursor_that_is_the_key_is_hidden(api: Api) -> None:
    error = fails(api, answer(f'{{"data": [1], "next": "{SECRET}"}}'), **CURSOR)

    assert "&cursor=***' returned the same response" in error.cause


def test_the_lines_that_httpx_logs_have_no_key(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        api.fetch(answer("[]"), environment={"SHOP_API_TOKEN": SECRET}, **KEYED)

    text = "\n".join(record.getMessage() for record in caplog.records)
    assert "HTTP Request: GET http://127.0.0.1" in text
    assert "api_key=***" in text
    assert "s3cr3t" not in text


def test_no_connection_is_reported_without_the_key(api: Api) -> None:
    with pytest.raises(SourceUnreachable, match=r"GET http://127.0.0.1:9/events\?date=2025-05-20: ") as error:
        api.fetch(answer("[]"), environment={"SHOP_API_TOKEN": SECRET, "SHOP_API_URL": "http://127.0.0.1:9"}, **KEYED)

    assert "s3cr3t" not in error.value.describe() + "".join(api.logged)


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("a opensesame b", "a *** b"),
        ("…?k=openses…", "…?k=***…"),
        ("'opense' and more", "'***' and more"),
        ("it ends with opens", "it ends with ***"),
        ("open the door", "*** the door"),
        ("opener", "opener"),
    ],
)
def test_the_beginning_of_a_secret_is_hidden_where_a_text_was_cut(text: str, hidden: str) -> None:
    secrets = Secrets()
    secrets.add("opensesame")

    assert secrets.hidden(text) == hidden


# OAuth 2


def token(name: str = "t1", status: str = "200 OK", **more: Any) -> bytes:
    return answer(json.dumps({"access_token": name, "token_type": "Bearer", **more}), status)


def test_a_token_is_asked_for_once_and_sent_with_every_page(api: Api) -> None:
    api.also["/token"] = iter([token(expires_in=3600)])

    api.fetch(answer("[1]"), answer("[]"), environment=CLIENT, **PAGED, **OAUTH)

    assert heads(api, "Authorization") == ["Bearer t1"] * 3
    pair = b64encode(f"me:{SECRET}".encode()).decode()
    assert heads(api, "Authorization", "/token") == [f"Basic {pair}"]
    assert dict(part.split(b"=") for part in api.server.bodies[0].split(b"&")) == {
        b"grant_type": b"client_credentials",
        b"scope": b"read+write",
    }


def test_the_client_may_be_in_the_body_with_further_fields(api: Api) -> None:
    api.also["/token"] = iter([token()])
    auth = {**OAUTH["auth"], "client": "body", "parameters": {"audience": "https://a.example/"}}

    api.fetch(answer("[]"), environment=CLIENT, auth=auth)

    body = api.server.bodies[0].decode()
    assert "client_id=me&client_secret=s3cr3t%2F%2B+key" in body
    assert "audience=https%3A%2F%2Fa.example%2F" in body
    assert heads(api, "Authorization", "/token") == []


def tokens(**more: Any) -> Iterator[bytes]:
    return (token(f"t{number}", **more) for number in count(1))


def test_a_token_is_renewed_before_it_ends(api: Api) -> None:
    api.also["/token"] = tokens(expires_in=20)

    api.fetch(answer("[1]"), answer("[]"), environment=CLIENT, **PAGED, **OAUTH)

    assert heads(api, "Authorization") == ["Bearer t1", "Bearer t2", "Bearer t3"]


def test_a_refused_token_is_replaced_once(api: Api) -> None:
    api.also["/token"] = tokens(expires_in=3600)
    refusal = answer("{}", "401 Unauthorized")

    assert records(api.fetch(refusal, answer("[1]"), environment=CLIENT, **OAUTH)) == [1]
    assert heads(api, "Authorization") == ["Bearer t1", "Bearer t2"]
    api.also["/token"] = tokens(expires_in=3600)
    with pytest.raises(SourceRefused, match="answered 401") as error:
        api.fetch(refusal, environment=CLIENT, **OAUTH)
    assert error.value.remedy == "check SHOP_API_CLIENT_ID and SHOP_API_CLIENT_SECRET"
    assert len(api.targets) == 4


@pytest.mark.parametrize(
    ("sent", "kind", "says"),
    [
        (answer('{"error": "invalid_client"}', "401 No"), SourceRefused, "refused the client: 'invalid_client"),
        (answer("no s3cr3t/+ key", "403 No"), SourceRefused, "answered 403: 'no ***'"),
        (answer("", "500 No"), SourceUnreachable, "/token answered 500 (tries: 2)"),
        (answer("<html>"), SourceBodyInvalid, "is not a JSON object"),
        (answer('{"token_type": "bearer"}'), SourceBodyInvalid, "answered without an access_token"),
        (token(token_type="mac"), SourceBodyInvalid, "the token is of type"),
        (answer("x" * 2_000_000), SourceBodyInvalid, "a token over 1,048,576 bytes"),
    ],
)
def test_no_token_is_an_error_with_the_reason(api: Api, sent: bytes, kind: type[IngestCleanError], says: str) -> None:
    api.also["/token"] = (sent for _ in count())

    with pytest.raises(kind, match=re.escape(says)) as error:
        api.fetch(answer("[]"), environment=CLIENT, **OAUTH)

    assert "s3cr3t" not in error.value.describe()
    assert not any(target.startswith("/events") for target in api.targets)


def test_a_token_endpoint_that_asks_to_wait_is_waited_for(api: Api) -> None:
    api.also["/token"] = iter([answer("{}", "429 Busy", "Retry-After: 0.1"), token()])

    assert records(api.fetch(answer("[1]"), environment={**CLIENT, "ELT_RETRY_WAIT": 60}, **OAUTH)) == [1]


def test_a_client_secret_sent_over_plain_http_is_warned_of(api: Api) -> None:
    url = f"http://0.0.0.0:{api.server.server_address[1]}/token"
    api.also["/token"] = tokens()

    api.fetch(answer("[]"), environment=CLIENT, auth={"type": "oauth2", "token_url": url})

    assert api.logged[0].startswith("warning: SHOP_API_CLIENT_ID and SHOP_API_CLIENT_SECRET is sent to 0.0.0.0 over")
