"""Find the type of each field by the grammars of the models, in DuckDB, with the reason."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.declare.fields import Field
from orchestration.declare.macros import Macros
from orchestration.declare.shape import Records
from orchestration.models.quoting import jinja_text
from orchestration.models.sql import RANGE_TESTS, records_arguments, typed_sql
from orchestration.source.columns import TYPES, Column, DataType
from orchestration.source.formats import EPOCHS, Decimal
from orchestration.source.schema import Fetch
from orchestration.text import quoted

if TYPE_CHECKING:
    import duckdb

_INSTANT = re.compile(
    r"(^|_)(time|date|at|on|created|updated|modified|changed|timestamp|ts|since|until|published|expires|start|end|"
    r"started|ended|occurred|when|day|datetime|epoch|generated)(_|$)|(time|date|stamp)$"
)
_NAME_LIKE = re.compile(r"(^|_)(id|ids|code|number|no|zip|postcode|postal|phone|version|sku|ean|isbn|ref|key)(_|$)")
_FORMATS = (
    *("%Y-%m-%d", "%d.%m.%Y", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%Y/%m/%d", "%Y/%m/%d %H:%M:%S"),
    *("%d/%m/%Y", "%m/%d/%Y", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%d %b %Y", "%b %d, %Y"),
    *("%Y%m%d", "%Y%m%dT%H%M%SZ", "%Y%m%d%H%M%S", "%a %b %d %H:%M:%S %z %Y"),
)
_AMBIGUOUS = {"%d/%m/%Y": "%m/%d/%Y", "%d/%m/%Y %H:%M:%S": "%m/%d/%Y %H:%M:%S"}
_PLAUSIBLE = date(1990, 1, 1), date(2100, 1, 1)
"""Numbers that would be instants outside of these dates are rather numbers."""
_NUMBERS: tuple[DataType, ...] = ("bigint", "double")
_READ = ("json_extract_string", "json_type")
_LONG = 64
"""Longer texts are neither numbers nor instants."""


@dataclass(frozen=True)
class TypedField:
    """A field with its type.

    Attributes:
        field: The field.
        data_type: The type of its column.
        why: Why it has that type.
        format: The format of its texts, or the unit of its numbers; empty for the usual ones.
        decimal_comma: Whether its numbers have a decimal comma.
        nullable: Whether a record has null or a blank text there.
        distinct: Its distinct values.
        blank: The records in which it is absent, null or blank.
        undeclarable: Why no column can hold its values; empty if one can.
        span: The first and the last date of its instants.
    """

    field: Field
    data_type: DataType
    why: str
    format: str = ""
    decimal_comma: bool = False
    nullable: bool = False
    distinct: int = 0
    blank: int = 0
    undeclarable: str = ""
    span: tuple[date, date] | None = None

    @property
    def column(self) -> str:
        """Return the column's name."""
        return self.field.column

    def as_column(self, name: str) -> Column:
        """Return the column as a declaration has it, with another name."""
        decimal: Decimal = "comma" if self.decimal_comma else "point"
        return Column(name, name, self.data_type, format=self.format, decimal=decimal)


