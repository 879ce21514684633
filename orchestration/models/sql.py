"""SQL of a table's five models, generated from its declaration.

A column's name is lower-case letters, digits and underscores, and begins with a letter. Helper columns begin with an
underscore, so no field can have such a name. Raw names may contain any character and occur only as text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from orchestration.models.quoting import WIDTH, aliased, broken, identifier, jinja_list, jinja_map, jinja_text
from orchestration.models.structure import (
    is_at_top,
    jinja_place,
    jinja_steps,
    shown_structure,
    structure_of,
    top_names,
    value_of,
)
from orchestration.source.columns import Column
from orchestration.source.config import Table
from orchestration.source.formats import EPOCHS, grammar_of
from orchestration.source.places import places_of
from orchestration.source.schema import Fetch

_FAULTS = {"timestamptz": "unparseable", "bigint": "not_integer", "double": "not_numeric"}
RANGE_TESTS = {"timestamptz": "is_outside_years", "double": "is_infinite"}
"""The macros that test whether a converted value is out of range, by type."""

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
        typed: The SQL of its typed value.
        local: The SQL of its local time, of which another step makes an instant; else empty.
        decimal: The sign before its decimals.
        precision_test: The macro that tests whether the text has more digits than the type keeps; empty without one.
    """

    name: str
    sql: str
    data_type: str
    nullable: bool
    in_key: bool
    text: str
    typed: str
    local: str
    decimal: str
    precision_test: str

    @property
    def fault(self) -> str:
        """Return the suffix of the reject reason for a text that is not of its type."""
        return _FAULTS[self.data_type]

    @property
    def range_test(self) -> str:
        """Return the macro that tests whether a typed value is out of range; empty without one."""
        return RANGE_TESTS.get(self.data_type, "")


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
    fields = [column for column in table.columns if not column.record_name]
    at_top = top_names(fields)
    plain = [column.field for column in fields if is_at_top(column)]
    by_path = [column for column in fields if not is_at_top(column)]
    structure = structure_of(column.place for column in fields)
    is_list = table.fetch.shape == "arrays"
    context = {
        "table": shown,
        "aliased": aliased,
        "listed": lambda columns: ", ".join(column.sql for column in columns),
        "ordered": _ordered(shown.key or shown.columns),
        "identical": table.rows.identical,
        "latest": table.rows.latest.name if table.rows.latest else None,
        "keep_date": _keep_date_arguments(table),
        "record_kind": "list" if is_list else "object",
        "of_record": ", is_record='_is_list'" if is_list else "",
        "records": records_arguments(table.fetch),
        "has_record_name": len(fields) < len(table.columns),
        "fields": jinja_list(at_top, indent=0),
        "plain_fields": "fields" if plain == at_top else jinja_list(plain, indent=8),
        "by_path": by_path,
        "places": {column.name: jinja_place(column) for column in by_path},
        "label": lambda column: jinja_text(column.label),
        "structure": shown_structure(structure, plain if not by_path else [], at_top),
        "values": {column.name: value_of(column, structure) for column in table.columns},
        "texts": jinja_map(
            {column.name: jinja_place(column) for column in table.columns if _is_compared(column)}, indent=8
        ),
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


def model_names(table: Table, project_dir: Path) -> tuple[str, ...]:
    """Return the names of a table's models."""
    return tuple(Path(path).stem for path in sql_of(table, project_dir))


def digest(table: Table) -> str:
    """Return a short digest of what the SQL of a table depends on."""
    declared = [
        table.source,
        table.name,
        [(column.field, column.name, column.data_type, column.nullable) for column in table.columns],
        [column.name for column in table.key],
        table.rows.earliest.name if table.rows.earliest else None,
        # What few tables declare is left out where it is absent, so that the others keep their digests.
        *({column.name: form} for column in table.columns if (form := _form(column))),
        *filter(None, [records_arguments(table.fetch), *_kept(table)]),
    ]
    return hashlib.sha256(msgspec.json.encode(declared)).hexdigest()[:12]


def records_arguments(fetch: Fetch) -> str:
    """Return the arguments of `raw_records` for the place and the shape of an envelope's records.

    A list in a field at the top needs no arguments, because the macro finds its name in the declaration, unless the
    name is in quotes there.
    """
    if fetch.form != "envelope":
        return ""
    places, is_list = places_of(fetch.records or "$"), fetch.shape in ("objects", "arrays")
    if is_list and len(places) == 1 and len(places[0]) == 1 and isinstance(name := places[0][0], str):
        return "" if name == fetch.records else f", records={jinja_text(name)}"
    shown = ", ".join(f"[{jinja_steps(place)}]" for place in places)
    return f", records=[{shown}]" + ("" if is_list else f", shape='{fetch.shape}'")


def _kept(table: Table) -> list[str]:
    """Return what a table declares of the rows it keeps, beside its key and `earliest`."""
    rows = table.rows
    return [
        *([f"identical {rows.identical}"] if rows.identical else []),
        *([f"latest {rows.latest.name}"] if rows.latest else []),
        *([f"keep_date {_keep_date_arguments(table)}"] if rows.keep_date else []),
    ]


def _keep_date_arguments(table: Table) -> str:
    """Return the arguments of `is_other_date`; empty for a table that keeps rows of every date."""
    if table.rows.keep_date is None:
        return ""
    zone = table.fetch.day.zone
    shown = jinja_text(identifier(table.rows.keep_date.name))
    return shown if zone == "UTC" else f"{shown}, zone={jinja_text(zone)}"


def _form(column: Column) -> list[str]:
    """Return what a column declares of its place and its text, if it declares any."""
    defaults = Column(column.field, column.name)
    names = ("path", "format", "zone", "clock_change", "decimal", "record_name", "position")
    return [f"{name} {value}" for name in names if (value := getattr(column, name)) != getattr(defaults, name)]


def _model_table(table: Table, project_dir: Path) -> ModelTable:
    columns = {column.name: _model_column(column, column in table.key) for column in table.columns}
    key = tuple(columns[column.name] for column in table.key)
    deciding = table.rows.earliest or table.rows.latest
    first = (columns[deciding.name],) if deciding else ()
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
    sql, text = identifier(column.name), f"_{column.name}_text"
    local = _local(column, sql) if column.zone else ""
    return ModelColumn(
        name=column.name,
        sql=sql,
        data_type=column.data_type,
        nullable=column.nullable,
        in_key=in_key,
        text=text if needs_text else "",
        typed=typed_sql(column, sql),
        local=local,
        decimal=column.decimal,
        precision_test=_precision_test(column, text),
    )


def typed_sql(column: Column, sql: str) -> str:
    """Return the SQL, with dbt's Jinja, that converts the text in `sql` to a column's type; null where it cannot."""
    quoted, declared = jinja_text(sql), column.format
    if column.data_type == "varchar":
        return sql
    if column.data_type != "timestamptz":
        decimal = ", decimal='comma'" if column.decimal == "comma" else ""
        return f"{{{{ to_{column.data_type}({quoted}{decimal}) }}}}"
    if column.zone:
        change = f", clock_change='{column.clock_change}'" if column.clock_change != "reject" else ""
        in_zone = f"{{{{ in_zone('_{column.name}_local', {jinja_text(column.zone)}{change}) }}}}"
        if declared:
            return in_zone
        inner = f"{{{{ to_timestamptz({quoted}, local_is_utc=false) }}}}"
        return f"coalesce(\n            {inner},\n            {in_zone}\n        )"
    if declared in EPOCHS:
        return f"{{{{ from_epoch({quoted}, '{declared}') }}}}"
    if declared:
        return f"{{{{ to_formatted({_format_arguments(column, sql)}) }}}}"
    return f"{{{{ to_timestamptz({quoted}) }}}}"


def _local(column: Column, sql: str) -> str:
    arguments = _format_arguments(column, sql) if column.format else jinja_text(sql)
    return f"{{{{ to_local({arguments}) }}}}"


def _format_arguments(column: Column, sql: str) -> str:
    parts = (jinja_text(sql), jinja_text(column.format), jinja_text(grammar_of(column.format)))
    return broken("", parts, "", 8).rstrip(" ") + " " * 8


def _precision_test(column: Column, text: str) -> str:
    """Return the test of whether a key has more digits than its type keeps; empty where it cannot."""
    if column.data_type == "double":
        return f"is_beyond_digits('{text}')"
    if column.data_type != "timestamptz":
        return ""
    if column.format == "epoch_ms":
        return f"is_below_microseconds('{text}', decimals=3)"
    return f"is_below_microseconds('{text}')" if column.format in ("", "epoch") else ""


def _is_compared(column: Column) -> bool:
    """Return whether a column's text is compared with the kind of JSON value that it was sent as.

    The engine writes a JSON number with a point, which a decimal comma takes for a sign between thousands.
    """
    return (column.data_type == "varchar" or column.decimal == "comma") and not column.record_name


def _ordered(key: Sequence[ModelColumn]) -> str:
    if len(key) == 1:
        return f" {key[0].sql} nulls last"
    return "\n    " + ",\n    ".join(f"{column.sql} nulls last" for column in key)
