"""Draft the declaration of a table from one answer of its API, with the reason of each guess."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.declare.answer import LENIENT_TYPES, Answer
from orchestration.declare.fields import find_fields
from orchestration.declare.guess import Guess
from orchestration.declare.kept import Kept, find_kept
from orchestration.declare.paging import Paging, find_paging
from orchestration.declare.request import Asked
from orchestration.declare.shape import Records, find_records
from orchestration.declare.types import Sample, TypedField, find_types
from orchestration.errors import UsageError
from orchestration.models.quoting import jinja_text
from orchestration.source.columns import rendered, snake_case

_LARGE = 1_000_000


@dataclass(frozen=True)
class Wanted:
    """What a user says of a new table.

    Attributes:
        source: The source.
        table: The table.
        headers: Its request headers.
        auth: `fetch.auth`; empty for none.
        records: The path of the records, if it is known.
        key: The fields of the key, if they are known.
    """

    source: str
    table: str
    headers: Mapping[str, str]
    auth: Mapping[str, Any]
    records: str | None = None
    key: tuple[str, ...] = ()


@dataclass(frozen=True)
class Draft:
    """The declaration of a table, and how it was found.

    Attributes:
        wanted: What the user said.
        url: The address below which the API's paths are; empty if the settings have it.
        declared: The table, as the source's YAML declares it.
        date: The date of the sample.
        body: The sample.
        records: Its records.
        guesses: The guesses with their reasons, columns last.
        notes: What is left out, or has to be checked by hand.
    """

    wanted: Wanted
    url: str
    declared: Mapping[str, Any]
    date: str
    body: bytes
    records: int
    guesses: tuple[Guess, ...]
    notes: tuple[str, ...]


def draft_table(wanted: Wanted, asked: Asked, answer: Answer, date: str | None, folder: Path) -> Draft:
    """Return the declaration of a table.

    Args:
        wanted: What the user says of it.
        asked: The request, with placeholders for the day.
        answer: The answer to it.
        date: The date of the answer; None to take that of most records.
        folder: A folder for the answer.

    Raises:
        UsageError: The answer has no records that can be declared.
    """
    found = find_records(answer.body, wanted.table, wanted.records)
    page = folder / "sample.json"
    page.write_bytes(answer.body)
    sample = Sample([page], found)
    records = [json.loads(text) for text in sample.records]
    fields = find_fields(records, is_list=found.shape == "arrays", named=found.shape == "values")
    if not fields:
        raise UsageError(
            f"the {len(records):,} records of {answer.origin} have no fields",
            remedy="name the list of records by --records PATH, or ask for a day that has some",
        )
    typed = find_types(sample, fields)
    declarable = [one for one in typed if not one.undeclarable]
    names = (wanted.table, snake_case(found.path.rpartition(".")[2]))
    kept = find_kept(sample, typed, names, wanted.key, date, open_ended=asked.open_ended)
    document = json.loads(answer.body) if found.form != "ndjson" else {}
    paging = find_paging(
        document, found, answer.headers, asked.parameters, len(records), [one.field.label for one in kept.key]
    )
    columns = [_column(one, kept) for one in declarable]
    declared = {
        "name": wanted.table,
        "description": f"One record of {wanted.table}, as the API sends it.",
        "config": {"meta": {**_rules(kept), "fetch": _fetch(wanted, asked, answer, found, paging)}},
        "columns": columns,
    }
    guesses = (*found.guesses, *asked.guesses, *kept.guesses, *paging.guesses, *map(_column_guess, declarable))
    return Draft(
        wanted,
        asked.url,
        _in_yaml(declared),
        kept.date,
        answer.body,
        len(records),
        guesses,
        tuple(_notes(typed, answer, asked)),
    )


def _rules(kept: Kept) -> dict[str, Any]:
    named = {"earliest": kept.earliest, "latest": kept.latest, "keep_date": kept.keep_date}
    return {
        "key": [_name(one) for one in kept.key] if kept.key else "none",
        **({} if kept.key else {"identical": "keep"}),
        **{rule: _name(one) for rule, one in named.items() if one},
        **({"other_dates_limit": 1} if kept.all_dates else {}),
    }


def _fetch(wanted: Wanted, asked: Asked, answer: Answer, found: Records, paging: Paging) -> dict[str, Any]:
    parameters = {name: _number(value) for name, value in asked.parameters.items() if name not in paging.without}
    kind = answer.headers.get("content-type", "application/json").split(";")[0].strip().lower()
    day: dict[str, Any] = {"end": asked.end} if asked.end == "inclusive" else {}
    if asked.is_snapshot:
        day = {"snapshot_age": 1}
    named = {
        "path": asked.path,
        "parameters": parameters,
        "headers": dict(wanted.headers),
        "auth": dict(wanted.auth),
        "day": day,
        "content_types": [kind] if kind in LENIENT_TYPES and kind else [],
        "form": found.form,
        "records": found.path,
        "shape": found.shape if found.shape != "objects" else "",
        "expect": dict(paging.expect),
        "total": paging.total,
        "paging": dict(paging.declared),
    }
    return {name: value for name, value in named.items() if value}


def _number(value: str) -> str | int:
    return int(value) if value.isdigit() and str(int(value)) == value and len(value) < 10 else value


def _name(one: TypedField) -> str:
    """Return what `columns` calls a field: itself at the top, else its column."""
    if one.field.path or one.field.record_name:
        return one.column
    return str(one.field.place[0])


def _column(one: TypedField, kept: Kept) -> dict[str, Any]:
    field, name = one.field, _name(one)
    optional = field.absent > 0 and one not in kept.key
    meta = {
        "as": one.column if not field.path and not field.record_name and snake_case(name) != one.column else "",
        "field": field.path,
        "record_name": field.record_name,
        "nullable": one.data_type != "varchar" and one.nullable and not optional,
        "optional": optional,
        "format": one.format if one.data_type == "timestamptz" and one.format else "",
        "decimal": "comma" if one.decimal_comma else "",
    }
    declared = {key: value for key, value in meta.items() if value}
    what = "The name of the record." if field.record_name else f"`{field.label}`, as the API sends it."
    return {
        "name": name,
        "data_type": one.data_type,
        "description": what,
        **({"config": {"meta": declared}} if declared else {}),
    }


def _column_guess(one: TypedField) -> Guess:
    notes = [one.why]
    if one.field.absent:
        notes.append(f"absent in {one.field.absent:,} records, so optional")
    elif one.nullable:
        notes.append("null in some records")
    shown = one.data_type + (f", {one.format}" if one.format else "")
    return Guess(one.field.label, f"{one.column} {shown}", "; ".join(notes))


def _notes(fields: Sequence[TypedField], answer: Answer, asked: Asked) -> list[str]:
    notes = [f"{one.field.label} is left out: {one.undeclarable}" for one in fields if one.undeclarable]
    notes += [f"{one.field.label} is JSON text: {one.field.text_because}" for one in fields if one.field.text_because]
    if asked.is_snapshot:
        notes.append("no day is asked for, so each night stores what is current; snapshot_age: 1 allows yesterday")
    if len(answer.body) > _LARGE:
        notes.append(f"the sample has {len(answer.body):,} bytes; a smaller page keeps the repository small")
    notes.append("one answer does not show may_be_empty, reject_limit and others: see docs/sources.md of ingest-clean")
    return notes


def _in_yaml(value: Any) -> Any:
    """Return a declared value whose texts dbt reads as they are: what looks like Jinja becomes a string of Jinja."""
    if isinstance(value, str):
        return value if _is_plain(value) else "{{ " + jinja_text(value) + " }}"
    if isinstance(value, Mapping):
        return {_in_yaml(name): _in_yaml(inner) for name, inner in value.items()}
    return [_in_yaml(inner) for inner in value] if isinstance(value, list) else value


def _is_plain(text: str) -> bool:
    try:
        return rendered(text) == text
    except ValueError:
        return False