class Sample:
    """The records of raw pages, in an engine, as the models would read them."""

    def __init__(self, pages: Sequence[Path], found: Records) -> None:
        import duckdb

        self.macros = Macros()
        self.engine: duckdb.DuckDBPyConnection = duckdb.connect()
        self.engine.execute("set TimeZone = 'UTC'; set variable raw_root = ''")
        self.engine.execute("set variable raw_sample__records = ?", [[str(page) for page in pages]])
        fetch = Fetch(path="/", form=found.form, records=found.path or None, shape=found.shape)
        declaration = {"source_name": "sample", "name": "records", "config": {"meta": {"fetch": fetch}}}
        arguments = records_arguments(fetch)
        read = self.macros.render(
            f"{{{{ raw_records(none, declaration=declaration{arguments}) }}}}", declaration=declaration
        )
        self.engine.execute(
            f"create table records as select row_number() over () as _row, * from ({read}) as _read"  # noqa: S608
        )

    @property
    def records(self) -> list[str]:
        """Return the JSON text of each record."""
        return [row[0] for row in self.engine.execute("select _record::varchar from records order by _row").fetchall()]

    def typed(self, column: Column) -> str:
        """Return the SQL that converts the text in a column to its type."""
        return self.macros.render(f"({typed_sql(column, column.name)})")

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the table `records`."""
        return self.engine.execute(sql, parameters).fetchall()


def find_types(sample: Sample, fields: Sequence[Field]) -> tuple[TypedField, ...]:
    """Return each field with its type."""
    _read_texts(sample, fields)
    facts = _facts(sample)
    (total,) = sample.rows("select count(*) from records")[0]
    return tuple(_typed(one, facts.get(number, _Facts()), total) for number, one in enumerate(fields))


def _read_texts(sample: Sample, fields: Sequence[Field]) -> None:
    """Create the table `texts`: one row for each record and field, with the text that staging gives it."""
    render = sample.macros.render
    values = []
    for number, one in enumerate(fields):
        text, kind = "_record_name", "'VARCHAR'"
        if not one.record_name:
            place = ", ".join(jinja_text(step) if isinstance(step, str) else str(step) for step in one.place)
            text, kind = (render(f"{{{{ json_at('{function}', [{place}]) }}}}") for function in _READ)
        values.append(f"{{'field': {number}, 'text': {text}, 'kind': {kind}}}")
    blank = render("{{ is_blank('text') }}")
    listed = ",\n".join(values)
    sample.engine.execute(
        f"create or replace table texts as select *, {blank} as blank from "  # noqa: S608
        f"(select _row, value.* from (select _row, unnest([{listed}]) as value from records))"
    )


@dataclass(frozen=True)
class _Facts:
    """What is known of a field's values. `fits` has the readings that every value allows, with the span of instants.

    `is_large` is set for whole numbers of which one has more digits than a double keeps.
    """

    filled: int = 0
    distinct: int = 0
    blank: int = 0
    kinds: frozenset[str] = frozenset()
    is_exact_text: bool = False
    has_many_digits: bool = False
    only_digits: bool = False
    is_large: bool = False
    example: str = ""
    fits: Mapping[str, tuple[date, date] | None] = field(default_factory=dict)


def _readings() -> dict[str, Column]:
    """Return a column for each reading of a text as a type, by name."""
    found: dict[str, Column] = {name: Column("text", "text", name) for name in TYPES if name != "varchar"}
    found |= {f"{name},comma": Column("text", "text", name, decimal="comma") for name in _NUMBERS}
    forms = (*EPOCHS, *_FORMATS)
    return found | {form: Column("text", "text", "timestamptz", format=form) for form in forms}


def _facts(sample: Sample) -> dict[int, _Facts]:
    readings = _readings()
    render = sample.macros.render
    parts = []
    for column in readings.values():
        typed, test = sample.typed(column), RANGE_TESTS.get(column.data_type)
        out_of_range = render(f"{{{{ {test}(typed) }}}}", typed=typed) if test else "false"
        parts.append(f"count(*) filter (where length(text) > {_LONG} or {typed} is null or {out_of_range}) = 0")
        instant = column.data_type == "timestamptz"
        parts += [f"{end}({typed})::date" if instant else "null" for end in ("min", "max")]
    digits = render("{{ is_beyond_digits('text') }}")
    rows = sample.rows(
        "select field, sum(n), count(*), sum(case when blank then n else 0 end), "  # noqa: S608
        "list_distinct(flatten(list(kinds))), "
        "count(*) filter (where regexp_full_match(text, '[-+]?0[0-9]+|[+].*')) > 0, "
        f"count(*) filter (where {digits}) > 0, "
        "count(*) filter (where not regexp_full_match(text, '[0-9]+')) = 0, "
        "count(*) filter (where not regexp_full_match(text, '-?[0-9]+')) = 0 "
        f"and count(*) filter (where {digits}) > 0, "
        f"min(text), {', '.join(parts)} from "
        "(select field, text, blank, count(*) as n, list(distinct kind) as kinds from texts "
        "where text is not null group by all) as values_of group by field"
    )
    found = {}
    for number, filled, distinct, blank, kinds, zero, many, only_digits, large, example, *others in rows:
        fits = {
            name: (others[at + 1], others[at + 2]) if others[at + 1] is not None else None
            for name, at in zip(readings, range(0, len(others), 3), strict=True)
            if others[at]
        }
        found[number] = _Facts(filled, distinct, blank, frozenset(kinds), zero, many, only_digits, large, example, fits)
    return found


def _typed(field: Field, facts: _Facts, total: int) -> TypedField:
    found = _type_of(field, facts)
    null = total - facts.filled - field.absent
    return replace(found, nullable=null > 0, distinct=facts.distinct, blank=total - facts.filled + facts.blank)


def _type_of(field: Field, facts: _Facts) -> TypedField:
    if field.record_name:
        return TypedField(field, "varchar", "the name of each record in the object of records")
    if field.text_because:
        return TypedField(field, "varchar", f"JSON text: {field.text_because}")
    if not facts.filled:
        return TypedField(field, "varchar", "null in every record, so that its type is unknown")
    example = quoted(facts.example, 40)
    if facts.kinds == {"BOOLEAN"}:
        return TypedField(field, "varchar", "true or false, which are text here")
    if "BOOLEAN" not in facts.kinds and (found := _instant(field, facts, example) or _number(field, facts, example)):
        return found
    if "DOUBLE" in facts.kinds:
        other = "text" if "VARCHAR" in facts.kinds else "other values"
        why = f"numbers with decimals in some records and {other} in others, such as {example}"
        return TypedField(field, "varchar", why, undeclarable=why)
    return TypedField(field, "varchar", f"text, such as {example}")


def _instant(field: Field, facts: _Facts, example: str) -> TypedField | None:
    named = bool(_INSTANT.search(field.column))
    # Digits alone are instants only if the name says so.
    if (facts.only_digits or facts.kinds != {"VARCHAR"}) and not named:
        return None
    numbers = "VARCHAR" not in facts.kinds or facts.only_digits
    for form in (*EPOCHS, "%Y%m%d", "%Y%m%d%H%M%S") if numbers else ("timestamptz", *_FORMATS):
        span = facts.fits.get(form)
        if span is None or (numbers and not _PLAUSIBLE[0] <= span[0] <= span[1] <= _PLAUSIBLE[1]):
            continue
        if (other := _AMBIGUOUS.get(form)) and other in facts.fits:
            return TypedField(
                field, "varchar", f"a date such as {example}, in which day and month cannot be distinguished"
            )
        shown = span[0].isoformat() if span[0] == span[1] else f"{span[0]} to {span[1]}"
        if form == "timestamptz":
            return TypedField(field, "timestamptz", f"instants such as {example}: {shown}", span=span)
        kind = "numbers since 1970" if form in EPOCHS else f"instants as {form}"
        return TypedField(field, "timestamptz", f"{kind}, such as {example}: {shown}", format=form, span=span)
    return None


def _number(field: Field, facts: _Facts, example: str) -> TypedField | None:
    is_text = "VARCHAR" in facts.kinds
    point, comma = "bigint" in facts.fits or "double" in facts.fits, "double,comma" in facts.fits
    if not (point or comma):
        return None
    if is_text and _NAME_LIKE.search(field.column):
        return TypedField(field, "varchar", f"digits that are a name and not an amount, such as {example}")
    if is_text and facts.is_exact_text:
        return TypedField(
            field, "varchar", f"digits that begin with zeros or a plus sign in some records, such as {example}"
        )
    kind = "text that is a number" if is_text else "a number"
    if "bigint" in facts.fits:
        return TypedField(field, "bigint", f"{'text that is ' if is_text else ''}a whole number, such as {example}")
    if not point and not is_text:
        return None
    if facts.is_large:
        return TypedField(field, "varchar", f"whole numbers beyond those of bigint, such as {example}")
    if facts.has_many_digits and (is_text or "DOUBLE" not in facts.kinds):
        return TypedField(field, "varchar", f"more digits than a double keeps, such as {example}")
    if point:
        return TypedField(field, "double", f"{kind}, such as {example}")
    name: DataType = "bigint" if "bigint,comma" in facts.fits else "double"
    return TypedField(field, name, f"a number with a decimal comma, such as {example}", decimal_comma=True)
