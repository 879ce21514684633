"""What the report shows of each mart: `config.meta.report` in the YAML of the dbt project's models, read and checked.

The types and descriptions here are the only definition of what a declaration may say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta as Says

from orchestration.errors import UsageError
from orchestration.source.allowed import explained
from orchestration.source.config import read_yaml

_PLACE = "config.meta.report"


class Measure(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One numeric column of a mart, which the report sums."""

    column: Annotated[str, Says(description="The column; its values are summed over rows.")]
    label: Annotated[str, Says(description="What the page calls it; by default the column's name.")] = ""
    unit: Annotated[str, Says(description="The unit that the page adds to its figures, such as `EUR`.")] = ""
    by: Annotated[
        tuple[str, ...], Says(description="Columns; for each, the page ranks the values with the highest sums.")
    ] = ()


class Declared(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What `config.meta.report` of a mart may say."""

    measures: Annotated[tuple[Measure, ...], Says(min_length=1, description="The columns to sum; at least one.")]
    title: Annotated[str, Says(description="The heading of the mart's section; by default the mart's name.")] = ""
    description: Annotated[str, Says(description="One or two sentences below the heading.")] = ""
    date: Annotated[
        str | None, Says(description="The column of the date or instant; with it, the page plots the sums by date.")
    ] = None


class MartReport(msgspec.Struct, frozen=True):
    """What the report shows of one mart."""

    mart: str
    declared: Declared

    @property
    def title(self) -> str:
        """Return the heading of its section."""
        return self.declared.title or self.mart


def read_reports(project_dir: Path) -> tuple[MartReport, ...]:
    """Return what the project declares about the report, in the order of the marts' names; often nothing.

    Raises:
        UsageError: A declaration is invalid; the message names the file, the model and the key.
    """
    files = sorted((project_dir / "models").rglob("*.yml"))
    return tuple(sorted((report for file in files for report in _read_file(file)), key=lambda report: report.mart))


def _read_file(file: Path) -> Iterator[MartReport]:
    for model in read_yaml(file).get("models") or ():
        meta = (model.get("config") or {}).get("meta") or {}
        if "report" in meta:
            name = str(model.get("name"))
            yield MartReport(name, _declared(file, name, meta["report"]))


def _declared(file: Path, model: str, given: Mapping[str, Any]) -> Declared:
    try:
        return msgspec.convert(given, Declared)
    except msgspec.ValidationError as error:
        problem = explained(error, Declared, given, _PLACE)
    raise UsageError(
        f"{file}: model {model}: {problem}", remedy="correct the file; docs/operations.md lists what a report may say"
    )
