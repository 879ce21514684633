"""What an envelope says about a failure, whatever its status."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from orchestration.errors import SourceRefused
from orchestration.source.config import Table
from orchestration.source.paths import BLANK
from orchestration.text import FOREIGN_LIMIT, quoted

Fields = Mapping[str, msgspec.Raw]
"""Fields of an object, still as JSON text."""

# Names of fields in lower case and without underscores.
_FALSE_MEANS_FAILURE = ("ok", "success", "succeeded", "successful", "isok", "issuccess", "issuccessful")
_TRUE_MEANS_FAILURE = (
    *("incompleteresults", "incomplete", "partial", "timedout"),
    *("failed", "iserror", "haserror", "haserrors"),
)
_STATUSES = ("status", "stat", "result")
_CODES = ("status", "statuscode", "code", "errorcode")
_FAILED = ("error", "fail", "failed", "failure")
_ERRORS = ("error", "errors")
_NO_ERROR = ("", "0", "false", "no", "no error", "none", "null", "ok", "success")
_WORDS = (*_ERRORS, "errordescription", "errormessage", "message", "msg", "detail", "reason", "code")
_REPORTING = ("meta", "status", "response")
"""Objects of an envelope whose fields may report a failure too."""


def text_of(fields: Fields, name: str) -> bytes:
    """Return a field's JSON text without surrounding blanks; empty if the field is absent."""
    return bytes(fields[name]).strip(BLANK) if name in fields else b""


def words_of(fields: Fields) -> list[str]:
    """Return what an envelope says about a failure."""
    return [
        f"{inside.get(word)[0]} {quoted(text.decode(errors='replace'), FOREIGN_LIMIT)}"
        for inside in _reporting(fields)
        for word in _WORDS
        if (text := inside.get(word)[1]) not in (b"", b"null")
    ]


def require_success(where: str, table: Table, fields: Fields, *, empty: bool) -> None:
    """Require that an envelope reports no failure.

    Raises:
        SourceRefused: It does; the message has its words.
    """
    signs = list(_failures(fields, empty=empty))
    if not signs:
        return
    words = words_of(fields)
    raise SourceRefused(
        f"{where} reports a failure by {' and '.join(signs)}" + (f": {', '.join(words)}" if words else ""),
        remedy=f"correct what the API reports and run again; "
        f"if that is not a failure, set failure_signs: false of {table.label} in the source's YAML",
    )


@dataclass(frozen=True)
class _Named:
    """Fields by their names in lower case and without underscores."""

    fields: Mapping[str, tuple[str, bytes]]

    def get(self, word: str) -> tuple[str, bytes]:
        """Return a field's own name and its JSON text, which is empty if the field is absent."""
        return self.fields.get(word, (word, b""))


def _reporting(fields: Fields) -> Iterator[_Named]:
    """Yield the fields that may report a failure: those of the envelope, and of objects in it."""
    own = {name.replace("_", "").lower(): (name, text_of(fields, name)) for name in reversed(list(fields))}
    yield _Named(own)
    for word in _REPORTING:
        _, text = own.get(word, ("", b""))
        if text.startswith(b"{"):
            inner = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
            yield _Named(
                {name.replace("_", "").lower(): (name, text_of(inner, name)) for name in reversed(list(inner))}
            )


def _failures(fields: Fields, *, empty: bool) -> Iterator[str]:
    """Yield the signs of a failure as `name: value`. A complete response has none of them."""
    for inside in _reporting(fields):
        yield from _failures_inside(inside, empty=empty)


def _failures_inside(inside: _Named, *, empty: bool) -> Iterator[str]:
    for means, words in (("false", _FALSE_MEANS_FAILURE), ("true", _TRUE_MEANS_FAILURE)):
        for name, text in map(inside.get, words):
            if _word(text) == means:
                yield f"{name}: {means}"
    # Next to records, a status may repeat a query parameter, such as "failed" payments.
    for name, text in map(inside.get, _STATUSES):
        if empty and _word(text) in _FAILED:
            yield f"{name}: {_word(text)}"
    for name, text in map(inside.get, _CODES):
        if empty and re.fullmatch(r"[45]\d\d", _word(text)):
            yield f"{name}: {_word(text)}"
    for name, text in map(inside.get, _ERRORS):
        if text[:1] in (b"{", b"["):
            failed = bool(text[1:-1].strip(BLANK))
        elif text[:1] == b'"':
            failed = _word(text) not in _NO_ERROR
        else:
            # A number may count events of that name. Without records it is an error code.
            failed = text == b"true" or (empty and bool(re.fullmatch(rb"-?0*[1-9]\d*", text)))
        if failed:
            yield name


def _word(text: bytes) -> str:
    """Return a JSON text or other value in lower case, without quotes."""
    return text.strip(b'"').decode(errors="replace").strip().lower()
