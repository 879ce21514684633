"""Guess which rows are kept: the key, the instant that decides between rows of one key, and the rows of the date."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from orchestration.declare.guess import Guess
from orchestration.declare.types import Sample, TypedField
from orchestration.errors import UsageError

_CHANGED = re.compile(r"(^|_)(updated|modified|changed|last|edited)(_|$)")
_CREATED = re.compile(r"(^|_)(created|timestamp|time|date|published|occurred|at|happened|ts)(_|$)")
_DATES_APART = 0.5
"""The default of `other_dates_limit`."""
_PAIRED = 12
"""The most fields of which pairs are tried as a key."""


@dataclass(frozen=True)
class Kept:
    """Which rows are kept.

    Attributes:
        key: The fields that name a record; empty without any.
        earliest: The field whose earliest value wins; None without one.
        latest: The field whose latest value wins; None without one.
        keep_date: The field whose day has to be the date; None without one.
        all_dates: Whether rows of any date are right.
        date: The date of the sample.
        guesses: How this was found.
    """

    key: tuple[TypedField, ...]
    earliest: TypedField | None
    latest: TypedField | None
    keep_date: TypedField | None
    all_dates: bool
    date: str
    guesses: tuple[Guess, ...]


def find_kept(
    sample: Sample,
    fields: Sequence[TypedField],
    names: Sequence[str],
    key: Sequence[str],
    date: str | None,
    *,
    open_ended: bool,
) -> Kept:
    """Return which rows to keep.

    Args:
        sample: The records.
        fields: Their fields.
        names: What the records are called: by the table, and by the list that they are in.
        key: The fields or columns of the key, if it is known.
        date: The date of the sample; None to take that of most records.
        open_ended: The API answers with everything since a day.

    Raises:
        UsageError: A field of the key does not exist, or is null in a record.
    """
    keys = _given_key(fields, key) if key else find_key(sample, fields, names)
    instant = _instant(sample, fields, date)
    guesses = [_key_guess(sample, fields, keys, given=bool(key))]
    if instant is None:
        return Kept(keys, None, None, None, False, date or "", tuple(guesses))
    field, day, apart = instant
    shown = (
        f"{apart:.0%} of its instants are more than a day from {day}" if apart else f"all are of {day} or a day apart"
    )
    if date is None:
        guesses.append(Guess("date", day, f"the day of most records by {field.field.label}"))
    keep = field if open_ended else None
    if keep:
        why = "the request names a day to begin with and none to end with; rows of other days are counted and left out"
        guesses.append(Guess("keep_date", keep.field.label, why))
    if not keys:
        return Kept(keys, None, None, keep, False, day, tuple(guesses))
    changed = bool(_CHANGED.search(field.column))
    name = "latest" if changed else "earliest"
    guesses.append(Guess(name, field.field.label, f"it decides between rows of one key; {shown}"))
    all_dates = apart > _DATES_APART and not keep
    if all_dates:
        guesses.append(Guess("other_dates_limit", "1", f"{shown}, so that rows of other dates seem right"))
    return Kept(keys, None if changed else field, field if changed else None, keep, all_dates, day, tuple(guesses))


def find_key(sample: Sample, fields: Sequence[TypedField], names: Sequence[str]) -> tuple[TypedField, ...]:
    """Return the field, or the pair of fields, that names a record best; empty if none is unique and never null."""
    (distinct,) = sample.rows("select count(distinct _record) from records")[0]
    whole = [
        one
        for one in fields
        if not one.blank
        and not one.undeclarable
        and not one.field.text_because
        and one.data_type in ("varchar", "bigint")
        and "true or false" not in one.why
    ]
    named = [one for one in fields if one.data_type == "timestamptz" and not one.blank and one.format != "epoch_ns"]
    single = [one for one in (*whole, *named) if one.distinct >= distinct and _names_alone(one, names)]
    if single:
        return (min(single, key=lambda one: _rank(one, names)),)
    likely = [one for one in (*whole, *named) if one.distinct > 1 and _rank(one, names) < _UNLIKELY]
    parts = sorted(likely, key=lambda one: _rank(one, names))[:_PAIRED]
    for pair in combinations(parts, 2):
        if _distinct_pairs(sample, fields, pair) >= distinct:
            return pair
    return ()


_UNLIKELY = 40
_TIMES = ("time", "timestamp", "ts", "date", "day", "hour")


def _names_alone(one: TypedField, names: Sequence[str]) -> bool:
    # Instants are often unique by chance. Only one that is called a time, as in a time series, names a record.
    return one.column in _TIMES if one.data_type == "timestamptz" else _rank(one, names) < _UNLIKELY


def _rank(one: TypedField, names: Sequence[str]) -> int:
    """Return how unlikely a field names its record: by its name first, then by its depth."""
    name, called = one.column, {form for name in names for form in (name, name.removesuffix("s"))}
    if one.field.record_name:
        likely = 5
    elif name in ("id", "uuid", "guid") or name in {f"{form}_id" for form in called}:
        likely = 0
    elif name in called and len(one.field.place) == 1:
        likely = 5
    elif re.search(r"(^|_)(id|uuid|guid|sid|key)$", name):
        likely = 10
    elif re.search(r"(^|_)(no|name|sha|slug|symbol|iso|ref)$|(code|number|id|sku)$", name):
        likely = 20
    elif one.data_type == "timestamptz":
        likely = 25
    else:
        likely = _UNLIKELY
    return likely + min(len(one.field.place), 9)


def _distinct_pairs(sample: Sample, fields: Sequence[TypedField], pair: Sequence[TypedField]) -> int:
    first, second = (list(fields).index(one) for one in pair)
    (count,) = sample.rows(
        "select count(distinct (a.text, b.text)) from texts as a join texts as b using (_row) "
        "where a.field = ? and b.field = ?",
        [first, second],
    )[0]
    return int(count)


def _given_key(fields: Sequence[TypedField], key: Sequence[str]) -> tuple[TypedField, ...]:
    found = []
    for name in key:
        field = next((one for one in fields if name in (one.field.label, one.column)), None)
        if field is None:
            listed = ", ".join(one.field.label for one in fields)
            raise UsageError(f"--key {name}: the records have no such field; they have {listed}")
        if field.undeclarable:
            raise UsageError(f"--key {name}: no column can hold it: {field.undeclarable}")
        if field.blank:
            raise UsageError(
                f"--key {name}: it is absent, null or blank in {field.blank:,} records, and a key never is",
                remedy="name other fields, or leave --key out",
            )
        found.append(field)
    return tuple(found)


def _key_guess(sample: Sample, fields: Sequence[TypedField], key: Sequence[TypedField], *, given: bool) -> Guess:
    (total,) = sample.rows("select count(*) from records")[0]
    if not key:
        return Guess(
            "key", "none", "no field, and no pair of fields, is unique and never null; identical rows are kept"
        )
    shown = ", ".join(one.field.label for one in key)
    if given:
        return Guess("key", shown, "--key")
    return Guess("key", shown, f"unique and never null in {total:,} records")


def _instant(sample: Sample, fields: Sequence[TypedField], date: str | None) -> tuple[TypedField, str, float] | None:
    """Return the instant that says best which day a record is of, that day, and the share of instants apart from it."""
    found = []
    for number, one in enumerate(fields):
        if one.data_type != "timestamptz" or one.blank or len(one.field.place) > _DEEP:
            continue
        typed = sample.typed(one.as_column("text"))
        (mode,) = sample.rows(f"select mode(({typed})::date)::varchar from texts where field = ?", [number])[0]  # noqa: S608
        day = date or mode
        (apart,) = sample.rows(
            f"select avg((abs(({typed})::date - ?::date) > 1)::int) from texts where field = ?",  # noqa: S608
            [day, number],
        )[0]
        usual = 0 if _CHANGED.search(one.column) else 1 if _CREATED.search(one.column) else 2
        found.append(((apart > _DATES_APART, usual, len(one.field.place), number), one, day, float(apart)))
    if not found:
        return None
    _, field, day, apart = min(found, key=lambda candidate: candidate[0])
    return field, day, apart


_DEEP = 3
