"""Say what a declaration would allow where msgspec says only what is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect

_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(?:\.\.\.|\d+)\]")


def explained(error: msgspec.ValidationError, declared: type, data: Any, where: str) -> str:
    """Return an error of `msgspec.convert(data, declared)` as `field: what is wrong; what is allowed`.

    `where` is what messages call `data`, such as `config.meta`.
    """
    match = _PLACE.match(str(error))
    what, path = (match["what"], match["path"] or "") if match else (str(error), "")
    names = [name for name in _STEP.findall(path) if name]
    allowed = _allowed([inspect.type_info(declared)], data, names, what)
    return f"{where}{path}: {what}" + (f"; allowed: {', '.join(dict.fromkeys(allowed))}" if allowed else "")


def _allowed(kinds: list[inspect.Type], data: Any, names: list[str], what: str) -> list[str]:
    kinds = list(_flat(kinds, data))
    if not names:
        return list(_named(kinds, what))
    structs = [kind for kind in kinds if isinstance(kind, inspect.StructType)]
    if any(names == [kind.tag_field] for kind in structs):
        return [str(kind.tag) for kind in structs]
    inner = data.get(names[0]) if isinstance(data, dict) else None
    fields = [field.type for kind in structs for field in kind.fields if field.encode_name == names[0]]
    return _allowed(fields, inner, names[1:], what)


def _flat(kinds: list[inspect.Type], data: Any) -> Iterator[inspect.Type]:
    """Yield the types behind unions, metadata and lists.

    Of tagged structs, only the one whose tag `data` has is yielded, if any does.
    """
    for kind in kinds:
        if isinstance(kind, inspect.Metadata):
            yield from _flat([kind.type], data)
        elif isinstance(kind, inspect.ListType | inspect.VarTupleType):
            yield from _flat([kind.item_type], None)
        elif isinstance(kind, inspect.UnionType):
            tagged: list[inspect.Type] = [
                inner
                for inner in kind.types
                if isinstance(inner, inspect.StructType)
                and isinstance(data, dict)
                and inner.tag_field in data
                and data[inner.tag_field] == inner.tag
            ]
            yield from _flat(tagged or list(kind.types), data)
        else:
            yield kind


def _named(kinds: list[inspect.Type], what: str) -> Iterator[str]:
    for kind in kinds:
        if isinstance(kind, inspect.StructType):
            if "required field" in what and f"`{kind.tag_field}`" in what:
                yield str(kind.tag)
            elif "unknown field" in what:
                yield from ([str(kind.tag_field)] if kind.tag_field else [])
                yield from (field.encode_name for field in kind.fields)
        elif isinstance(kind, inspect.LiteralType):
            yield from map(str, kind.values)
