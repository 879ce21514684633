"""Read the JSON of a page as far as the fetch needs it: its records, and what it says beside them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import msgspec

from orchestration.errors import SourceBodyInvalid, SourceRefused
from orchestration.source.config import Table
from orchestration.source.failures import Fields, require_success, words_of
from orchestration.source.page import ENVELOPE_LIMIT, Download
from orchestration.source.paths import BLANK, is_json, value_at
from orchestration.source.schema import Shape
from orchestration.text import FOREIGN_LIMIT, examples, quoted


@dataclass(frozen=True)
class Body:
    """The JSON of a page.

    Attributes:
        where: What messages call the page.
        text: The whole JSON; empty if the fetch need not read it. NDJSON is a list of its lines.
        fields: envelope: the fields of the object, or of the first object in the list that the page is.
        records: The list of records as JSON text; empty without one.
        no_data: What the page has in place of records, if that is declared to mean none; else empty.
    """

    where: str
    text: bytes = b""
    fields: Fields = field(default_factory=dict)
    records: bytes = b""
    no_data: str = ""
    shape: Shape = "objects"

    @property
    def count(self) -> int:
        """Return the number of records of a page that is read.

        Raises:
            SourceBodyInvalid: The records are not what their shape says.
        """
        if is_empty_list(self.records):
            return 0
        try:
            if self.shape == "values":
                return len(msgspec.json.decode(self.records, type=dict[str, msgspec.Raw]))
            if self.shape == "columns":
                return self._count_columns()
            listed = len(msgspec.json.decode(self.records, type=list[msgspec.Raw]))
            return listed - 1 if self.shape == "table" else listed
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise SourceBodyInvalid(f"{self.where} is not JSON: {error}", remedy="correct the API") from error

    def _count_columns(self) -> int:
        members = msgspec.json.decode(self.records, type=dict[str, msgspec.Raw])
        lists = {name: text for name, raw in members.items() if (text := bytes(raw).strip(BLANK)).startswith(b"[")}
        lengths = {name: len(msgspec.json.decode(text, type=list[msgspec.Raw])) for name, text in lists.items()}
        if not lengths:
            shown = examples(map(quoted, members), len(members))
            raise SourceBodyInvalid(f"{self.where} has no list among its columns: {shown}", remedy="correct the API")
        if len(set(lengths.values())) > 1:
            shown = examples((f"{quoted(name)} {length:,}" for name, length in lengths.items()), len(lengths))
            raise SourceBodyInvalid(f"{self.where} has columns of different lengths: {shown}", remedy="correct the API")
        return next(iter(lengths.values()))

    def value(self, path: str, remedy: str) -> bytes | None:
        """Return the JSON text at a path; None if it is absent.

        Raises:
            SourceBodyInvalid: A value on the way is of another kind.
        """
        try:
            return value_at(self.text, path)
        except ValueError as error:
            raise SourceBodyInvalid(f"{self.where}: {error}, on the way to {path!r}", remedy=remedy) from None


def read_body(page: Download, table: Table) -> Body:
    """Return the JSON of a page after checking what an envelope says about itself.

    Raises:
        SourceBodyInvalid: The page is not JSON, or has no list of records.
        SourceRefused: The envelope reports that the request failed, or that records are missing.
    """
    where = f"{page.path.name} of {table.label}"
    if page.no_data or not table.fetch.reads_bodies:
        return Body(where)
    text = page.path.read_bytes().strip(BLANK)
    if table.fetch.form == "ndjson":
        text = b"[" + b",".join(filter(None, (line.strip(BLANK) for line in text.split(b"\n")))) + b"]"
    if table.fetch.form != "envelope":
        return Body(where, text, records=text, shape=table.fetch.shape)
    return _read_envelope(where, text, table)


def _read_envelope(where: str, text: bytes, table: Table) -> Body:
    fetch, path = table.fetch, table.fetch.records or ""
    try:
        fields = _fields_of(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SourceBodyInvalid(f"{where} is not JSON: {error}", remedy="correct the API") from error
    except RecursionError as error:
        raise SourceBodyInvalid(f"{where} is nested too deeply: {error}", remedy="correct the API") from error
    body = Body(where, text, fields)
    remedy = f"correct the API, or records of {table.label} in the source's YAML"
    _require_expected(body, table)
    found = body.value(path, remedy)
    if fetch.failure_signs:
        require_success(where, table, fields, empty=is_empty_list(found or b""))
    if found is not None and _has_shape(found, fetch.shape):
        return Body(where, text, fields, found, shape=fetch.shape)
    if no_data := _no_data(found, fetch.empty.records):
        return Body(where, text, fields, no_data=f"{path}: {no_data}")
    named = examples(map(quoted, sorted(fields)), len(fields)) or "nothing"
    instead = f"it is {found[:80]!r}" if found else f"only {named}"
    hint = "null" if found == b"null" else "absent" if found is None else ""
    raise SourceBodyInvalid(
        f"{where} has no {'object' if fetch.shape in ('values', 'columns') else 'list'} {path!r}, {instead}",
        remedy=f"{remedy}; if that means no data, set empty: {{records: [{hint}]}}" if hint else remedy,
    )


def _has_shape(found: bytes, shape: Shape) -> bool:
    """Return whether a value can be the records."""
    if shape in ("values", "columns"):
        # Some languages, such as PHP, write an empty object as an empty list.
        return found.startswith(b"{") or (found.startswith(b"[") and is_empty_list(found))
    return found.startswith(b"[")


def _fields_of(text: bytes) -> Fields:
    if text.startswith(b"{"):
        return msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    listed = msgspec.json.decode(text, type=list[msgspec.Raw])
    first = next((text for value in listed if (text := bytes(value).strip(BLANK)).startswith(b"{")), b"{}")
    return msgspec.json.decode(first, type=dict[str, msgspec.Raw])


def _no_data(found: bytes | None, declared: tuple[object, ...]) -> str:
    """Return what means no data, as it was sent; empty if it is not declared to."""
    if found is None:
        return "absent" if "absent" in declared else ""
    return (
        found.decode(errors="replace") if any(is_json(found, value) for value in declared if value != "absent") else ""
    )


def is_empty_list(text: bytes) -> bool:
    """Return whether a JSON text holds no record: an empty list or object, null or an empty text."""
    return text in (b"", b"null") or (text.startswith((b"[", b"{")) and not text[1:-1].strip(BLANK))


def count_records(page: Download, table: Table) -> int | None:
    """Return the number of records in a page; None if the page is too large to count here or is not JSON."""
    if page.no_data:
        return 0
    if table.fetch.form == "ndjson":
        return _count_lines(page)
    if page.bytes > ENVELOPE_LIMIT:
        return None
    text = page.path.read_bytes()
    if table.fetch.form == "envelope":
        text = value_at(text, table.fetch.records or "") or b""
    try:
        return Body("", records=text, shape=table.fetch.shape).count
    except SourceBodyInvalid:
        return None


def _count_lines(page: Download) -> int | None:
    count = 0
    with page.path.open("rb") as file:
        while line := file.readline(ENVELOPE_LIMIT + 1):
            if len(line) > ENVELOPE_LIMIT:
                return None
            count += bool(line.strip(BLANK))
    return count


def _require_expected(body: Body, table: Table) -> None:
    """Require that a page's fields have the values that `expect` declares."""
    for path, wanted in table.fetch.expect.items():
        found = body.value(path, f"correct the API, or expect of {table.label} in the source's YAML")
        if found is None or not is_json(found, wanted):
            shown = "absent" if found is None else quoted(found.decode(errors="replace"), FOREIGN_LIMIT)
            words = words_of(body.fields)
            raise SourceRefused(
                f"{body.where}: {path} is {shown}, and expect declares {json.dumps(wanted)}"
                + (f": {', '.join(words)}" if words else ""),
                remedy=f"correct what the API reports and run again, or expect of {table.label} in the source's YAML",
            )
