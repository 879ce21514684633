"""What dbt built, read from its results and from the relations that it leaves in the database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from orchestration.dbt_runner.results import FailedTest, Kind, NodeResult, Row, TableAccounting
from orchestration.dbt_runner.session import Query
from orchestration.source.columns import Column
from orchestration.source.config import Table
from orchestration.sql import literal, literals
from orchestration.text import EXAMPLES, LINE_LIMIT, NAME_LIMIT, TEXT_LIMIT

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

ACCOUNTING, ACROSS_DATES = "_accounting", "_across_dates"
"""The ends of the names of the models that are read."""

_DRIFT_NAMES = 20
"""How many undeclared fields the receipt and the run's artifact name: the most frequent ones."""

_BEFORE_VALUE = 60
"""Characters shown of a long rejected record before the name of the value that failed."""


def read_nodes(results: Iterable[Any]) -> tuple[NodeResult, ...]:
    """Return dbt's results as data, in the order in which dbt finished the nodes."""
    return tuple(map(_node, results))


def _node(result: Any) -> NodeResult:
    unique_id = result.node.unique_id
    kinds: dict[str, Kind] = {"model": "model", "test": "test", "unit_test": "unit_test", "operation": "hook"}
    return NodeResult(
        unique_id=unique_id,
        kind=kinds[unique_id.split(".")[0]],
        status=str(result.status),
        failures=result.failures,
        seconds=round(result.execution_time, 3),
        # Cut, because a message may have any size and is searched with patterns.
        message=(result.message or "")[:TEXT_LIMIT],
    )


def read_failed_tests(query: Query, nodes: Iterable[NodeResult], results: Iterable[Any]) -> tuple[FailedTest, ...]:
    """Return the data tests that returned rows, each with the first of them.

    Args:
        query: Queries the database that the tests ran on.
        nodes: What `read_nodes` returns.
        results: dbt's results of the same nodes, which have the tests' SQL.
    """
    return tuple(
        _failed_test(query, node, result.node.compiled_code)
        for node, result in zip(nodes, results, strict=True)
        if node.kind == "test" and node.status in ("fail", "warn")
    )


def _failed_test(query: Query, node: NodeResult, compiled: str) -> FailedTest:
    rows = query(f"select * from ({compiled}) as failing limit {EXAMPLES}")  # noqa: S608
    return FailedTest(node.unique_id, node.name, node.status, node.failures or 0, tuple(map(_cut, rows)))


def _cut(row: Row) -> Row:
    return {name: value[: LINE_LIMIT + 1] if isinstance(value, str) else value for name, value in row.items()}


def read_rows(query: Query, lake_root: str, written: Iterable[str]) -> dict[str, int]:
    """Return the rows of each Parquet file by its key below the lake's root, from the file's footer."""
    uris = {f"{lake_root}/{key}": key for key in written}
    if not uris:
        return {}
    rows = query(f"select file_name, num_rows from parquet_file_metadata({literals(list(uris))})")  # noqa: S608
    return {uris[row["file_name"]]: row["num_rows"] for row in rows}


def read_accounting(
    query: Query, manifest: Manifest, built: set[str], declared: Sequence[Table]
) -> dict[str, TableAccounting]:
    """Return the accounting of each table whose `<table>_accounting` model was built."""
    counted: dict[str, Any] = {
        id_: manifest.nodes[id_] for id_ in sorted(built) if manifest.nodes[id_].name.endswith(ACCOUNTING)
    }
    columns = {table.name: table.columns for table in declared}
    tables = {}
    for unique_id, node in counted.items():
        name = node.name.removesuffix(ACCOUNTING)
        rejected: Any = manifest.nodes[unique_id.replace(ACCOUNTING, "_rejected")]
        tables[name] = _table_accounting(query, node.relation_name, rejected.relation_name, columns[name])
    return tables


