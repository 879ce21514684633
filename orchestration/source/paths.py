"""Paths to a value inside a JSON document: `data`, `meta.page.total`, `items[0].rows`, `[1]`, `data[-1].id`.

`$` is the whole document. A name that contains `.`, `[`, `]` or a quote is put in quotes: `"a[0]".b`, or `["a[0]"].b`.
A name with dots may be written without quotes, such as `@odata.nextLink`, if the document has no other value at that
path.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

BLANK = b" \t\r\n"

_BARE = re.compile(r"""[^.\[\]"']+""")
_QUOTED = re.compile(r""""((?:[^"\\]|\\.)*)"|'([^']*)'""")
_INDEX = re.compile(r"-?\d+")
_SHOWN = 80


@dataclass(frozen=True)
class Name:
    """A step into an object. Bare names may be parts of one name with dots."""

    text: str
    bare: bool


Step = Name | int


@cache
def parse_path(text: str) -> tuple[Step, ...]:
    """Return the steps of a path.

    Raises:
        ValueError: It is not a path; the message gives the position and what was expected.
    """
    steps: list[Step] = []
    at = 0
    if text == "$":
        return ()
    while at < len(text) or not steps:
        if text[at : at + 1] == "[":
            step, at = _bracketed(text, at + 1)
        else:
            if steps:
                at = _after(text, at, ".")
            step, at = _name(text, at)
        steps.append(step)
    return tuple(steps)


def _bracketed(text: str, at: int) -> tuple[Step, int]:
    if index := _INDEX.match(text, at):
        return int(index[0]), _after(text, index.end(), "]")
    if text[at : at + 1] in ('"', "'"):
        name, at = _name(text, at)
        return name, _after(text, at, "]")
    raise _expected(text, at, "an index or a quoted name")


def _name(text: str, at: int) -> tuple[Name, int]:
    if bare := _BARE.match(text, at):
        return Name(bare[0], bare=True), bare.end()
    if quoted := _QUOTED.match(text, at):
        double, single = quoted.groups()
        return Name(re.sub(r"\\(.)", r"\1", double) if single is None else single, bare=False), quoted.end()
    raise _expected(text, at, "a name")


def _after(text: str, at: int, sign: str) -> int:
    if text[at : at + 1] != sign:
        raise _expected(text, at, f"'{sign}'")
    return at + 1


def _expected(text: str, at: int, what: str) -> ValueError:
    found = repr(text[at : at + 20]) if at < len(text) else "the end"
    return ValueError(f"{text!r} is not a path: expected {what} at character {at + 1}, found {found}")


def value_at(document: bytes, path: str) -> bytes | None:
    """Return the JSON text at a path, without surrounding blanks; None if it or anything on the way is absent or null.

    Raises:
        ValueError: A value on the way is of another kind than the path needs; the message names it.
    """
    return _find(document.strip(BLANK), parse_path(path), 0, path)


def _find(text: bytes, steps: Sequence[Step], at: int, path: str) -> bytes | None:
    if at == len(steps):
        return text
    # Some languages write an empty object as an empty list.
    if text in (b"", b"null", b"[]", b"{}"):
        return None
    step = steps[at]
    if isinstance(step, int):
        listed: list[msgspec.Raw] = _decoded(text, list[msgspec.Raw], _written(steps[:at]), "a list")
        if not -len(listed) <= step < len(listed):
            return None
        return _find(bytes(listed[step]).strip(BLANK), steps, at + 1, path)
    fields: dict[str, msgspec.Raw] = _decoded(text, dict[str, msgspec.Raw], _written(steps[:at]), "an object")
    for length in _lengths(steps, at):
        name = ".".join(part.text for part in steps[at : at + length] if isinstance(part, Name))
        if name in fields:
            found = _find(bytes(fields[name]).strip(BLANK), steps, at + length, path)
            if found is not None:
                return found
    return None


def _lengths(steps: Sequence[Step], at: int) -> Sequence[int]:
    """Return how many steps may be one name: all bare ones first, then from one on."""
    run = 0
    while at + run < len(steps) and isinstance(step := steps[at + run], Name) and step.bare:
        run += 1
    return (run, *range(1, run)) if run else (1,)


def _decoded(text: bytes, kind: Any, where: str, wanted: str) -> Any:
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        shown = where or "the body"
        raise ValueError(f"{shown} is {text[:_SHOWN]!r}, not {wanted}") from None


def _written(steps: Sequence[Step]) -> str:
    parts = []
    for step in steps:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        else:
            name = step.text if step.bare else f'"{step.text}"'
            parts.append(f".{name}" if parts else name)
    return "".join(parts)


def names_of(path: str) -> tuple[str, ...]:
    """Return the names of a path that has no index.

    Raises:
        ValueError: It is not a path, or it has an index.
    """
    steps = parse_path(path)
    names = tuple(step.text for step in steps if isinstance(step, Name))
    if len(names) < len(steps):
        raise ValueError(f"{path!r} has an index, and only names are allowed")
    return names


def with_value(body: Any, path: str, value: Any) -> Any:
    """Return a copy of a JSON object with `value` at a path of names; objects on the way are created.

    Raises:
        ValueError: A value on the way is not an object.
    """
    return _put(body, names_of(path), value, path)


def _put(body: Any, names: Sequence[str], value: Any, path: str) -> Any:
    if body is not None and not isinstance(body, dict):
        raise ValueError(f"{path!r} leads into {str(body)[:_SHOWN]!r}, which is not an object")
    held = {} if body is None else dict(body)
    held[names[0]] = value if len(names) == 1 else _put(held.get(names[0]), names[1:], value, path)
    return held


def is_json(text: bytes, value: object) -> bool:
    """Return whether a JSON text has this value. A number never equals a flag."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return type(found) is type(value) and bool(found == value)
