"""The sample API as a command."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import httpx
import pytest

from examples.events_api import FAULTS
from orchestration.settings import PROJECT_DIR


def command(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "examples.events_api", *arguments],
        cwd=PROJECT_DIR,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command_prints_its_url_serves_and_stops_with_an_answer_unfinished() -> None:
    with command(
        "--port", "0", "--rows", "3000", "--fault", "slow", "--delay", "30", "--fault-date", "2025-05-21"
    ) as it:
        assert it.stdout is not None
        assert it.stderr is not None
        url = httpx.URL(it.stdout.readline().strip())
        assert (url.host, url.path, url.params["date"]) == ("127.0.0.1", "/events", "2025-05-21")
        assert len(httpx.get(url.copy_set_param("date", "2025-05-20")).json()) == 3_000
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(url, timeout=0.1)
        it.send_signal(signal.SIGTERM)
        it.wait(timeout=5)
        assert it.stderr.read() == ""


def test_help_describes_every_fault() -> None:
    with command("--help") as it:
        text, _ = it.communicate(timeout=10)
    for name, fault in FAULTS.items():
        assert re.search(rf"^  {name} +{re.escape(fault.description)}$", text, re.MULTILINE)
