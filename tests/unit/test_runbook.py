"""docs/runbook.md: each entry has its parts and a test, and each of its commands exists."""

from __future__ import annotations

import ast
import re
import shlex
from typing import Any

import pytest
import typer

from orchestration.cli.app import app
from orchestration.settings import PROJECT_DIR
from tests.helpers.runbook import NOT_TYPED, PAGE, PARTS, Entry, entries, filled

TESTS = PROJECT_DIR / "tests" / "integration" / "operations" / "runbook"
VALUES = {"DATE": "2025-05-20", "FROM": "2025-05-20", "TO": "2025-05-21", "BRANCH": "etl-2025-05-20-00000001"}
ANCHOR = re.compile(r"[^\w\- ]")


def titles_of_tests() -> list[str]:
    """Returns the titles that tests are marked with, without importing them."""
    bodies = [ast.parse(file.read_text()).body for file in TESTS.glob("test_*.py")]
    functions = [node for body in bodies for node in body if isinstance(node, ast.FunctionDef)]
    marks = [mark for function in functions for mark in function.decorator_list if isinstance(mark, ast.Call)]
    return [
        ast.literal_eval(mark.args[0]) for mark in marks if isinstance(mark.func, ast.Name) and mark.func.id == "entry"
    ]


def test_each_entry_has_a_test_and_each_test_an_entry() -> None:
    assert sorted(titles_of_tests()) == sorted(entries())


@pytest.mark.parametrize("found", entries().values(), ids=entries().keys())
def test_an_entry_says_what_is_seen_what_is_true_and_what_to_do(found: Entry) -> None:
    assert tuple(found.parts) == PARTS
    assert all(found.parts.values())
    assert found.quotes
    assert found.commands


@pytest.mark.parametrize("found", entries().values(), ids=entries().keys())
def test_each_command_exists_with_its_options(found: Entry) -> None:
    for line in found.commands:
        command = filled(line, VALUES)
        assert not re.search(r"\b[A-Z]{2,}\b", command), f"{command} has a word without a value"
        program, *arguments = shlex.split(command)
        if program == "elt":
            parse(arguments)
        else:
            assert program == "chmod" or any(line.startswith(beginning) for beginning in NOT_TYPED)


def parse(arguments: list[str]) -> None:
    """Parses the arguments of `elt`, and runs nothing.

    Raises:
        typer.TyperException: There is no such command, argument or option.
    """
    command: Any = typer.main.get_command(app)
    while hasattr(command, "get_command"):
        context = command.make_context("elt", arguments)
        _, command, arguments = command.resolve_command(context, arguments)
    command.make_context(command.name, arguments)


@pytest.mark.parametrize("arguments", [["run", "2025-05-20", "--again"], ["runs"], ["source", "checks"]])
def test_a_command_that_does_not_exist_is_found(arguments: list[str]) -> None:
    with pytest.raises(typer.TyperException):
        parse(arguments)


def test_each_command_that_is_not_typed_is_on_the_page() -> None:
    lines = [line for found in entries().values() for line in found.commands]
    unused = [beginning for beginning in NOT_TYPED if not any(line.startswith(beginning) for line in lines)]
    assert unused == []


def test_the_table_of_contents_links_to_each_entry() -> None:
    linked = re.findall(r"\(#([^)]+)\)", PAGE.read_text(encoding="utf-8"))
    assert sorted(linked) == sorted(ANCHOR.sub("", title.lower()).replace(" ", "-") for title in entries())
