"""Tables of any fields, begun from the template as a user begins one."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from orchestration.settings import PROJECT_DIR

_TYPES = {"text": "varchar", "integer": "bigint", "number": "double", "instant": "timestamp with time zone"}


@dataclass(frozen=True)
class Field:
    """A field of a table: its raw name, its column's name and type; `own` puts the name into the field list."""

    raw: str
    column: str
    type: str = "text"
    own: bool = False

    @property
    def entry(self) -> Any:
        return {self.raw: self.column} if self.own else self.raw


def begin_table(project: Path, name: str) -> subprocess.CompletedProcess[str]:
    """Runs `tools/new-table` in a copy of the project."""
    if not (project / "tools").exists():
        (project / "tools").mkdir()
        shutil.copy(PROJECT_DIR / "tools" / "new-table", project / "tools")
        shutil.copytree(PROJECT_DIR / "examples" / "new_table", project / "examples" / "new_table")
    return subprocess.run([project / "tools" / "new-table", name], capture_output=True, text=True, check=False)


def write_table(
    project: Path, name: str, fields: Sequence[Field], key: Sequence[str], earliest: str = "", **meta: Any
) -> None:
    """Begins a table from the template and puts these fields in place of the template's.

    Args:
        project: A copy of the project.
        name: The table.
        fields: All its fields.
        key: The columns of its key.
        earliest: The instant that decides among conflicting rows.
        meta: Further `config.meta` of the source table.
    """
    begun = begin_table(project, name)
    assert begun.returncode == 0, begun.stderr
    raw_of = {field.column: field.raw for field in fields}

    def source(content: Any) -> None:
        table = next(table for table in content["sources"][0]["tables"] if table["name"] == name)
        table["config"]["meta"] |= {"key": [_in_yaml(raw_of[column]) for column in key], **meta}
        table["columns"] = [{"name": _in_yaml(field.raw), "data_type": "varchar"} for field in fields]

    edit_yaml(project / "models/staging/shop/_shop__sources.yml", source)
    staging = project / f"models/staging/shop/stg_shop__{name}.sql"
    text = staging.read_text()
    fields_list = json.dumps([field.entry for field in fields], ensure_ascii=False)
    staging.write_text("{%- set fields = " + fields_list + " -%}\n" + text.split("-%}\n", 1)[1])
    declaration = {
        "source": f"shop.{name}",
        "key": list(key),
        "columns": {field.column: field.type for field in fields},
        **({"earliest": earliest} if earliest else {}),
    }
    (project / f"macros/tables/{name}_table.sql").write_text(
        f"{{% macro {name}_table() %}}{{{{- return({json.dumps(declaration)}) -}}}}{{% endmacro %}}\n"
    )
    _describe(project / f"models/staging/shop/stg_shop__{name}.yml", fields, lambda field: "varchar")
    _describe(project / f"models/curated/{name}_checked.yml", fields, lambda field: _TYPES[field.type])
    published = project / f"models/curated/{name}.yml"
    _describe(published, fields, lambda field: _TYPES[field.type], key[0])
    edit_yaml(
        published,
        lambda content: content["models"][0].update(
            data_tests=[
                {"unique_without_white_space": {"arguments": {"columns": list(key)}, "config": {"severity": "warn"}}}
            ]
        ),
    )
    edit_yaml(project / f"models/curated/{name}_accounting.yml", lambda content: _account(content, earliest))


def _account(content: Any, instant: str) -> None:
    """Puts the table's instant in place of the template's, or takes the test of it out."""
    content.pop("unit_tests")
    (model,) = content["models"]
    for test in model["data_tests"]:
        if limited := test.get("other_dates_within_limit"):
            limited["arguments"]["column"] = instant
    model["data_tests"] = [test for test in model["data_tests"] if instant or "other_dates_within_limit" not in test]


def _in_yaml(raw: str) -> str:
    """A field's name as dbt's YAML has to give it: what Jinja would read is in a Jinja string."""
    return "{{ " + json.dumps(raw) + " }}" if any(mark in raw for mark in ("{{", "{%", "{#")) else raw


def edit_yaml(path: Path, edit: Callable[[Any], Any]) -> None:
    """Changes a YAML file in place."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    edit(content)
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")


def _describe(file: Path, fields: Sequence[Field], type_of: Callable[[Field], str], key: str = "") -> None:
    """Puts the columns in place of the template's; the key's tests and constraints go to the column `key`."""

    def edit(content: Any) -> None:
        (model,) = content["models"]
        of_key = {name: part for name, part in model["columns"][0].items() if key and name != "name"}
        helpers = [column for column in model["columns"] if column["name"].startswith("_")]
        model["columns"] = [
            {
                "name": field.column,
                **(of_key if field.column == key else {}),
                "data_type": type_of(field),
            }
            for field in fields
        ] + helpers
        content.pop("unit_tests", None)

    edit_yaml(file, edit)
