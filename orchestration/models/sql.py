"""SQL of a table's five models, generated from its declaration.

A column's name is lower-case letters, digits and underscores, and begins with a letter. Helper columns begin with an
underscore, so no field can have such a name. Raw names may contain any character and occur only as text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb
import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from orchestration.source.columns import Column
from orchestration.source.config import Table
from orchestration.sql import literal

WIDTH = 80
"""The maximum length of a line; sqlfluff has the same limit."""

_FAULTS = {"timestamptz": "unparseable", "bigint": "not_integer", "double": "not_numeric"}
_RANGE_TESTS = {"timestamptz": "is_outside_years", "double": "is_infinite"}
_PRECISION_TESTS = {"timestamptz": "is_below_microseconds", "double": "is_beyond_digits"}

# The templates contain dbt's own Jinja, so this environment uses other delimiters.
TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    block_start_string="<%",
    block_end_string="%>",
    variable_start_string="<<",
    variable_end_string=">>",
    comment_start_string="<#",
    comment_end_string="#>",
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    undefined=StrictUndefined,
    autoescape=False,  # noqa: S701 (not HTML)
)


@dataclass(frozen=True)
class ModelColumn:
    """A column in the form that the templates use.

    Attributes:
        name: Its name.
        sql: Its name as an identifier, quoted only where DuckDB needs that.
        data_type: Its SQL type.
        nullable: Whether it may be null.
        in_key: Whether it is part of the key.
        text: The helper column with its text if a rule needs it, else empty.
    """

    name: str
    sql: str
    data_type: str
    nullable: bool
    in_key: bool
    text: str

    @property
    def fault(self) -> str:
        """Return the suffix of the reject reason for a text that is not of its type."""
        return _FAULTS[self.data_type]

    @property
    def range_test(self) -> str:
        """Return the macro that tests whether a typed value is out of range; empty without one."""
        return _RANGE_TESTS.get(self.data_type, "")

    @property
    def precision_test(self) -> str:
        """Return the macro that tests whether the text has more digits than the type keeps; empty without one."""
        return _PRECISION_TESTS.get(self.data_type, "")


@dataclass(frozen=True)
class ModelTable:
    """A table in the form that the templates use. `order` decides between rows of the same key."""

    source: str
    name: str
    yaml: str
    digest: str
    columns: tuple[ModelColumn, ...]
    key: tuple[ModelColumn, ...]
    order: tuple[ModelColumn, ...]


def sql_of(table: Table, project_dir: Path) -> dict[str, str]:
    """Return the SQL of a table's models by their path below the project."""
    shown = _model_table(table, project_dir)
    paths = {
        "staging": staging_path(table),
        "checked": f"models/intermediate/{table.name}_checked.sql",
        "accounting": f"models/intermediate/{table.name}_accounting.sql",
        "curated": f"models/curated/{table.name}.sql",
        "rejected": f"models/curated/{table.name}_rejected.sql",
    }
    names = [column.name for column in table.columns]
    key = [column.name for column in table.key]
    fields = [column.field for column in table.columns]
    in_struct = struct_fields(fields)
    context = {
        "table": shown,
        "aliased": aliased,
        "listed": lambda columns: ", ".join(column.sql for column in columns),
        "ordered": _ordered(shown.key),
        "fields": jinja_list(fields, indent=0),
        "struct_fields": "fields" if in_struct == fields else jinja_list(in_struct, indent=8),
        "values": {column.name: _value(column.field, in_struct) for column in table.columns},
        "texts": _jinja_map({column.name: column.field for column in table.columns if column.data_type == "varchar"}),
        "names": jinja_list(names, indent=8),
        "key": jinja_list(key, indent=8),
    }
    return {path: _marked(TEMPLATES.get_template(f"{model}.sql").render(context)) for model, path in paths.items()}


def _marked(text: str) -> str:
    """Return SQL with a `noqa` on lines that a long name makes too long. Lines of a Jinja list need none."""
    lines = (
        f"{line}  -- noqa: LT05" if len(line) > WIDTH and line.lstrip()[0] not in "'\"" else line
        for line in text.split("\n")
    )
    return "\n".join(lines)


def staging_path(table: Table) -> str:
    """Return the path of a table's staging model below the project."""
    return f"models/staging/{table.source}/stg_{table.source}__{table.name}.sql"


def digest(table: Table) -> str:
    """Return a short digest of what the SQL of a table depends on."""
    declared = (
        table.source,
        table.name,
        [(column.field, column.name, column.data_type, column.nullable) for column in table.columns],
        [column.name for column in table.key],
        table.earliest.name if table.earliest else None,
    )
    return hashlib.sha256(msgspec.json.encode(declared)).hexdigest()[:12]


def _model_table(table: Table, project_dir: Path) -> ModelTable:
    columns = {column.name: _model_column(column, column in table.key) for column in table.columns}
    key = tuple(columns[column.name] for column in table.key)
    first = (columns[table.earliest.name],) if table.earliest else ()
    others = tuple(column for column in columns.values() if column not in (*key, *first))
    return ModelTable(
        source=table.source,
        name=table.name,
        yaml=table.file.relative_to(project_dir).as_posix(),
        digest=digest(table),
        columns=tuple(columns.values()),
        key=key,
        order=(*first, *others) or key,
    )


def _model_column(column: Column, in_key: bool) -> ModelColumn:
    # A varchar column is its own text; of the others, only these rules need it.
    needs_text = column.data_type != "varchar" and (in_key or column.nullable)
    return ModelColumn(
        name=column.name,
        sql=identifier(column.name),
        data_type=column.data_type,
        nullable=column.nullable,
        in_key=in_key,
        text=f"_{column.name}_text" if needs_text else "",
    )


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


def struct_fields(fields: Sequence[str]) -> list[str]:
    """Return the fields that one DuckDB struct can contain.

    A struct's names are not empty and differ by more than case; other fields are read from the record one by one.
    """
    found: dict[str, str] = {}
    for field in fields:
        if field:
            found.setdefault(field.lower(), field)
    return list(found.values())


def _value(field: str, in_struct: Sequence[str]) -> str:
    if field in in_struct:
        return f"_fields[{sql_literal(field)}]"
    pointer = "/" + field.replace("~", "~0").replace("/", "~1")
    return f"json_extract_string(_record, {sql_literal(pointer)})"


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
    return line if indent + len(line) < WIDTH - 20 else _broken("[", shown, "]", indent)


def _jinja_map(texts: Mapping[str, str]) -> str:
    return _broken("{", [f"{jinja_text(name)}: {jinja_text(text)}" for name, text in texts.items()], "}", 8)


def _broken(start: str, items: Sequence[str], end: str, indent: int) -> str:
    if not items:
        return start + end
    lines = "".join(f"{' ' * (indent + 4)}{item},\n" for item in items)
    return f"{start}\n{lines}{' ' * indent}{end}"


def _ordered(key: Sequence[ModelColumn]) -> str:
    if len(key) == 1:
        return f" {key[0].sql} nulls last"
    return "\n    " + ",\n    ".join(f"{column.sql} nulls last" for column in key)
