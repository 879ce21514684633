"""Write what a source table may declare: the tables in docs/sources.md, and a JSON Schema for editors.

`python -m orchestration.source.describe` does both.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect

from orchestration.settings import PROJECT_DIR
from orchestration.source.schema import Meta, SourceMeta

DOCUMENT = PROJECT_DIR / "docs" / "sources.md"
SCHEMA = PROJECT_DIR / "docs" / "source-meta.schema.json"
BEGIN, END = "<!-- generated: fields -->", "<!-- end of generated -->"

_WORDS = {"StrType": "text", "IntType": "number", "FloatType": "number", "BoolType": "flag", "AnyType": "any JSON"}


def document(text: str) -> str:
    """Return a document with the generated tables between its two marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tables()}{END}{after}"


def tables() -> str:
    """Return a Markdown table for each group of fields, from the types that check the YAML."""
    sections = []
    groups = (
        *_groups("config.meta", inspect.type_info(SourceMeta), " of a source"),
        *_groups("config.meta", inspect.type_info(Meta), " of a table"),
    )
    for heading, kind in groups:
        rows = [
            f"| `{field.encode_name}` | {_values(field.type)} | {_default(field)} | {_meaning(field)} |"
            for field in kind.fields
        ]
        about = (kind.cls.__doc__ or "").strip()
        table = "\n".join(["| field | value | default | meaning |", "| --- | --- | --- | --- |", *rows])
        sections.append(f"### {heading}\n\n{about}\n\n{table if rows else 'It has no fields.'}\n\n")
    return "".join(sections)


def json_schema() -> str:
    """Return the JSON Schema of `config.meta` of a source table."""
    return json.dumps(msgspec.json.schema(Meta), indent=2, ensure_ascii=False) + "\n"


def _groups(heading: str, kind: inspect.Type, of: str = "") -> Iterator[tuple[str, inspect.StructType]]:
    """Yield a struct and those in its fields, each with the path in the YAML, and its tag if there is a choice."""
    for struct in _structs(kind):
        tag = f", `{struct.tag_field}: {struct.tag}`" if struct.tag_field else ""
        yield f"`{heading}`{tag}{of}", struct
        for field in struct.fields:
            yield from _groups(f"{heading}.{field.encode_name}", field.type)


def _structs(kind: inspect.Type) -> Iterator[inspect.StructType]:
    if isinstance(kind, inspect.StructType):
        yield kind
    elif isinstance(kind, inspect.UnionType):
        for inner in kind.types:
            yield from _structs(inner)
    elif isinstance(kind, inspect.Metadata):
        yield from _structs(kind.type)


def _values(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.Metadata):
        return _values(kind.type)
    if isinstance(kind, inspect.LiteralType):
        return ", ".join(f"`{value}`" for value in sorted(map(str, kind.values)))
    if isinstance(kind, inspect.UnionType):
        shown = dict.fromkeys(_values(inner) for inner in kind.types if not isinstance(inner, inspect.NoneType))
        return " or ".join(shown)
    if isinstance(kind, inspect.StructType):
        return f"`{kind.tag_field}: {kind.tag}`" if kind.tag_field else "fields"
    if isinstance(kind, inspect.VarTupleType):
        return f"list of {_values(kind.item_type)}"
    if isinstance(kind, inspect.DictType):
        return f"mapping to {_values(kind.value_type)}"
    return _WORDS[type(kind).__name__]


def _default(field: inspect.Field) -> str:
    if field.required:
        return "required"
    default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if default in (None, (), {}, "") or isinstance(default, msgspec.Struct):
        return "–"
    return f"`{json.dumps(default)}`".replace('"', "")


def _meaning(field: inspect.Field) -> str:
    kind: Any = field.type
    extra = (kind.extra_json_schema or {}) if isinstance(kind, inspect.Metadata) else {}
    return str(extra.get("description", "See below."))


def main() -> None:
    """Write both files."""
    DOCUMENT.write_text(document(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    SCHEMA.write_text(json_schema(), encoding="utf-8")


if __name__ == "__main__":
    main()
