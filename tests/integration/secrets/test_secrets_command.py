"""`elt secrets set` on a real Prefect server."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestration.flows.secrets import LAKE, load, with_secrets
from tests.helpers.blocks import (
    ACCESS,
    SESAM,
    TOKEN,
    keys_of,
    settings,
)
from tests.helpers.elt_runs import eventually
from tests.helpers.isolation import ENVIRONMENT, PROJECT
from tests.helpers.projects import NAME


def environment(api: str, folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "DO_NOT_TRACK": "1",
        **ENVIRONMENT,
        "PREFECT_API_URL": api,
        "PREFECT_API_AUTH_STRING": os.environ["PREFECT_API_AUTH_STRING"],
        "ELT_STATE_DIR": str(folder / "state"),
    }


def elt(api: str, folder: Path, *arguments: str, given: str) -> subprocess.CompletedProcess[str]:
    """Runs `elt` with this text as its stdin."""
    return subprocess.run(
        [sys.executable, "-m", "orchestration", *arguments],
        env=environment(api, folder),
        cwd=PROJECT,
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_secret_is_read_from_stdin_and_not_printed(api: str, tmp_path: Path) -> None:
    done = elt(api, tmp_path, "secrets", "set", LAKE, given=f"{ACCESS}:{SESAM}\n")
    as_json = elt(api, tmp_path, "secrets", "set", TOKEN, "--json", given=SESAM)

    assert (done.returncode, done.stdout) == (0, f"{LAKE} is set at {api}\n")
    assert (as_json.returncode, json.loads(as_json.stdout)) == (0, {"set": TOKEN})
    assert SESAM not in done.stdout + done.stderr + as_json.stdout + as_json.stderr
    assert keys_of(with_secrets(settings()).lake) == (ACCESS, SESAM)
    assert load(NAME, TOKEN) == SESAM


def test_a_typed_secret_is_not_shown(api: str, tmp_path: Path) -> None:
    screen, keyboard = pty.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "orchestration", "secrets", "set", TOKEN],
            env=environment(api, tmp_path),
            cwd=PROJECT,
            stdin=keyboard,
            stdout=keyboard,
            stderr=keyboard,
            # Without its own session it would ask at the terminal of the tests.
            start_new_session=True,
        ) as process:
            shown = read_until(screen, b": ")
            os.write(screen, f"{SESAM}\n".encode())
            shown += read_until(screen, b"is set at")
            assert process.wait(timeout=60) == 0
    finally:
        os.close(screen)
        os.close(keyboard)

    assert shown.startswith(TOKEN.encode())
    assert SESAM.encode() not in shown
    assert load(NAME, TOKEN) == SESAM


def read_until(screen: int, sign: bytes) -> bytes:
    """Reads a terminal up to a text, for at most 60 s."""
    os.set_blocking(screen, False)
    shown = bytearray()

    def ask() -> bool:
        try:
            shown.extend(os.read(screen, 1_000))
        except BlockingIOError:
            time.sleep(0.05)
        return sign in shown

    assert eventually(ask), bytes(shown)
    return bytes(shown)


@pytest.mark.parametrize(
    ("name", "given", "problem"),
    [
        ("shop-token", SESAM, "'shop-token' is not a secret of this project"),
        (TOKEN, " \n", f"no value was given for {TOKEN}"),
        (LAKE, SESAM, "lakefs-creds holds neither"),
    ],
)
def test_an_invalid_secret_is_refused_in_one_line(
    api: str, tmp_path: Path, name: str, given: str, problem: str
) -> None:
    refused = elt(api, tmp_path, "secrets", "set", name, given=given)

    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith(f"UsageError: {problem}")
    assert len(refused.stderr.splitlines()) == 1
    assert SESAM not in refused.stderr
    assert load(NAME, LAKE) is None
    assert load(NAME, TOKEN) is None


def test_a_secret_cannot_be_an_argument(api: str, tmp_path: Path) -> None:
    refused = elt(api, tmp_path, "secrets", "set", TOKEN, "as-an-argument", given=SESAM)

    assert refused.returncode == 2
    assert load(NAME, TOKEN) is None