def read_across_dates(query: Query, manifest: Manifest, built: set[str]) -> dict[str, Mapping[str, int]]:
    """Return the single row of each `<table>_across_dates` model that was built, by table."""
    counted = (manifest.nodes[unique_id] for unique_id in sorted(built))
    return {
        node.name.removesuffix(ACROSS_DATES): query(f"select * from {node.relation_name}")[0]  # noqa: S608
        for node in counted
        if node.name.endswith(ACROSS_DATES)
    }


def _table_accounting(query: Query, accounting: str, rejected: str, columns: Sequence[Column]) -> TableAccounting:
    summed = f"select part, count(name) as names, sum(row_count)::bigint as row_count from {accounting} group by part"  # noqa: S608
    sums = {row["part"]: (row["names"], row["row_count"]) for row in query(summed)}

    def count(part: str) -> int:
        return int(sums.get(part, (0, 0))[1])

    drift = _names(query, accounting, "undeclared", _DRIFT_NAMES)
    reasons = _names(query, accounting, "rejected")
    return TableAccounting(
        raw=count("raw"),
        curated=count("curated"),
        identical=count("identical"),
        conflicting=count("conflicting"),
        accepted_keys=count("accepted_keys"),
        curated_keys=count("curated_keys"),
        rejected=reasons,
        drift=drift,
        missing=_names(query, accounting, "missing"),
        conflicting_keys=tuple(_names(query, accounting, "conflicting", EXAMPLES)),
        rejects=_rejects(query, rejected, {reason: _sought(reason, columns) for reason in reasons}) if reasons else {},
        drift_fields=sums.get("undeclared", (0, 0))[0],
        conflicting_key_count=sums.get("conflicting", (0, 0))[0],
        other_dates=count("other_dates"),
    )


def _names(query: Query, accounting: str, part: str, limit: int | None = None) -> dict[str, int]:
    """Return the rows by name within a part, highest counts first: at most `limit` names, long ones cut.

    Names come from the data, in any number and of any length. DuckDB cuts them before they are fetched.
    """
    rows = query(
        f"""
        select
            case
                when length(name) > {NAME_LIMIT}
                    then left(name, {NAME_LIMIT}) || '… (' || length(name) || ' characters)'
                else name
            end as shown,
            row_count
        from {accounting}
        where part = '{part}'
        order by row_count desc, name
        {f"limit {limit}" if limit else ""}
        """  # noqa: S608
    )
    found: dict[str, int] = {}
    for row in rows:
        found[str(row["shown"])] = found.get(str(row["shown"]), 0) + row["row_count"]
    return found


def _sought(reason: str, columns: Sequence[Column]) -> str:
    """Return the name, as JSON, that precedes the value that a reason is about; empty if it is about none."""
    about = [column for column in columns if reason.startswith(f"{column.name}_") and not column.record_name]
    if not about:
        return ""
    names = [step for step in max(about, key=lambda column: len(column.name)).place if isinstance(step, str)]
    return json.dumps(names[-1], ensure_ascii=False) if names else ""


def _rejects(query: Query, rejected: str, sought: Mapping[str, str]) -> dict[str, tuple[Row, ...]]:
    """Return the first rejected rows by reason, ordered by page and record. Long records are cut around their value."""
    place = " ".join(f"when {literal(reason)} then instr(record, {literal(name)})" for reason, name in sought.items())
    numbered = f"select *, row_number() over (partition by reason order by page, record) as n from {rejected}"  # noqa: S608
    placed = f"select *, greatest(1, case reason {place} end - {_BEFORE_VALUE}) as start from ({numbered}) as numbered"  # noqa: S608
    rows = query(
        "select reason, page, case when length(record) > "  # noqa: S608
        f"{LINE_LIMIT} and start > 1 then '…' || substr(record, start, {LINE_LIMIT}) "
        f"else left(record, {LINE_LIMIT + 1}) end as record from ({placed}) as placed "
        f"where n <= {EXAMPLES} order by reason, n"
    )
    found: dict[str, tuple[Row, ...]] = {}
    for row in rows:
        found[row["reason"]] = (*found.get(row["reason"], ()), {"page": row["page"], "record": row["record"]})
    return found
