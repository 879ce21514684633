"""Find the fields of records: which become columns, also nested ones, and which stay JSON text, with the reason."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestration.declare.shape import joined
from orchestration.source.columns import snake_case
from orchestration.source.places import Place

_MOST = 100
"""The most columns that objects are taken apart into."""
_NAMES = 40
"""An object with more names than this is rather a mapping than a record."""
_RARE = 0.2
"""Objects in fewer records than this share stay JSON text."""


@dataclass(frozen=True)
class Field:
    """A field that becomes a column.

    Attributes:
        place: The names and positions that lead to its value in a record.
        column: The column's name.
        absent: The records without it.
        text_because: Why it is JSON text whatever its values are; empty for a value to find a type for.
        record_name: Whether it is the name that an object of records gives each of them.
    """

    place: Place
    column: str
    absent: int = 0
    text_because: str = ""
    record_name: bool = False

    @property
    def path(self) -> str:
        """Return the path of a nested field or of a position; empty for a field at the top."""
        if len(self.place) == 1 and isinstance(self.place[0], str):
            return ""
        path = ""
        for step in self.place:
            path = joined(path, step) if isinstance(step, str) else f"{path}[{step}]"
        return path

    @property
    def label(self) -> str:
        """Return what messages call it."""
        return self.path or str(self.place[0])


@dataclass
class _Node:
    """What the records have at one place."""

    present: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    inside: dict[str, _Node] = field(default_factory=dict)
    elements: set[str] = field(default_factory=set)


def find_fields(records: Sequence[Any], *, is_list: bool = False, named: bool = False) -> tuple[Field, ...]:
    """Return the fields of decoded records, in the order in which they first appear.

    Args:
        records: The records. Those that are not of the expected kind are ignored: the models reject them.
        is_list: The records are lists.
        named: An object gives each record a name.
    """
    if is_list:
        lists = [record for record in records if isinstance(record, list)]
        width = max(map(len, lists), default=0)
        return tuple(
            Field((at,), f"column_{at + 1}", sum(len(record) <= at for record in lists)) for at in range(width)
        )
    objects = [record for record in records if isinstance(record, dict)]
    root = _Node()
    for record in objects:
        _visit(root, record)
    found = list(_leaves(root, (), len(objects)))
    if len(found) > _MOST:
        found = list(_leaves(root, (), len(objects), deepest=_depth_within(root, len(objects))))
    names = _column_names([place for place, _, _ in found])
    fields = tuple(Field(place, names[place], len(objects) - present, because) for place, present, because in found)
    return (Field(("name",), _free("record_name", names.values()), record_name=True), *fields) if named else fields


def _visit(node: _Node, value: Any) -> None:
    node.present += 1
    node.kinds[_kind(value)] += 1
    if isinstance(value, dict):
        for name, inner in value.items():
            _visit(node.inside.setdefault(name, _Node()), inner)
    if isinstance(value, list):
        node.elements |= {_kind(one) for one in value}


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    for kind, name in ((bool, "flag"), (dict, "object"), (list, "list"), (str, "text")):
        if isinstance(value, kind):
            return name
    return "number"


def _leaves(node: _Node, place: Place, total: int, deepest: int = 99) -> Iterator[tuple[Place, int, str]]:
    """Yield the place of each column, the records that have it, and why it stays JSON text."""
    for name, inner in node.inside.items():
        here = (*place, name)
        kinds = {kind for kind in inner.kinds if kind != "null"}
        if kinds == {"object"} and inner.inside:
            if because := _kept_whole(inner, total, len(here) >= deepest):
                yield here, inner.present, because
            else:
                yield from _leaves(inner, here, total, deepest)
        else:
            yield here, inner.present, _text_because(kinds, inner.elements)


def _kept_whole(node: _Node, total: int, too_deep: bool) -> str:
    objects = node.kinds["object"]
    if too_deep:
        return f"an object, and with its fields there would be more than {_MOST} columns"
    if len(node.inside) > _NAMES:
        return f"an object with {len(node.inside)} names, rather a mapping than a record"
    if objects < total * _RARE:
        return f"an object in {objects:,} of {total:,} records only"
    return ""


def _text_because(kinds: set[str], elements: set[str]) -> str:
    if kinds == {"list"}:
        return "a list of objects, which have no columns here" if "object" in elements else "a list"
    if kinds == {"object"}:
        return "an object without fields"
    if kinds & {"list", "object"}:
        return f"sometimes {' and sometimes '.join(sorted(kinds))}"
    return ""


def _depth_within(root: _Node, total: int) -> int:
    """Return how deep objects may be taken apart so that there are at most `_MOST` columns; at least 1."""
    return max((depth for depth in range(1, 10) if len(list(_leaves(root, (), total, depth))) <= _MOST), default=1)


def _column_names(places: Iterable[Place]) -> Mapping[Place, str]:
    """Return a column name for each place: all its names, but not that of an object that has most of the fields."""
    places = list(places)
    tops = Counter(place[0] for place in places if len(place) > 1)
    wrapper = next((top for top, count in tops.items() if count > 2 and count * 2 > len(places)), None)
    names: dict[Place, str] = {}
    # Fields at the top have the first choice.
    for place in sorted(places, key=len):
        words = [str(step) for step in (place[1:] if len(place) > 1 and place[0] == wrapper else place)]
        for candidate in (_named(words), _named([str(step) for step in place])):
            if candidate not in names.values():
                names[place] = candidate
                break
        else:
            names[place] = _free(candidate, names.values())
    return names


def _named(words: Sequence[str]) -> str:
    name = "_".join(filter(None, map(snake_case, words)))
    return name if re.match("[a-z]", name) else f"field_{name}".rstrip("_")


def _free(name: str, taken: Iterable[str]) -> str:
    used, number = set(taken), 2
    if name not in used:
        return name
    while f"{name}_{number}" in used:
        number += 1
    return f"{name}_{number}"
