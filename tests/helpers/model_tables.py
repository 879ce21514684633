"""Tables from which the tests generate models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestration.models.contracts import contract_of
from orchestration.models.sql import sql_of
from orchestration.source.columns import Column
from orchestration.source.config import Table
from orchestration.source.rows import KeptRows
from orchestration.source.schema import Fetch


def table_of(*columns: Column, key: Sequence[str] = ("id",), earliest: str | None = None, **rows: Any) -> Table:
    """Return a table; `rows` are further rules of `KeptRows`, with names of columns."""
    by_name = {column.name: column for column in columns}
    return Table(
        source="shop",
        name="things",
        description="One record per thing.",
        fetch=Fetch(path="/things", form="array"),
        loss_limit=0.5,
        file=Path("/project/models/staging/shop/_shop__sources.yml"),
        columns=columns,
        rows=KeptRows(
            key=tuple(by_name[name] for name in key),
            earliest=by_name[earliest] if earliest else None,
            **{name: by_name.get(value, value) for name, value in rows.items()},
        ),
    )


ID, AT = Column("ID", "id"), Column("At", "at", "timestamptz")


SIZE, RATING = Column("Size", "size", "bigint"), Column("Rating", "rating", "double", nullable=True)


def sql(table: Table) -> dict[str, str]:
    return sql_of(table, Path("/project"))


def contract(table: Table, text: str | None = None) -> str:
    return contract_of(table, text, Path("/project"))
