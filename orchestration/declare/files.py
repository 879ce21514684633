"""Write the declaration of a new table: append it to the source's YAML, and write several files or none."""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from orchestration.errors import UsageError
from orchestration.models.contracts import flow, round_trip, yaml_text
from orchestration.private import write_project_file
from orchestration.workdir import translate_disk_errors

_SHORT = 100
"""A mapping of at most so many characters is written on one line."""


def sources_file(project_dir: Path, source: str) -> Path:
    """Return the YAML that declares a source: the one that has it, or the one to create."""
    for file in sorted((project_dir / "models").rglob("*.yml")):
        text = file.read_text(encoding="utf-8")
        if "sources:" in text and any(_text(one, "name") == source for one in _sources(_composed(file, text))):
            return file
    return project_dir / "models" / "staging" / source / f"_{source}__sources.yml"


def with_table(file: Path, source: str, declared: Mapping[str, Any]) -> str:
    """Return the text of a source's YAML with one more table at the end of the source. Nothing else is changed.

    Raises:
        UsageError: The source has the table already, or its tables are not a list with one line for each dash.
    """
    if not file.exists():
        described = f"The API of {source}. Its address is the setting {source.upper()}_API_URL."
        begin = f"sources:\n  - name: {source}\n    loader: elt run\n    description: {described}\n    tables:\n"
        return begin + table_text(declared, 6)
    text = file.read_text(encoding="utf-8")
    node = next(one for one in _sources(_composed(file, text)) if _text(one, "name") == source)
    tables = _value(node, "tables")
    items = tables.value if isinstance(tables, SequenceNode) else []
    if any(_text(one, "name") == declared["name"] for one in items):
        raise UsageError(
            f"{file}: source {source} has a table {declared['name']} already", remedy="choose another name, or edit it"
        )
    if not isinstance(tables, SequenceNode) or not items or tables.flow_style:
        raise UsageError(
            f"{file}: source {source}: tables is no list with a line for each table",
            remedy="write it as one, so that a table can be appended",
        )
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    at = _end(items[-1])
    dash = lines[items[-1].start_mark.line].index("-")
    return "".join([*lines[:at], "\n", table_text(declared, dash), *lines[at:]])


def require_appended(before: str, after: str, source: str, name: str) -> None:
    """Require that two texts of a source's YAML differ by one table only.

    Raises:
        UsageError: They do not: the YAML is written in a way that cannot be appended to.
    """
    old, new = yaml.safe_load(before), yaml.safe_load(after)
    tables = next(one for one in new["sources"] if one["name"] == source)["tables"]
    if tables.pop()["name"] != name or old != new:
        raise UsageError(
            f"the YAML of source {source} is written in a way that no table can be appended to",
            remedy="write tables as a list with a line for each table",
        )


def table_text(declared: Mapping[str, Any], indent: int) -> str:
    """Return a declared table as an item of a list in YAML, as people write one."""
    written = StringIO()
    round_trip().dump(CommentedSeq([_styled(declared)]), written)
    # The writer indents an item by two blanks.
    return "".join(
        f"{' ' * (indent - 2)}{line}" if line.strip() else line for line in written.getvalue().splitlines(keepends=True)
    )


def _styled(value: Any, key: str = "") -> Any:
    if isinstance(value, str):
        return yaml_text(value)
    if isinstance(value, Mapping):
        styled = CommentedMap((yaml_text(str(name)), _styled(inner, str(name))) for name, inner in value.items())
        return flow(styled) if key and key not in _BLOCKS and len(str(value)) <= _SHORT else styled
    if isinstance(value, list):
        listed = CommentedSeq(_styled(one) for one in value)
        return listed if any(isinstance(one, Mapping) for one in value) else flow(listed)
    return value


_BLOCKS = ("meta", "fetch")


def _composed(file: Path, text: str) -> Node | None:
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise UsageError(f"{file}: not YAML: {error}", remedy="correct the file") from None


def _sources(node: Node | None) -> list[Node]:
    listed = _value(node, "sources")
    return list(listed.value) if isinstance(listed, SequenceNode) else []


def _value(node: Node | None, name: str) -> Node | None:
    if not isinstance(node, MappingNode):
        return None
    return next((value for key, value in node.value if isinstance(key, ScalarNode) and key.value == name), None)


def _text(node: Node, name: str) -> str:
    value = _value(node, name)
    return str(value.value) if isinstance(value, ScalarNode) else ""


def _end(node: Node) -> int:
    """Return the number of the line after the last line of a value. Comments after it belong to what follows."""
    if isinstance(node, MappingNode | SequenceNode) and node.value and not node.flow_style:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    mark = node.end_mark
    # A folded or literal text ends at the beginning of the line after it.
    return mark.line if mark.column == 0 and mark.line > node.start_mark.line else mark.line + 1


def write_all(project_dir: Path, files: Mapping[str, bytes]) -> list[str]:
    """Write files below the project, and return their paths. If one cannot be written, all are as before.

    Raises:
        DiskFailed: A file could not be written.
    """
    before = {name: path.read_bytes() if (path := project_dir / name).exists() else None for name in files}
    created: list[Path] = []
    begun: list[str] = []
    try:
        for name, content in files.items():
            path = project_dir / name
            with translate_disk_errors(path):
                missing = [folder for folder in path.parents if not folder.exists()]
                created += missing
                begun.append(name)
                write_project_file(path, content)
    except BaseException:
        for name in begun:
            path, kept = project_dir / name, before[name]
            if kept is not None:
                path.write_bytes(kept)
            elif path.exists():
                path.unlink()
        for folder in sorted(created, key=lambda one: -len(one.parts)):
            if folder.exists():
                folder.rmdir()
        raise
    return [name for name, content in files.items() if before[name] != content]
