"""YAML of a table's models: written once for a new table, then kept up to date in place.

Generated are each published column's `data_type`, `description` and `constraints`, in the order of the declaration.
Everything else in the file is written by people, such as comments and data tests, and is not changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import CommentMark, YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString
from ruamel.yaml.tokens import CommentToken

from orchestration.errors import UsageError
from orchestration.models.sql import TEMPLATES
from orchestration.source.columns import Column
from orchestration.source.config import Table

_GENERATED = ("name", "data_type", "description", "constraints")
"""The generated keys of a column, in their order."""


@dataclass(frozen=True)
class ContractColumn:
    """A published column; `required` is None if the YAML's authors decide whether it may be null."""

    name: str
    data_type: str
    description: str
    required: bool | None


_REJECTED = tuple(
    ContractColumn(name, "varchar", f"{{{{ doc('reject_{name}') }}}}", True) for name in ("reason", "page", "record")
)


def contract_path(table: Table) -> str:
    """Return the path of a table's YAML below the project."""
    return f"models/curated/{table.name}.yml"


def contract_of(table: Table, text: str | None, project_dir: Path) -> str:
    """Return the YAML of a table's models, made from the existing `text`, if there is any.

    Raises:
        UsageError: The text is not YAML that dbt accepts, or describes a column that is no longer declared and has data
            tests, or other keys that people wrote.
    """
    path = contract_path(table)
    begins = _begun(table, project_dir)
    content = _loaded(path, text if text is not None else begins)
    models = content.get("models")
    if not isinstance(models, CommentedSeq):
        raise UsageError(f"{path}: no list of models", remedy=f"correct it, or remove it and run elt models: {path}")
    by_name = {str(model["name"]): model for model in models}
    begun = {str(model["name"]): model for model in _loaded(path, begins)["models"]}
    for name, model in begun.items():
        if name not in by_name:
            by_name[name] = model
            models.append(model)
        _follow(by_name[name], model)
    _describe(by_name[table.name], _published(table), begun[table.name], path)
    rejected = f"{table.name}_rejected"
    _describe(by_name[rejected], _REJECTED, begun[rejected], path)
    written = StringIO()
    round_trip().dump(content, written)
    return written.getvalue()


def round_trip() -> YAML:
    """Return a reader and writer of YAML that keeps comments and quotes."""
    kept = YAML()
    kept.preserve_quotes = True
    kept.width = 100_000
    kept.indent(mapping=2, sequence=4, offset=2)
    return kept


def _loaded(path: str, text: str) -> Any:
    try:
        content = round_trip().load(text)
    except YAMLError as error:
        raise UsageError(f"{path}: not YAML: {error}", remedy="correct the file") from None
    if not isinstance(content, CommentedMap):
        raise UsageError(f"{path}: not a YAML mapping, which dbt requires", remedy="correct the file")
    return content


def _begun(table: Table, project_dir: Path) -> str:
    """Return the YAML that a new table begins with; `_describe` completes its columns."""
    context = {
        "name": table.name,
        "source": table.source,
        "label": table.label,
        "yaml": table.file.relative_to(project_dir).as_posix(),
        "description": " ".join(table.description.split()) or f"One row per record of {table.label}.",
        "key": [column.name for column in table.key],
        "instant": _instant(table),
        "whole_row": [column.name for column in table.columns] if table.rows.identical == "collapse" else [],
        # A column's name has no quotes in it.
        "quoted": lambda name: name if _is_plain(name) else f'"{name}"',
    }
    return TEMPLATES.get_template("contract.yml").render(context)


def _instant(table: Table) -> str:
    """Return the column whose instants should be of the date, which tests check; empty if they are by a rule."""
    deciding = table.rows.earliest or table.rows.latest
    if deciding is None or deciding.data_type != "timestamptz" or table.rows.keep_date:
        return ""
    return deciding.name


def _published(table: Table) -> tuple[ContractColumn, ...]:
    return tuple(
        ContractColumn(
            name=column.name,
            data_type=column.data_type,
            description=_description(column, column in table.key),
            required=_required(column, column in table.key),
        )
        for column in table.columns
    )


def _description(column: Column, in_key: bool) -> str:
    rules = ["{{ doc('rule_key') }}"] if in_key else []
    if column.data_type != "varchar":
        rules.append(f"{{{{ doc('rule_{column.data_type}') }}}}")
    return " ".join(filter(None, (column.description, *rules)))


def _required(column: Column, in_key: bool) -> bool | None:
    if column.data_type == "varchar" and not in_key:
        return None
    return not column.nullable


def _follow(model: CommentedMap, begun: CommentedMap) -> None:
    """Update the key and the timestamp in the arguments of the generated tests to the current declaration."""
    arguments = {test["name"]: test.get("arguments", {}) for test in _tests(begun)}
    for test in _tests(model):
        for name, value in arguments.get(test.get("name"), {}).items():
            if test.get("arguments", {}).get(name, value) != value:
                test["arguments"][name] = value


