"""The set-up of the stack's lakeFS: its one administrator, with the keys of the environment.

Until it is done, anyone who reaches lakeFS can become its administrator. `init` does it before the port is published.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from orchestration.errors import PlatformFailed, UsageError
from orchestration.lake.errors import message_of
from orchestration.log import Log
from orchestration.stack.remedies import AGAIN, see_log
from orchestration.stack.settings import StackSettings
from orchestration.stack.wait import health_problem, wait_for

if TYPE_CHECKING:
    import httpx

USER = "admin"
_TIMEOUT = 30.0
_LOGS = see_log("lakefs")


def set_up_lakefs(settings: StackSettings, log: Log) -> Literal["created", "unchanged"]:
    """Wait for lakeFS, create its administrator unless it has one, and check that the keys are the administrator's.

    Raises:
        UsageError: lakeFS was set up before with other keys.
        PlatformFailed: An earlier set-up was interrupted, or lakeFS answers with another error.
        ServerFailed: lakeFS does not answer.
    """
    import httpx

    endpoint = settings.lakefs_endpoint
    wait_for(f"lakefs at {endpoint}", lambda: health_problem(f"{endpoint}/_health"), log)
    with httpx.Client(base_url=f"{endpoint}/api/v1", timeout=_TIMEOUT, trust_env=False) as client:
        try:
            done = _create_administrator(client, settings)
            _require_keys(client, settings)
        except httpx.HTTPError as error:
            raise PlatformFailed(f"lakeFS at {endpoint}: {error or type(error).__name__}", remedy=_LOGS) from error
    if done == "created":
        log.info(f"set up lakeFS at {endpoint}")
    return done


def _create_administrator(client: httpx.Client, settings: StackSettings) -> Literal["created", "unchanged"]:
    answer = client.post("/setup_lakefs", json=_request(settings))
    if answer.is_success:
        return "created"
    if answer.status_code == 409:
        return "unchanged"
    message = message_of(answer.content)
    if "already exists" in message:
        # lakeFS creates the administrator first, and records last that it is set up.
        raise PlatformFailed(
            f"the set-up of lakeFS was interrupted, and cannot be continued: {message}",
            remedy="nothing was stored yet: docker compose stop lakefs, docker compose exec postgres "
            f"dropdb --username postgres lakefs, {AGAIN}",
        )
    raise PlatformFailed(f"the set-up of lakeFS: it answered {answer.status_code}: {message}", remedy=_LOGS)


def _request(settings: StackSettings) -> dict[str, object]:
    return {
        "username": USER,
        "key": {
            "access_key_id": settings.lakefs_access_key.get_secret_value(),
            "secret_access_key": settings.lakefs_secret_key.get_secret_value(),
        },
    }


def _require_keys(client: httpx.Client, settings: StackSettings) -> None:
    keys = (settings.lakefs_access_key.get_secret_value(), settings.lakefs_secret_key.get_secret_value())
    answer = client.get("/user", auth=keys)
    if answer.is_success:
        return
    message = message_of(answer.content)
    if answer.status_code == 401:
        raise UsageError(
            f"STACK_LAKEFS_ACCESS_KEY, STACK_LAKEFS_SECRET_KEY: lakeFS was set up before with other keys: {message}",
            remedy="set the keys, and the STACK_LAKEFS_ENCRYPT_KEY, with which it was set up (docs/operations.md"
            f"#keys-of-the-stack says how to change them), {AGAIN}",
        )
    raise PlatformFailed(f"lakeFS answered {answer.status_code} to its administrator: {message}", remedy=_LOGS)
