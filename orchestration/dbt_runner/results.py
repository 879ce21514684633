"""The results of a dbt build as data, and the outcome that they imply."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from orchestration.dbt_runner.faults import MESSAGE_LIMIT, body_fault, platform_fault
from orchestration.errors import DataFailed, IngestCleanError
from orchestration.settings import EngineName
from orchestration.text import EXAMPLES, LINE_LIMIT, examples, one_line, quoted, shortened

Kind = Literal["model", "test", "unit_test", "hook"]
Row = Mapping[str, Any]

_REMEDY = "_remedy"
"""The column of a failing row with its remedy. No column of a table begins with an underscore."""
_CONTRACT = "This model has an enforced contract"


@dataclass(frozen=True)
class NodeResult:
    """The result of one dbt node.

    Attributes:
        unique_id: dbt's id of the node.
        kind: The kind of node.
        status: dbt's status: success, pass, warn, fail, error, skipped.
        failures: Rows that a test returned, else None.
        seconds: Its duration.
        message: dbt's message, often empty.
    """

    unique_id: str
    kind: Kind
    status: str
    failures: int | None
    seconds: float
    message: str

    @property
    def name(self) -> str:
        """Return the readable part of the id."""
        return self.unique_id.split(".")[2]


@dataclass(frozen=True)
class FailedTest:
    """A data test that failed or warned: `failures` rows, of which `rows` are the first few."""

    unique_id: str
    name: str
    status: str
    failures: int
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class TableAccounting:
    """What happened to one table's raw rows of the date. Counts are in rows unless stated.

    Attributes:
        raw: Records in the raw pages, counted independently.
        curated: Published rows.
        identical: Rows equal to another one in every column.
        conflicting: Rows that differ from the kept row of the same key.
        accepted_keys: Distinct keys of the rows that were not rejected.
        curated_keys: Distinct keys of the published rows.
        rejected: Rows by reject reason.
        drift: Records by undeclared (or repeated) field: the most frequent ones, long names cut.
        missing: Records by declared field that they lack.
        conflicting_keys: Some keys of conflicting rows, long ones cut.
        rejects: Some rejected rows by reason, each with `page` and `record`; a long record is cut around its value.
        drift_fields: The total number of undeclared fields. If it is lower than the number in `drift`, that one counts.
        conflicting_key_count: The total number of keys with conflicting rows; likewise.
        other_dates: Rows of other dates, of a table that keeps only those of its date.
    """

    raw: int
    curated: int
    identical: int
    conflicting: int
    accepted_keys: int
    curated_keys: int
    rejected: Mapping[str, int]
    drift: Mapping[str, int]
    missing: Mapping[str, int]
    conflicting_keys: tuple[str, ...]
    rejects: Mapping[str, tuple[Row, ...]]
    drift_fields: int = 0
    conflicting_key_count: int = 0
    other_dates: int = 0

    @property
    def undeclared(self) -> int:
        """Return the number of undeclared fields in the records."""
        return max(self.drift_fields, len(self.drift))

    @property
    def closes(self) -> bool:
        """Return whether every raw row is accounted for and every accepted key is published exactly once."""
        accounted = self.curated + self.identical + self.conflicting + sum(self.rejected.values()) + self.other_dates
        return self.raw == accounted and self.curated == self.curated_keys == self.accepted_keys


@dataclass(frozen=True)
class BuildResult:
    """The result of one dbt build.

    Attributes:
        nodes: Every node, in the order in which dbt finished them.
        failed_tests: Data tests that failed or warned, with example rows.
        accounting: The accounting by table, for tables whose accounting was built.
        across_dates: By table, how many of its published rows are kept and how many repeated over all dates.
        rows: Rows of each written Parquet file, by its key below the lake's root.
        versions: The versions of dbt and the engine.
        raw_root: The root of the raw pages, which occurs in dbt's messages.
        engine: The engine that built it.
    """

    nodes: tuple[NodeResult, ...]
    failed_tests: tuple[FailedTest, ...]
    accounting: Mapping[str, TableAccounting]
    rows: Mapping[str, int]
    versions: Mapping[str, str]
    raw_root: str
    across_dates: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    engine: EngineName = "duckdb"

    @property
    def passed(self) -> bool:
        """Return whether everything was built and no test failed. Warnings are not failures."""
        return self.failure() is None

    def failure(self) -> IngestCleanError | None:
        """Return the error that this build implies, or None.

        A malformed page comes first, because it causes the other failures. A platform failure comes before failed data,
        since the data was then not tested completely.
        """
        broken = [node for node in self.nodes if node.status in ("error", "runtime error", "fail")]
        for node in broken:
            fault = body_fault(node.message, self.raw_root)
            if fault:
                return fault
        failed_data = [node for node in broken if _data_failed(node)]
        platform = [node for node in broken if node not in failed_data]
        if platform:
            return platform_fault([(node.name, node.message) for node in platform])
        if failed_data:
            rows = (row for test in self.failed_tests if test.status == "fail" for row in test.rows)
            remedies = dict.fromkeys(str(row[_REMEDY]) for row in rows if row.get(_REMEDY))
            return DataFailed("\n".join(self._data_faults(failed_data)), remedy="; ".join(remedies))
        return None

    def require_passed(self) -> None:
        """Raise the error that this build implies.

        Raises:
            DataFailed: A data test failed or a contract broke; the message names each with example rows.
            SourceBodyInvalid: A raw page is not JSON of the declared form; the message names page and position.
            PlatformFailed: Anything else failed, so the data was not tested.
        """
        failure = self.failure()
        if failure:
            raise failure

    def notes(self) -> Iterator[tuple[int, str]]:
        """Yield what a person should know about a build that passed: a log level and one line each.

        The lines cover drift, omitted rows and tests that warn.
        """
        for table, parts in self.accounting.items():
            for line in _drift(table, parts):
                yield logging.WARNING, line
            for reason, count in _most(parts.rejected):
                yield logging.INFO, f"{table}: {count:,} of {parts.raw:,} rows rejected for {one_line(reason)}"
            for line in _further_reasons(table, parts):
                yield logging.INFO, line
            if parts.conflicting:
                keys = max(parts.conflicting_key_count, len(parts.conflicting_keys))
                some = examples(map(quoted, parts.conflicting_keys), keys)
                yield logging.INFO, f"{table}: {parts.conflicting:,} conflicting rows omitted, with keys such as {some}"
            if parts.other_dates:
                yield logging.INFO, f"{table}: {parts.other_dates:,} of {parts.raw:,} rows omitted: of other dates"
        for table, rows in self.across_dates.items():
            counts = ", ".join(f"{name} {count:,}" for name, count in rows.items())
            yield logging.INFO, f"{table} of all dates: {counts}"
        for test in self.failed_tests:
            if test.status == "warn":
                yield logging.WARNING, f"{test.name}: {test.failures:,} rows, such as {_shown(test.rows[0])}"

    def _data_faults(self, broken: list[NodeResult]) -> Iterator[str]:
        rows = {test.unique_id: test.rows for test in self.failed_tests}
        for node in broken:
            if node.kind == "model":
                yield f"{node.name}: {shortened(node.message, MESSAGE_LIMIT)}"
                continue
            yield f"{node.name}: {node.failures} failing rows"
            for row in rows.get(node.unique_id, ()):
                yield f"  {_shown(row)}"
        for table, parts in self.accounting.items():
            # A declared field is most often missing because it was sent under another name.
            yield from _drift(table, parts)
            for reason, count in _most(parts.rejected):
                yield f"{table} rejected for {one_line(reason)}: {count} of {parts.raw} rows"
                for row in parts.rejects.get(reason, ()):
                    yield f"  {one_line(row['page'])}: {one_line(row['record'])}"
            yield from _further_reasons(table, parts)


def _drift(table: str, parts: TableAccounting) -> Iterator[str]:
    """Yield one line on a table's undeclared fields, if it has any."""
    if not parts.undeclared:
        return
    named = [(quoted(name), count) for name, count in _most(parts.drift)]
    if parts.undeclared == 1:
        name, count = named[0]
        yield f"{table}: undeclared field {name} in {count:,} of {parts.raw:,} records"
    elif parts.undeclared <= len(named):
        some = ", ".join(f"{name} in {count:,}" for name, count in named)
        yield f"{table}: {parts.undeclared} undeclared fields: {some} of {parts.raw:,} records"
    else:
        some = examples((name for name, _ in named), parts.undeclared)
        yield f"{table}: {parts.undeclared:,} undeclared fields, such as {some}"


def _most(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return the few names with the highest counts."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:EXAMPLES]


def _further_reasons(table: str, parts: TableAccounting) -> Iterator[str]:
    shown = _most(parts.rejected)
    if more := len(parts.rejected) - len(shown):
        rows = sum(parts.rejected.values()) - sum(count for _, count in shown)
        yield f"{table}: {rows:,} of {parts.raw:,} rows rejected for {more:,} more reasons"


def _shown(row: Row) -> str:
    """Return a row as one line, with its text values as `repr` shows them."""
    shown = ", ".join(f"{column}={_value(value)}" for column, value in row.items() if column != _REMEDY)
    return one_line(shown)


def _value(value: object) -> str:
    return quoted(value, LINE_LIMIT) if isinstance(value, str) else str(value)


def _data_failed(node: NodeResult) -> bool:
    if node.kind == "test":
        return node.status == "fail"
    return node.kind == "model" and _CONTRACT in node.message
