"""Columns of a source table as its YAML declares them: the type and name of each field, and the key of a row.

A column's `name` is the raw field, and its `data_type` is the type of the column. The rest is under `config.meta`:

    columns:
      - name: _id
        data_type: varchar           # varchar | bigint | double | timestamptz; default: varchar
        description: Names the order.
        config:
          meta:
            as: document_id          # the column's name; default: the field's name in snake_case
      - name: Rating
        data_type: double
        config: {meta: {nullable: true, optional: true}}
      - name: Magnitude
        data_type: double
        config: {meta: {field: properties.mag}}   # a path to a nested field; default: the field called `name`
      - name: Bezahlt am
        data_type: timestamptz
        config: {meta: {format: "%d.%m.%Y %H:%M", zone: Europe/Berlin, clock_change: later}}
      - name: Betrag
        data_type: double
        config: {meta: {decimal: comma}}          # 1.234,50

`nullable` allows a typed column to be null. `optional` allows the field to be in no record, and implies `nullable`.
`orchestration.source.formats` has what a `format` may be.
The models are generated from this: see `orchestration.models`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, get_args

import msgspec
from jinja2 import Environment, TemplateError
from msgspec import Meta as Says

from orchestration.source.formats import ClockChange, Decimal, problems
from orchestration.source.paths import Name, parse_path
from orchestration.source.places import Place

DataType = Literal["varchar", "bigint", "double", "timestamptz"]
TYPES: tuple[DataType, ...] = get_args(DataType)

_COLUMN = re.compile(r"[a-z][a-z0-9_]*")
_JINJA = re.compile(r"\{[{%#]|[#}%]\}")
_NAME_REMEDY = "set another name for the column under config.meta.as"


class InvalidColumns(ValueError):
    """The declaration of a table's columns is invalid. Callers raise a UsageError that names the file."""


class Column(msgspec.Struct, frozen=True):
    """One field of a table, and its column.

    Attributes:
        field: Its `name` in the YAML: the field's raw name, unless there is a path.
        name: The column's name.
        data_type: The column's type, named as in DuckDB.
        description: The text in the YAML, not yet rendered by dbt.
        nullable: Whether a typed column may be null.
        optional: Whether the field may be in no record.
        path: The path of a field that is declared by one, such as `properties.time`; else empty.
        format: The declared format of an instant; empty for the forms that every timestamptz may have.
        zone: The time zone of an instant without an offset; empty for UTC.
        clock_change: What becomes of a local time that the zone's clocks show twice or skip.
        decimal: The sign before a number's decimals.
        position: The position in a record that is a list, of a column without a path; else None.
        record_name: Whether it is no field, but the name that an object of records gives each of them.
    """

    field: str
    name: str
    data_type: DataType = "varchar"
    description: str = ""
    nullable: bool = False
    optional: bool = False
    path: str = ""
    format: str = ""
    zone: str = ""
    clock_change: ClockChange = "reject"
    decimal: Decimal = "point"
    record_name: bool = False
    position: int | None = None

    @property
    def place(self) -> Place:
        """Return the names and positions that lead to the value in a record."""
        if self.position is not None:
            return (self.position,)
        if not self.path:
            return (self.field,)
        return tuple(step.text if isinstance(step, Name) else step for step in parse_path(self.path))

    @property
    def label(self) -> str:
        """Return what messages and the accounting call the field."""
        return self.path or self.field


class _ColumnMeta(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"name": "as"}):
    """The fields that `config.meta` of a column may have."""

    name: Annotated[str | None, Says(description="The column's name; the field's name in snake_case unless given.")] = (
        None
    )
    field: Annotated[
        str | None,
        Says(
            description="The path of the field in a record, such as `properties.time`, `a[0].b` or, in a record that "
            "is a list, `[0]`; a name with dots is quoted. Without it, `name` is the field."
        ),
    ] = None
    nullable: Annotated[bool, Says(description="`true`: a typed column may be null.")] = False
    optional: Annotated[
        bool, Says(description="`true`: the field may be in no record of a date; implies `nullable`.")
    ] = False
    format: Annotated[
        str | None,
        Says(
            description='timestamptz: the only form of its texts, such as `"%d.%m.%Y %H:%M:%S"`, or a number: `epoch`, '
            "`epoch_ms`, `epoch_us` or `epoch_ns`."
        ),
    ] = None
    zone: Annotated[
        str | None, Says(description="timestamptz: the time zone of texts without an offset; UTC unless given.")
    ] = None
    clock_change: Annotated[
        ClockChange | None,
        Says(
            description="What becomes of a local time that the zone's clocks show twice or skip: `reject` unless "
            "given, or the `earlier` or `later` of the two instants that it may mean."
        ),
    ] = None
    decimal: Annotated[
        Decimal | None,
        Says(
            description="double, bigint: `comma` for `1.234,50`, with points between thousands; `point` unless given."
        ),
    ] = None
    record_name: Annotated[
        bool,
        Says(description="`true`: the column is the record's name in an object of records, `fetch.shape: values`."),
    ] = False


COLUMN_KEYS: tuple[str, ...] = _ColumnMeta.__struct_encode_fields__


def snake_case(name: str) -> str:
    """Return a raw field's name as a column's: `Station ID` and `stationId` are both `station_id`.

    Words are split at every character that is not an ASCII letter or digit, and between a lower-case letter or a
    digit and a capital letter. The result may be empty, or begin with a digit.
    """
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    spaced = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1 \2", spaced)
    return re.sub(r"[^A-Za-z0-9]+", "_", spaced).strip("_").lower()


