"""Names and texts in generated models: as SQL identifiers and literals, and as texts, lists and maps of Jinja."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache

import duckdb

from orchestration.sql import literal

WIDTH = 80
"""The maximum length of a line; sqlfluff has the same limit."""


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


@cache
def _needs_quotes(column: str) -> bool:
    """Return whether DuckDB would read the name without quotes as something other than a column, or refuse it."""
    engine = _engine()
    keyword = engine.execute(
        "select keyword_category from duckdb_keywords() where keyword_name = ?", [column]
    ).fetchone()
    if keyword and keyword[0] in ("reserved", "type_function"):
        return True
    # A value such as `current_date`, or the beginning of a window's frame such as `rows`.
    for statement in (f"select {column}", f"select count(*) over (order by 1 {column} current row)"):
        with suppress(duckdb.Error):
            engine.execute(statement)
            return True
    return False


def identifier(column: str) -> str:
    """Return a column's name as SQL, in quotes only where DuckDB needs them."""
    return f'"{column}"' if _needs_quotes(column) else column


def aliased(value: str, column: str, indent: int) -> str:
    """Return `value as column`, on two lines where one is too long."""
    line = f"{value} as {identifier(column)}"
    # A comma follows.
    return line if indent + len(line) < WIDTH else f"{value}\n{' ' * (indent + 4)}as {identifier(column)}"


def sql_literal(text: str) -> str:
    """Return a text as a SQL literal in a dbt model: by the macro `literal` where Jinja would change it."""
    if any(mark in text for mark in ("{{", "{%", "{#")) or not text.isprintable():
        return "{{ literal(" + jinja_text(text) + ") }}"
    return literal(text)


def jinja_text(text: str) -> str:
    """Return a text as a string of Jinja."""
    quoted = json.dumps(text, ensure_ascii=False)
    return quoted if "'" in quoted or "\\" in quoted else f"'{quoted[1:-1]}'"


def jinja_list(texts: Iterable[str], indent: int) -> str:
    """Return a list of Jinja: on one line if it is short, else a line for each text."""
    shown = [jinja_text(text) for text in texts]
    line = f"[{', '.join(shown)}]"
    return line if indent + len(line) < WIDTH - 20 else broken("[", shown, "]", indent)


def jinja_map(values: Mapping[str, str], indent: int) -> str:
    """Return a dictionary of Jinja, with a line for each value, which is Jinja already."""
    return broken("{", [f"{jinja_text(name)}: {value}" for name, value in values.items()], "}", indent)


def broken(start: str, items: Sequence[str], end: str, indent: int) -> str:
    """Return items between a start and an end, with a line for each."""
    if not items:
        return start + end
    lines = "".join(f"{' ' * (indent + 4)}{item},\n" for item in items)
    return f"{start}\n{lines}{' ' * indent}{end}"
