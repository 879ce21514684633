"""Find the records of an answer: its form, the path of the records, and their shape."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.declare.guess import Guess
from orchestration.errors import UsageError
from orchestration.source.paths import value_at
from orchestration.source.schema import Form, Shape
from orchestration.text import quoted

_USUAL = ("data", "results", "items", "records", "rows", "values", "entries", "features", "hits", "value", "list")
_DEPTH = 4
_SIMILAR = 0.5
"""The share of the fields of all values that each value of an object of records has on average."""


@dataclass(frozen=True)
class Records:
    """Where the records are.

    Attributes:
        form: The form of the answer.
        path: The path of the records in an envelope; else empty.
        shape: What is there.
        guesses: How this was found.
    """

    form: Form
    path: str
    shape: Shape
    guesses: tuple[Guess, ...]


@dataclass(frozen=True)
class _Found:
    path: str
    depth: int
    shape: Shape
    count: int
    name: str


def find_records(body: bytes, table: str, path: str | None = None) -> Records:
    """Return where the records of an answer are. `path` is known already, or searched for.

    Raises:
        UsageError: The answer is not JSON, or has no records at the path or anywhere.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        if path is None and _is_ndjson(body):
            return Records("ndjson", "", "objects", (Guess("form", "ndjson", "each line is a JSON object"),))
        raise UsageError(
            f"the answer is neither JSON nor NDJSON: {error}; it begins {quoted(body[:80].decode(errors='replace'))}",
            remedy="give the address of a JSON API, or a saved answer of one by --sample",
        ) from None
    if path is not None:
        return _declared(body, document, path)
    if isinstance(document, list) and (shape := _list_shape(document)):
        why = f"the answer is a list of {len(document):,} {'objects' if shape == 'objects' else 'lists'}"
        guesses = [Guess("form", "array", why)]
        if shape == "arrays":
            guesses.append(Guess("shape", "arrays", "each record is a list, whose columns are in its order"))
        return Records("array", "", shape, tuple(guesses))
    found = sorted(_candidates(document, "", 0, table), key=lambda one: _rank(one, table))
    if not found:
        kind = "an object" if isinstance(document, dict) else "a list" if isinstance(document, list) else "a value"
        raise UsageError(
            f"the answer is {kind} without a list of records: it begins {quoted(body[:80].decode(errors='replace'))}",
            remedy="name the records by --records PATH, or ask for a day that has some",
        )
    best = found[0]
    why = f"{_called(best.path)} has {best.count:,} {_KINDS[best.shape]}"
    others = [one.path for one in found[1:3] if one.path != best.path]
    guesses = [
        Guess("form", "envelope", "the records are inside of the answer"),
        Guess("records", best.path, why + (f"; also considered: {', '.join(others)}" if others else "")),
    ]
    if best.shape != "objects":
        guesses.append(Guess("shape", best.shape, why))
    return Records("envelope", best.path, best.shape, tuple(guesses))


_KINDS = {
    "objects": "objects in a list",
    "arrays": "lists in a list",
    "values": "objects with similar fields, each under a name",
    "columns": "values in each of its lists, one list for each field",
}


def _called(path: str) -> str:
    return "the answer itself" if path == "$" else path


def _is_ndjson(body: bytes) -> bool:
    lines = [line for line in body.split(b"\n") if line.strip()]
    try:
        return len(lines) > 1 and all(isinstance(json.loads(line), dict) for line in lines[:100])
    except (ValueError, RecursionError):
        return False


def _declared(body: bytes, document: Any, path: str) -> Records:
    try:
        text = value_at(body, path)
    except ValueError as error:
        raise UsageError(f"--records {path}: {error}", remedy="name a path such as data.items or [1]") from None
    if text is None:
        names = ", ".join(document) if isinstance(document, dict) else "no names"
        raise UsageError(f"--records {path}: the answer has no such value; at the top it has {names}")
    value = json.loads(text)
    shape = _list_shape(value) if isinstance(value, list) else _object_shape(value)
    if shape is None:
        raise UsageError(
            f"--records {path}: {quoted(text[:80].decode(errors='replace'))} holds no records",
            remedy="name a list of objects or of lists, an object of objects, or an object of lists",
        )
    if path == "$" and isinstance(document, list):
        return Records("array", "", shape, (Guess("form", "array", "--records"),))
    guesses = (Guess("records", path, "--records"), Guess("shape", shape, _KINDS[shape]))
    return Records("envelope", path, shape, guesses)


def _rank(found: _Found, table: str) -> tuple[object, ...]:
    """Return a sort key: lists of objects first, then those with a usual name, the longest, and the least deep ones."""
    order: Sequence[Shape] = ("objects", "columns", "arrays", "values")
    usual = found.name.lower() not in (*_USUAL, table.lower(), table.lower().rstrip("s"))
    return order.index(found.shape), found.count < 2, usual, -found.count, found.depth


def _candidates(value: Any, path: str, depth: int, table: str) -> Iterator[_Found]:
    name = path.rsplit(".", 1)[-1].split("[")[0]
    if isinstance(value, list):
        if depth and (shape := _list_shape(value)):
            yield _Found(path, depth, shape, len(value), name)
        # The list may be beside others, as in `[{"page": 1}, [...]]`, or inside the only element of another one.
        if depth < _DEPTH and (not _list_shape(value) or len(value) == 1):
            for place, inner in enumerate(value[:5]):
                yield from _candidates(inner, f"{path}[{place}]", depth + 1, table)
        return
    if not isinstance(value, dict):
        return
    if shape := _object_shape(value):
        count = len(value) if shape == "values" else max(len(inner) for inner in value.values() if _is_column(inner))
        yield _Found(path or "$", depth, shape, count, name)
    if depth < _DEPTH and shape != "columns":
        for key, inner in value.items():
            yield from _candidates(inner, joined(path, key), depth + 1, table)


def _list_shape(value: list[Any]) -> Shape | None:
    # A record of another kind is rejected later.
    if sum(isinstance(one, dict) for one in value) * 2 > len(value) and not any(isinstance(one, list) for one in value):
        return "objects"
    is_table = len(value) > 1 and all(isinstance(one, list) and one for one in value)
    return "arrays" if is_table and len({len(one) for one in value}) == 1 else None


def _is_column(value: Any) -> bool:
    return isinstance(value, list) and not any(isinstance(one, dict | list) for one in value)


def _object_shape(value: Any) -> Shape | None:
    if not isinstance(value, dict) or len(value) < 2:
        return None
    lists = [inner for inner in value.values() if isinstance(inner, list)]
    if len(lists) > 1 and all(map(_is_column, lists)) and len({len(one) for one in lists}) == 1 and lists[0]:
        has_objects = any(isinstance(inner, dict) for inner in value.values())
        return None if has_objects else "columns"
    records = [inner for inner in value.values() if isinstance(inner, dict) and inner]
    if len(records) < len(value) or len(records) < 2:
        return None
    names = {name for record in records for name in record}
    similar = sum(len(record) for record in records) / (len(names) * len(records))
    return "values" if similar > _SIMILAR else None


def joined(path: str, name: str) -> str:
    """Return the path of a field below a path. A name with other characters than a plain word has is quoted."""
    if not name or any(sign in name for sign in ".[]\"'"):
        name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{path}.{name}" if path and path != "$" else name
