"""What is at `fetch.records` of an envelope: a list of records, an object of records, or a list for each field."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from orchestration.source.paths import BLANK, Name, Step, parse_path

Shape = Literal["list", "values", "columns"]
Place = tuple[str | int, ...]
"""Names and positions that lead to a value."""


def places_of(path: str) -> tuple[Place, ...]:
    """Return the places that a path in a body may mean, the first choice first; an empty path is the whole body.

    Bare names in a row may be one name with dots: `a.b` is the name `a.b`, or else `b` in `a`. It is the order in which
    `orchestration.source.paths` looks.
    """
    return tuple(_places(parse_path(path))) if path else ((),)


def _places(steps: Sequence[Step]) -> Iterator[Place]:
    if not steps:
        yield ()
        return
    if isinstance(steps[0], int):
        yield from ((steps[0], *rest) for rest in _places(steps[1:]))
        return
    run = 0
    while run < len(steps) and isinstance(step := steps[run], Name) and step.bare:
        run += 1
    for length in (run, *range(1, run)) if run else (1,):
        name = ".".join(step.text for step in steps[:length] if isinstance(step, Name))
        yield from ((name, *rest) for rest in _places(steps[length:]))


def holds_records(shape: Shape, text: bytes) -> bool:
    """Return whether a JSON text without surrounding blanks is of a shape. Some APIs write an empty object as `[]`."""
    opening = b"[" if shape == "list" else b"{"
    return text.startswith(opening) or (shape == "values" and text.startswith(b"[") and not text[1:-1].strip(BLANK))


def count_records(shape: Shape, text: bytes) -> int:
    """Return the number of records in a JSON text of a shape.

    Raises:
        msgspec.DecodeError: It is not JSON of that shape.
    """
    if shape == "list" or text.startswith(b"["):
        return len(msgspec.json.decode(text, type=list[msgspec.Raw]))
    members = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    if shape == "values":
        return len(members)
    lists = [raw for value in members.values() if (raw := bytes(value).strip(BLANK)).startswith(b"[")]
    # The models refuse lists of unequal lengths.
    return max((len(msgspec.json.decode(raw, type=list[msgspec.Raw])) for raw in lists), default=0)
