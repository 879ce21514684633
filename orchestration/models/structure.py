"""Where a record has its values: what one `from_json` reads of it, and the SQL of each column's raw text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from orchestration.models.quoting import jinja_list, jinja_map, jinja_text, sql_literal
from orchestration.source.columns import Column
from orchestration.source.places import Place

Structure = str | list[Any] | dict[str, Any]
"""What one `from_json` reads: `VARCHAR` for a value, a list of one structure, or a structure by name."""


def structure_of(places: Iterable[Place]) -> Structure:
    """Return the structure that has as many of these places as one DuckDB type can have.

    A struct's names are not empty and differ by more than case, and a value read as text has no fields. Other places
    are read from the record one by one.
    """
    top: list[Structure] = []
    for place in places:
        if top:
            _grow(top[0], place)
        elif new := _sprout(place):
            top.append(new)
    return top[0] if top else {}


def _sprout(place: Place) -> Structure | None:
    """Return the structure of one place; None if no type has it."""
    if not place:
        return "VARCHAR"
    inner = _sprout(place[1:])
    if inner is None or place[0] == "":
        return None
    return [inner] if isinstance(place[0], int) else {place[0]: inner}


def _grow(structure: Structure, place: Place) -> None:
    """Add a place, if the structure can have it."""
    if not place:
        return
    step, rest = place[0], place[1:]
    if isinstance(structure, list) and isinstance(step, int):
        _grow(structure[0], rest)
    elif isinstance(structure, dict) and isinstance(step, str):
        if step in structure:
            _grow(structure[step], rest)
        elif step.lower() not in (name.lower() for name in structure) and (inner := _sprout(place)):
            structure |= inner  # type: ignore[arg-type]


def _has(structure: Structure, place: Place) -> bool:
    for step in place:
        if isinstance(structure, list) and isinstance(step, int):
            structure = structure[0]
        elif isinstance(structure, dict) and isinstance(step, str) and step in structure:
            structure = structure[step]
        else:
            return False
    return structure == "VARCHAR"


def value_of(column: Column, structure: Structure) -> str:
    """Return the SQL of a column's raw text."""
    if column.record_name:
        return "_record_name"
    place = column.place
    if _has(structure, place):
        return "_fields" + "".join(f"[{_subscript(step)}]" for step in place)
    if len(place) == 1 and isinstance(place[0], str):
        pointer = "/" + place[0].replace("~", "~0").replace("/", "~1")
        return f"json_extract_string(_record, {sql_literal(pointer)})"
    return f"{{{{ json_at('json_extract_string', {jinja_place(column)}) }}}}"


def _subscript(step: str | int) -> str:
    if isinstance(step, str):
        return sql_literal(step)
    # SQL counts from 1, and from -1 at the end.
    return str(step + 1 if step >= 0 else step)


def shown_structure(structure: Structure, plain: Sequence[str], at_top: Sequence[str]) -> str:
    """Return the structure as an argument of `parse_fields`, which takes a list of names too."""
    if isinstance(structure, dict) and set(structure) <= set(plain):
        return "fields" if list(structure) == list(at_top) else jinja_list(structure, indent=8)
    return f"structure={_jinja_structure(structure, 8)}"


def _jinja_structure(structure: Structure, indent: int) -> str:
    if isinstance(structure, str):
        return jinja_text(structure)
    if isinstance(structure, list):
        return f"[{_jinja_structure(structure[0], indent)}]"
    return jinja_map({name: _jinja_structure(inner, indent + 4) for name, inner in structure.items()}, indent)


def is_at_top(column: Column) -> bool:
    """Return whether a column's field is declared by its name, and not by a path or a position."""
    return not column.path and column.position is None


def jinja_place(column: Column) -> str:
    """Return the place of a column's value: the name of a field at the top, else a list of names and positions."""
    if is_at_top(column):
        return jinja_text(column.field)
    return f"[{jinja_steps(column.place)}]"


def top_names(columns: Sequence[Column]) -> list[str]:
    """Return the names, or the positions, at the top of a record that the columns read, in their order."""
    return list(dict.fromkeys(_top_name(column.place[0]) for column in columns))


def _top_name(step: str | int) -> str:
    return step if isinstance(step, str) else f"[{step}]"


def jinja_steps(place: Place) -> str:
    """Return the steps of a place as a list of Jinja, without its brackets."""
    return ", ".join(jinja_text(step) if isinstance(step, str) else str(step) for step in place)
