"""Read envelopes: pages that are an object with a list of records and further fields."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from orchestration.errors import SourceBodyInvalid, SourceRefused
from orchestration.source.config import Table
from orchestration.source.page import BLANK, ENVELOPE_LIMIT, Download
from orchestration.text import FOREIGN_LIMIT, examples, quoted

Fields = Mapping[str, msgspec.Raw]
"""Fields of an object, still as JSON text."""

_FALSE_MEANS_FAILURE = ("ok", "success", "succeeded", "successful")
_TRUE_MEANS_FAILURE = ("incomplete_results", "incomplete", "partial", "timed_out")
_STATUSES = ("status", "stat")
_FAILED = ("error", "fail", "failed", "failure")
_ERRORS = ("error", "errors")
_NO_ERROR = ("", "0", "false", "no", "no error", "none", "null", "ok", "success")
_WORDS = (*_ERRORS, "error_description", "error_message", "errorMessage", "message", "msg", "detail", "reason", "code")


def envelope_fields(page: Download, table: Table) -> Fields:
    """Return the top-level fields of an envelope page after checking them.

    The envelope must report no failure, and its records must be a list.

    Raises:
        SourceBodyInvalid: The page is not JSON, or has no such list.
        SourceRefused: The envelope reports that the request failed, or that records are missing.
    """
    records = table.fetch.records or ""
    where = f"{page.path.name} of {table.label}"
    try:
        fields = msgspec.json.decode(page.path.read_bytes(), type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SourceBodyInvalid(f"{where} is not JSON: {error}", remedy="correct the API") from error
    except RecursionError as error:
        raise SourceBodyInvalid(f"{where} is nested too deeply: {error}", remedy="correct the API") from error
    found = text_of(fields, records)
    if table.fetch.failure_signs:
        _require_success(where, table, fields, empty=is_empty_list(found))
    if not found.startswith(b"["):
        named = examples(map(quoted, sorted(fields)), len(fields)) or "nothing"
        instead = f"it is {found[:80]!r}" if found else f"only {named}"
        raise SourceBodyInvalid(
            f"{where} has no list {records!r}, {instead}",
            remedy=f"correct the API, or records of {table.label} in the source's YAML",
        )
    return fields


def text_of(fields: Fields, name: str) -> bytes:
    """Return a field's JSON text without surrounding blanks; empty if the field is absent."""
    return bytes(fields[name]).strip(BLANK) if name in fields else b""


def is_empty_list(text: bytes) -> bool:
    """Return whether a JSON text holds no record: an empty list, null or an empty text."""
    return text in (b"", b"null") or (text.startswith(b"[") and not text[1:-1].strip(BLANK))


def value_at(fields: Fields, path: str) -> msgspec.Raw | None:
    """Return the value at a path; None if the field or an object on the way to it is absent.

    A field name may contain a dot. The whole path is looked up first, then it is split at each dot in turn.

    Raises:
        ValueError: A value on the way is not an object; the message names it.
    """
    if path in fields:
        return fields[path]
    for dot in (at for at, sign in enumerate(path) if sign == "."):
        # Some languages write an empty object as an empty list.
        if (text := text_of(fields, path[:dot])) in (b"", b"null", b"[]"):
            continue
        try:
            inner = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ValueError(f"{path[:dot]} is {text[:80]!r}, not an object") from None
        if (found := value_at(inner, path[dot + 1 :])) is not None:
            return found
    return None


def count_records(page: Download, table: Table) -> int | None:
    """Return the number of records in a page; None if the page is too large to count here or is not JSON."""
    if table.fetch.form == "ndjson":
        return _count_lines(page)
    if table.fetch.form == "envelope":
        text = text_of(envelope_fields(page, table), table.fetch.records or "")
    elif page.bytes <= ENVELOPE_LIMIT:
        text = page.path.read_bytes()
    else:
        return None
    try:
        return len(msgspec.json.decode(text, type=list[msgspec.Raw]))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _count_lines(page: Download) -> int | None:
    count = 0
    with page.path.open("rb") as file:
        while line := file.readline(ENVELOPE_LIMIT + 1):
            if len(line) > ENVELOPE_LIMIT:
                return None
            count += bool(line.strip(BLANK))
    return count


def _require_success(where: str, table: Table, fields: Fields, *, empty: bool) -> None:
    signs = list(_failures(fields, empty=empty))
    if not signs:
        return
    words = [
        f"{name} {quoted(text.decode(errors='replace'), FOREIGN_LIMIT)}"
        for name in _WORDS
        if (text := text_of(fields, name)) not in (b"", b"null")
    ]
    raise SourceRefused(
        f"{where} reports a failure by {' and '.join(signs)}" + (f": {', '.join(words)}" if words else ""),
        remedy=f"correct what the API reports and run again; "
        f"if that is not a failure, set failure_signs: false of {table.label} in the source's YAML",
    )


def _failures(fields: Fields, *, empty: bool) -> Iterator[str]:
    """Yield the signs of a failure as `name: value`. A complete response has none of them."""
    for name in _FALSE_MEANS_FAILURE:
        if text_of(fields, name) == b"false":
            yield f"{name}: false"
    for name in _TRUE_MEANS_FAILURE:
        if text_of(fields, name) == b"true":
            yield f"{name}: true"
    for name in _STATUSES:
        # Next to records, a status may repeat a query parameter, such as "failed" payments.
        if empty and (status := _word(fields, name)) in _FAILED:
            yield f"{name}: {status}"
    for name in _ERRORS:
        text = text_of(fields, name)
        if text[:1] in (b"{", b"["):
            failed = bool(text[1:-1].strip(BLANK))
        elif text[:1] == b'"':
            failed = _word(fields, name) not in _NO_ERROR
        else:
            # A number may count events of that name. Without records it is an error code.
            failed = text == b"true" or (empty and bool(re.fullmatch(rb"-?0*[1-9]\d*", text)))
        if failed:
            yield name


def _word(fields: Fields, name: str) -> str:
    return text_of(fields, name).strip(b'"').decode(errors="replace").strip().lower()
