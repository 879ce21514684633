"""The entries of docs/runbook.md, and an operator who types their commands."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import pytest
from typer.testing import CliRunner

from orchestration.cli.app import app
from orchestration.context import DateRun, MartsRun
from orchestration.endpoints import open_lake
from orchestration.errors import IngestCleanError
from orchestration.flows.launch import FlowResult
from orchestration.log import SILENT
from orchestration.marts import run_marts
from orchestration.publish import RunResult
from orchestration.run import run_date
from orchestration.settings import PROJECT_DIR, Settings
from orchestration.time_limit import time_limit

PAGE = PROJECT_DIR / "docs" / "runbook.md"
PARTS = ("Seen", "True", "Do")

NOT_TYPED = {
    "docker compose up --detach": "needs the stack of docker-compose.yml; make test-stack starts it",
    "elt up": "would start servers besides those of the tests; tests/integration/test_servers.py starts them",
    "df -h": "shows the disks of the machine, which no test fills",
}
"""The commands of the page that its tests do not type, by their beginning, and why."""

T = TypeVar("T", bound=Callable[..., object])


@dataclass(frozen=True)
class Entry:
    """One entry of the page.

    Attributes:
        title: Its heading.
        parts: The texts of its parts by name, in the order of the page.
    """

    title: str
    parts: Mapping[str, str]

    @property
    def quotes(self) -> tuple[str, ...]:
        """Return the words that the part "Seen" quotes."""
        return tuple(re.findall(r"`([^`]+)`", self.parts["Seen"]))

    @property
    def commands(self) -> tuple[str, ...]:
        """Return the command lines of the part "Do", in order, without comments."""
        blocks = re.findall(r"```sh\n(.*?)```", self.parts["Do"], flags=re.DOTALL)
        lines = (re.sub(r"(^|\s+)# .*", "", line).strip() for block in blocks for line in block.splitlines())
        return tuple(line for line in lines if line)


@cache
def entries() -> dict[str, Entry]:
    """Return the entries of the page by title."""
    _, *found = re.split(r"^### (.+)\n", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {title: _entry(title, text) for title, text in zip(found[::2], found[1::2], strict=True)}


def _entry(title: str, text: str) -> Entry:
    # The heading of the next group belongs to no entry.
    text = re.split(r"^## ", text, flags=re.MULTILINE)[0]
    _, *found = re.split(r"^\*\*(\w+):\*\*", text, flags=re.MULTILINE)
    return Entry(title, dict(zip(found[::2], (part.strip() for part in found[1::2]), strict=True)))


def entry(title: str) -> Callable[[T], T]:
    """Mark a test as the one that exercises the entry with this title."""

    def mark(test: T) -> T:
        vars(test)["entry"] = title
        return test

    return mark


class Operator:
    """Reads one entry of the page, and does what it says."""

    def __init__(self, found: Entry, folder: Path) -> None:
        """Take an entry, and the folder in which to type."""
        self.entry, self._folder = found, folder

    def types(self, command: str, code: int = 0, typed: str = "") -> str:
        """Run a command, and return what it shows.

        Args:
            command: The command line. One of `elt` runs in this process.
            code: The exit code to expect.
            typed: What is typed at its prompt.
        """
        program, *arguments = shlex.split(command)
        if program != "elt":
            done = subprocess.run([program, *arguments], cwd=self._folder, capture_output=True, text=True, check=True)
            return f"$ {command}\n{done.stdout}"
        result = CliRunner().invoke(app, arguments, input=typed)
        shown, ended = result.stdout, result.exit_code
        if isinstance(result.exception, IngestCleanError):
            shown, ended = message_of(result.exception), result.exception.exit_code
        elif isinstance(result.exception, Exception):
            raise result.exception
        assert ended == code, f"{command}: exit code {ended}: {shown}"
        return f"$ {command}\n{shown}"

    def sees(self, shown: str, **values: str) -> None:
        """Check that what is shown has all words that the entry quotes."""
        missing = [quote for quote in self.entry.quotes if filled(quote, values) not in shown]
        assert not missing, f"{self.entry.title}: {missing} not in: {shown}"

    def does(
        self,
        before: Mapping[str, Callable[[], object]] | None = None,
        codes: Mapping[str, Sequence[int]] | None = None,
        typed: Mapping[str, str] | None = None,
        **values: str,
    ) -> list[str]:
        """Type the commands of the entry in their order, and return what each shows.

        Args:
            before: What people do before a command, such as to correct the API, by the beginning of the command. For
                a command of `NOT_TYPED`, what takes its place.
            codes: The exit codes to expect, if not 0, by the beginning of the command: one for each time that it is
                typed; the last counts for all further ones.
            typed: What is typed at a prompt, by the beginning of the command.
            values: The values of DATE, BRANCH and so on.
        """
        shown, expected = [], {beginning: deque(given) for beginning, given in (codes or {}).items()}
        for line in self.entry.commands:
            if act := _of(before, line):
                act()
            if _of(NOT_TYPED, line):
                continue
            left = _of(expected, line) or deque([0])
            code = left.popleft() if len(left) > 1 else left[0]
            shown.append(self.types(filled(line, values), code, _of(typed, line) or ""))
        return shown


def message_of(error: IngestCleanError) -> str:
    """Return what `elt` prints of an error."""
    return f"{error.outcome}: {error.describe()}"


def run_without_prefect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `elt run` and `elt marts` run without a flow run, which most entries have nothing to do with."""

    def date(settings: Settings, execution_date: str, run_type: str, force: bool, engine: None) -> FlowResult:
        run = DateRun(
            execution_date=execution_date, lake=open_lake(settings), settings=settings, log=SILENT, force=force
        )
        return _result_of(settings, lambda: run_date(run))

    def marts(settings: Settings, full: bool, engine: None) -> FlowResult:
        run = MartsRun(lake=open_lake(settings), settings=settings, log=SILENT, force=full)
        return _result_of(settings, lambda: run_marts(run))

    monkeypatch.setattr("orchestration.flows.launch.run_date_flow", date)
    monkeypatch.setattr("orchestration.flows.launch.run_marts_flow", marts)


def _result_of(settings: Settings, publish: Callable[[], RunResult]) -> FlowResult:
    try:
        with time_limit(settings.elt.run_timeout):
            done = publish()
    except IngestCleanError as error:
        return FlowResult(error.outcome, error.cause, error.exit_code, None, error)
    return FlowResult(done.outcome.capitalize(), str(done), 0, done)


V = TypeVar("V")


def _of(given: Mapping[str, V] | None, line: str) -> V | None:
    """Return the value of the longest beginning of a command line."""
    found = [beginning for beginning in given or () if line.startswith(beginning)]
    return given[max(found, key=len)] if given and found else None


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a text with the values of DATE, BRANCH and so on."""
    return re.sub(r"\b[A-Z]{2,}\b", lambda word: values.get(word[0], word[0]), text)