def rendered(text: str) -> str:
    """Return a name as dbt reads it: dbt renders its YAML, so `{{ 'a {{ b' }}` is the field `a {{ b`.

    Raises:
        InvalidColumns: It is not valid Jinja.
    """
    if not _JINJA.search(text):
        return text
    try:
        return Environment(keep_trailing_newline=True).from_string(text).render()  # noqa: S701 (not HTML)
    except TemplateError as error:
        raise InvalidColumns(f"{text!r} is not valid Jinja: {error}") from None


def read_columns(described: Sequence[Mapping[str, Any]]) -> tuple[Column, ...]:
    """Read the `columns` of a source table, in their order.

    Raises:
        InvalidColumns: A value is not allowed, or two fields have the same column name.
    """
    columns = tuple(map(_column, described))
    by_name: dict[str, Column] = {}
    for column in columns:
        if column.field in (other.field for other in by_name.values()):
            raise InvalidColumns(f"field {column.field!r} is declared twice")
        if other := by_name.get(column.name):
            raise InvalidColumns(
                f"fields {other.field!r} and {column.field!r} both become the column name {column.name}: {_NAME_REMEDY}"
            )
        by_name[column.name] = column
    for problem in _place_problems(columns):
        raise InvalidColumns(problem)
    return columns


def _place_problems(columns: Sequence[Column]) -> Iterator[str]:
    places: dict[Place, Column] = {}
    fields = [column for column in columns if not column.record_name]
    if len(fields) < len(columns) - 1:
        yield "columns: a record has one name, and two columns are its record_name"
    for column in fields:
        if other := places.get(column.place):
            yield f"columns {other.field!r} and {column.field!r} are both the field {column.label!r}"
        places[column.place] = column
        first = column.place[0]
        if isinstance(first, int) and first < 0:
            yield f"column {column.field!r}: config.meta.field: a record's own list is counted from its beginning"


def _column(described: Mapping[str, Any]) -> Column:
    field = rendered(str(described.get("name", "")))
    where = f"column {field!r}"
    given = described.get("data_type") or "varchar"
    data_type = next((allowed for allowed in TYPES if allowed == given), None)
    if data_type is None:
        raise InvalidColumns(f"{where}: data_type: {given!r} is not one of {', '.join(TYPES)}")
    meta = _column_meta(where, (described.get("config") or {}).get("meta") or {})
    name = rendered(meta.name) if meta.name is not None else snake_case(field)
    if not _COLUMN.fullmatch(name):
        raise InvalidColumns(
            f"field {field!r} gives no column name: found {name!r}, expected a lower-case letter, then lower-case "
            f"letters, digits and underscores: {_NAME_REMEDY}"
        )
    if meta.record_name and (meta.field is not None or meta.optional):
        raise InvalidColumns(f"{where}: config.meta.record_name: excludes field and optional, since it is no field")
    for problem in problems(data_type, meta.format, meta.zone, meta.clock_change, meta.decimal):
        raise InvalidColumns(f"{where}: config.meta.{problem}")
    return Column(
        field,
        name,
        data_type,
        description=str(described.get("description") or "").strip(),
        nullable=meta.nullable or meta.optional,
        optional=meta.optional,
        path=_path(where, meta.field),
        format=meta.format or "",
        zone=meta.zone or "",
        clock_change=meta.clock_change or "reject",
        decimal=meta.decimal or "point",
        record_name=meta.record_name,
    )


def _path(where: str, declared: str | None) -> str:
    if declared is None:
        return ""
    path = rendered(declared)
    try:
        parse_path(path)
    except ValueError as error:
        raise InvalidColumns(f"{where}: config.meta.field: {error}") from None
    return path


def _column_meta(where: str, meta: Mapping[str, Any]) -> _ColumnMeta:
    require_known_keys(f"{where}: config.meta", meta, COLUMN_KEYS)
    try:
        return msgspec.convert(meta, _ColumnMeta)
    except msgspec.ValidationError as error:
        raise InvalidColumns(f"{where}: config.meta: {error}") from None


def require_known_keys(where: str, given: Mapping[str, Any], allowed: Sequence[str]) -> None:
    """Require that a mapping has no other keys than `allowed`.

    Raises:
        InvalidColumns: It has another key; the message names it and the allowed keys.
    """
    for word in given:
        if word not in allowed:
            raise InvalidColumns(f"{where}: {word!r} is not one of {', '.join(allowed)}")


def in_shape(columns: Sequence[Column], shape: str) -> tuple[Column, ...]:
    """Return the columns as the shape of a table's records has them: `fetch.shape`.

    In records that are lists, columns without a path are in the order of the values.

    Raises:
        InvalidColumns: The shape does not allow a column.
    """
    for column in columns:
        where = f"column {column.field!r}: config.meta"
        if column.record_name and shape != "values":
            raise InvalidColumns(f"{where}.record_name: applies to fetch.shape: values only")
        if column.path and isinstance(column.place[0], int) != (shape == "arrays"):
            needed = "begins with a position" if shape == "arrays" else "is a name, since a record is no list"
            raise InvalidColumns(f"{where}.field: {column.path!r}: with fetch.shape: {shape} a field {needed}")
    if shape != "arrays":
        return tuple(columns)
    if len({bool(column.path) for column in columns}) > 1:
        raise InvalidColumns("columns: with fetch.shape: arrays, either each column has a field, or none has")
    return tuple(
        column if column.path else msgspec.structs.replace(column, position=position)
        for position, column in enumerate(columns)
    )
