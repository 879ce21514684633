"""The columns of the report, with any names."""

from __future__ import annotations

from pathlib import Path

import duckdb

from orchestration.eda.model import Texts
from orchestration.eda.scan import scan

NAMES = ["value_0", "value_1", "value", "field", "times", "rank", "counted", "rows", "known", "select", "from", 'a "b"']


def test_each_column_is_profiled_by_its_own_values(tmp_path: Path) -> None:
    file = tmp_path / "data.parquet"
    columns = ", ".join("i || ' {0}' as \"{0}\"".format(name.replace('"', '""')) for name in NAMES)
    with duckdb.connect() as connection:
        connection.execute(f"copy (select {columns} from unnest([1, 1, 2]) as numbers (i)) to '{file}'")

        found = scan(connection, [str(file)], 3)

    assert [column.name for column in found] == NAMES
    for column in found:
        shown = column.name.replace('"', '""')
        assert isinstance(column.values, Texts)
        assert column.values.top == ((f"1 {shown}", 2), (f"2 {shown}", 1))
