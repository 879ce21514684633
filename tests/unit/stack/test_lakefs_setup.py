"""The set-up of the stack's lakeFS, on a server that answers as lakeFS does."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest

from orchestration.errors import IngestCleanError, PlatformFailed, ServerFailed, UsageError
from orchestration.log import SILENT
from orchestration.stack import wait
from orchestration.stack.lakefs import set_up_lakefs
from tests.helpers.stack import KEYS, Answer, AnsweringServer, Request, answering, message, stack_settings

SETUP, USER, HEALTH = "POST /api/v1/setup_lakefs", "GET /api/v1/user", "GET /_health"


def run(server: AnsweringServer) -> str:
    return set_up_lakefs(stack_settings(lakefs_endpoint=server.url), SILENT)


def lakefs(setup: Answer, user: Answer = (200, "{}")) -> dict[str, Answer]:
    return {HEALTH: (200, ""), SETUP: setup, USER: user}


def test_the_administrator_gets_the_keys_of_the_environment() -> None:
    answers = lakefs((200, "{}"))
    with answering(lambda request: answers[f"{request.method} {request.path}"]) as server:
        assert run(server) == "created"
    assert server.lines == [HEALTH, SETUP, USER]
    assert json.loads(server.requests[1].body) == {
        "username": "admin",
        "key": {"access_key_id": KEYS[0], "secret_access_key": KEYS[1]},
    }
    assert server.requests[2].authorization == f"Basic {b64encode(':'.join(KEYS).encode()).decode()}"


def test_a_second_time_nothing_changes_and_the_keys_are_checked() -> None:
    answers = lakefs((409, message("lakeFS already initialized")))
    with answering(lambda request: answers[f"{request.method} {request.path}"]) as server:
        assert run(server) == "unchanged"
    assert server.lines[-1] == USER


@pytest.mark.parametrize(
    ("setup", "user", "kind", "words"),
    [
        (
            (409, message("lakeFS already initialized")),
            (401, message("error authenticating request")),
            UsageError,
            ("STACK_LAKEFS_ACCESS_KEY, STACK_LAKEFS_SECRET_KEY: lakeFS was set up before", "STACK_LAKEFS_ENCRYPT_KEY"),
        ),
        (
            (500, message("create user: already exists")),
            (200, "{}"),
            PlatformFailed,
            ("was interrupted", "dropdb --username postgres lakefs"),
        ),
        ((503, "<html>"), (200, "{}"), PlatformFailed, ("answered 503", "docker compose logs lakefs")),
        ((200, "{}"), (500, message("kv")), PlatformFailed, ("answered 500", "docker compose logs lakefs")),
    ],
    ids=["other keys", "half initialised", "unexpected answer", "failing check"],
)
def test_a_failure_names_the_remedy(
    setup: Answer, user: Answer, kind: type[IngestCleanError], words: tuple[str, ...]
) -> None:
    answers = lakefs(setup, user)
    with (
        answering(lambda request: answers[f"{request.method} {request.path}"]) as server,
        pytest.raises(kind) as failed,
    ):
        run(server)
    for word in words:
        assert word in failed.value.describe()
    assert all(key not in failed.value.describe() for key in KEYS)


def test_lakefs_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = lakefs((200, "{}"))
    starting = [(503, ""), (503, "")]

    def answer(request: Request) -> Answer:
        return starting.pop() if starting else answers[f"{request.method} {request.path}"]

    monkeypatch.setattr(wait, "LIMIT", 5.0)
    monkeypatch.setattr(wait, "PAUSE", 0.01)
    with answering(answer) as server:
        assert run(server) == "created"
    assert server.lines[:3] == [HEALTH] * 3


def test_a_lakefs_that_never_answers_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wait, "LIMIT", 0.05)
    monkeypatch.setattr(wait, "PAUSE", 0.01)
    with pytest.raises(ServerFailed, match=r"^lakefs at http://127[.]0[.]0[.]1:9 cannot be used") as failed:
        set_up_lakefs(stack_settings(lakefs_endpoint="http://127.0.0.1:9"), SILENT)
    assert failed.value.remedy == "see its log: docker compose logs lakefs"
