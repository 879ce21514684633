"""Which rows of a table are kept: its key, the row that wins between rows of one key, and the rows of the date."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta as Says

from orchestration.source.columns import Column, rendered

Identical = Literal["keep", "collapse"]
_DECIDING = {"earliest": ("timestamptz",), "latest": ("timestamptz", "bigint"), "keep_date": ("timestamptz",)}
"""The types of the columns that may decide which rows are kept."""


class RowRules(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a source table's `config.meta` that decides which rows are kept. Fields are named as in `columns`."""

    key: Annotated[
        tuple[str, ...] | Literal["none"],
        Says(
            description="The fields that name a record, as `columns` declares them; `none` for records without a name."
        ),
    ]
    identical: Annotated[
        Identical | None,
        Says(description="For `key: none`: whether rows that are equal in every column are all kept, or `collapse`."),
    ] = None
    earliest: Annotated[
        str | None,
        Says(
            description="The timestamptz field whose earliest value wins between rows of one key; "
            "without it the columns decide in their order."
        ),
    ] = None
    latest: Annotated[
        str | None,
        Says(
            description="The timestamptz or bigint field whose latest value wins between rows of one key, in place of "
            "`earliest`: for an API that sends a record again when it changed."
        ),
    ] = None
    keep_date: Annotated[
        str | None,
        Says(
            description="The timestamptz field whose day has to be the date, in the zone of `fetch.day`; other rows "
            "are counted and not published: for an API that answers with everything since a date."
        ),
    ] = None


class KeptRows(msgspec.Struct, frozen=True):
    """The same with columns instead of the names of fields; `key` is empty for a table without one."""

    key: tuple[Column, ...] = ()
    identical: Identical | None = None
    earliest: Column | None = None
    latest: Column | None = None
    keep_date: Column | None = None


def kept_rows(rules: RowRules, columns: Mapping[str, Column]) -> KeptRows:
    """Return the rules with their columns, given by field, after `problems` found none."""

    def column(field: str | None) -> Column | None:
        return None if field is None else columns[rendered(field)]

    return KeptRows(
        key=tuple(columns[rendered(field)] for field in rules.key) if rules.key != "none" else (),
        identical=rules.identical,
        earliest=column(rules.earliest),
        latest=column(rules.latest),
        keep_date=column(rules.keep_date),
    )


def problems(rules: RowRules, columns: Mapping[str, Column]) -> Iterator[str]:
    """Yield one line for each problem, as `field: reason and what is allowed`; `columns` are given by field.

    Raises:
        InvalidColumns: A name is not valid Jinja.
    """
    if rules.key == "none":
        yield from _problems_without_key(rules)
    else:
        yield from _key_problems(tuple(map(rendered, rules.key)), columns)
        if rules.identical is not None:
            yield "identical: applies to key: none only; of rows with one key, one is kept"
    if rules.earliest is not None and rules.latest is not None:
        yield "latest: conflicts with earliest; remove one of them"
    for name, types in _DECIDING.items():
        declared = getattr(rules, name)
        if declared is None:
            continue
        field = rendered(declared)
        if field not in columns:
            yield f"{name}: {field!r} is not among the fields under columns: {list(columns)}"
        elif (given := columns[field].data_type) not in types:
            yield f"{name}: {field!r} is {given}, and only {' or '.join(types)} can be {_ROLES[name]}"
        elif name == "keep_date" and columns[field].nullable:
            yield f"keep_date: {field!r} is nullable or optional, and a row without an instant is of no date"


_ROLES = {"earliest": "the earliest", "latest": "the latest", "keep_date": "of a date"}


def _problems_without_key(rules: RowRules) -> Iterator[str]:
    if rules.identical is None:
        yield "identical: missing: key none needs keep or collapse, for rows that are equal in every column"
    for name in ("earliest", "latest"):
        if getattr(rules, name) is not None:
            yield f"{name}: has no effect with key none, since no two rows have the same key"


def _key_problems(key: Sequence[str], columns: Mapping[str, Column]) -> Iterator[str]:
    if not key:
        yield "key: names no field"
    for field in key:
        if field not in columns:
            yield f"key: {field!r} is not among the fields under columns: {list(columns)}"
        elif key.count(field) > 1:
            yield f"key: {field!r} is named twice"
        elif columns[field].nullable:
            yield f"key: {field!r} is nullable or optional, and a key is never null"
        elif columns[field].format == "epoch_ns":
            yield f"key: {field!r} has nanoseconds, of which a timestamptz keeps none: declare it as bigint"
