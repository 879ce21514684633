"""Tables with any fields, and `elt source` as a user runs it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from typer.testing import CliRunner, Result

from orchestration.cli.app import app
from orchestration.models.generate import write_models

SOURCES = "models/staging/shop/_shop__sources.yml"


@dataclass(frozen=True)
class Field:
    """A field of a table: its raw name, and its column's name and type; `own` declares the name with `as`.

    `meta` is further `config.meta`, such as its `field`.
    """

    raw: str
    column: str
    type: str = "varchar"
    own: bool = False
    nullable: bool = False
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def declared(self) -> dict[str, Any]:
        """Returns the field as the source's YAML declares it."""
        meta = {
            **({"as": self.column} if self.own else {}),
            **({"nullable": True} if self.nullable else {}),
            **self.meta,
        }
        return {
            "name": in_yaml(self.raw),
            "data_type": self.type,
            "description": f"The value of {self.column}.",
            **({"config": {"meta": meta}} if meta else {}),
        }


def elt_source(*arguments: object) -> Result:
    """Runs `elt source` in this process, for the project of `ELT_PROJECT_DIR`, without a terminal."""
    return CliRunner().invoke(app, ["source", *map(str, arguments)])


def write_table(
    project: Path, name: str, fields: Sequence[Field], key: Sequence[str], earliest: str = "", **meta: Any
) -> None:
    """Declares a table of these fields in the source `shop`, and generates its models.

    Args:
        project: A copy of the project.
        name: The table.
        fields: All its fields.
        key: The columns of its key, or `none`.
        earliest: The timestamp that decides between conflicting rows.
        meta: Further `config.meta` of the source table.
    """
    raw_of = {field.column: field.raw for field in fields}
    declared = {
        "key": key if isinstance(key, str) else [in_yaml(raw_of[column]) for column in key],
        **({"earliest": in_yaml(raw_of[earliest])} if earliest else {}),
        "fetch": {"path": f"/{name}", "parameters": {"date": "{date}"}, "form": "array"},
        **meta,
    }
    table = {
        "name": name,
        "description": f"One record of {name}.",
        "config": {"meta": declared},
        "columns": [field.declared for field in fields],
    }
    edit_yaml(project / SOURCES, lambda content: content["sources"][0]["tables"].append(table))
    write_models(project)


def in_yaml(raw: str) -> str:
    """Returns a field's name for dbt's YAML; a name that Jinja would parse becomes a Jinja string."""
    return "{{ " + json.dumps(raw) + " }}" if any(mark in raw for mark in ("{{", "{%", "{#")) else raw


def edit_yaml(path: Path, edit: Callable[[Any], Any]) -> None:
    """Changes a YAML file in place."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    edit(content)
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