def _tests(described: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the settings of the data tests of a model or column. Tests without settings are skipped."""
    for test in described.get("data_tests") or ():
        if isinstance(test, CommentedMap):
            yield from (settings for settings in test.values() if isinstance(settings, CommentedMap))


def _describe(model: CommentedMap, wanted: Sequence[ContractColumn], begun: CommentedMap, path: str) -> None:
    """Set the columns of a model to the wanted ones, in their order. New columns get the generated tests."""
    if not isinstance(model.get("columns"), CommentedSeq):
        model["columns"] = CommentedSeq()
    columns = model["columns"]
    there = {str(column["name"]): column for column in columns}
    new = {str(column["name"]): column for column in begun["columns"]}
    for name in sorted(there.keys() - {column.name for column in wanted}):
        _require_unowned(there[name], str(model["name"]), path)
    with _trailing_comment(model, "columns"):
        # The template writes an empty list as [].
        columns.fa.set_block_style()
        if list(there) != [column.name for column in wanted]:
            while columns:
                columns.pop()
            for column in wanted:
                found = there.get(column.name) or new.get(column.name)
                columns.append(CommentedMap(name=yaml_text(column.name)) if found is None else found)
        for described, column in zip(columns, wanted, strict=True):
            _set(described, "data_type", column.data_type)
            _set(described, "description", yaml_text(column.description) if column.description else None)
            if column.required is not None:
                _set(described, "constraints", _constraints(described.get("constraints"), column.required))


def _require_unowned(column: Mapping[str, Any], model: str, path: str) -> None:
    name = column["name"]
    begun = {f"{model}_unique_by_{name}", f"{model}_has_{name}", f"{model}_{name}_of_the_date"}
    tests = {str(test.get("name")) for test in _tests(column)}
    own = [key for key in column if key not in _GENERATED]
    if own == ["data_tests"] and tests <= begun and len(tests) == len(column["data_tests"]):
        return
    if own:
        raise UsageError(
            f"{path}: model {model}: column {name}: the source's YAML does not declare it any more, "
            f"and it has {', '.join(own)} here",
            remedy="move them to the column that they are for, or remove them, and run elt models",
        )


def _constraints(given: Any, required: bool) -> Any:
    """Return what a column's constraints have to be; what is right already is kept as it is written."""
    kept = [one for one in given or () if one.get("type") != "not_null"]
    if required == (len(kept) < len(given or ())):
        return given
    if required:
        # A DuckDB database has no constraints for our materialization, which checks this one itself.
        kept.append(flow(CommentedMap(type="not_null", warn_unsupported=False)))
    return flow(CommentedSeq(kept)) if kept else None


def flow(node: Any) -> Any:
    """Return a list or mapping that is written on one line, in brackets."""
    node.fa.set_flow_style()
    return node


def _is_plain(text: str) -> bool:
    """Return whether YAML 1.1, which dbt reads, takes a text without quotes as it is: not `on`, `null` or `a: b`."""
    try:
        return bool(yaml.safe_load(f"text: {text}") == {"text": text}) and "{{" not in text
    except yaml.YAMLError:
        return False


def yaml_text(text: str) -> str:
    """Return a text for `round_trip`, in quotes if YAML 1.1 would read it as something else."""
    return text if _is_plain(text) else DoubleQuotedScalarString(text)


def _set(column: CommentedMap, key: str, value: Any) -> None:
    """Set, insert or remove one of the generated keys; a value that is equal stays as it is written."""
    if column.get(key) == value or (value is None and key not in column):
        return
    if value is not None and key in column:
        column[key] = value
        return
    with _trailing_comment(column, list(column)[-1]):
        if value is None:
            del column[key]
        else:
            before = _GENERATED[: _GENERATED.index(key)]
            column.insert(sum(name in column for name in before), key, value)


@contextmanager
def _trailing_comment(parent: CommentedMap, last: str) -> Iterator[None]:
    """Keep the comment and blank lines after a part of a file in place, even if the part gets another last line.

    ruamel.yaml attaches them to the last value before them, however deeply it is nested in `parent[last]`.
    """
    comment = _take_comment(parent, last)
    yield
    if comment is not None:
        holder, key, place = _last_value(parent, last if last in parent else list(parent)[-1])
        holder.ca.items.setdefault(key, [None] * 4)[place] = comment


def _take_comment(parent: CommentedMap, last: str) -> CommentToken | None:
    """Take the comment after the last value within `parent[last]` from it."""
    holder, key, place = _last_value(parent, last)
    if (held := holder.ca.items.get(key)) and held[place]:
        comment: CommentToken = held[place]
        held[place] = None
        return comment
    # After a value in brackets it is kept with the list that ends there.
    node: Any = parent[last]
    while isinstance(node, CommentedMap | CommentedSeq) and node:
        if node.ca.end:
            text = "".join(" " * token.column + token.value for token in node.ca.end)
            node.ca.end = []
            return CommentToken(f"\n{text}", CommentMark(0), None)
        node = node[list(node)[-1] if isinstance(node, CommentedMap) else -1]
    return None


def _last_value(parent: Any, key: Any) -> tuple[Any, Any, int]:
    """Return the holder of the last value within `parent[key]`, its key there, and where its comment is kept."""
    value = parent[key]
    while isinstance(value, CommentedMap | CommentedSeq) and value and not value.fa.flow_style():
        parent, key = value, list(value)[-1] if isinstance(value, CommentedMap) else len(value) - 1
        value = parent[key]
    return parent, key, 2 if isinstance(parent, CommentedMap) else 0
