"""Build SQL for DuckDB from keys and names. This is the only module that quotes them."""

from __future__ import annotations

import re
from collections.abc import Sequence

_PATTERN = re.compile(r"[*?\[\\\x00-\x1f\x7f]|(^|/)\.\.?(/|$)")


def literal(text: str) -> str:
    """Quote a text value."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Quote the name of a column, view or variable."""
    return '"' + name.replace('"', '""') + '"'


def literals(texts: Sequence[str]) -> str:
    """Quote a list of text values."""
    return f"[{', '.join(map(literal, texts))}]"


def read_parquet(uris: Sequence[str], **options: bool | str) -> str:
    """Return the SQL that reads Parquet files as a table with only the columns in the files.

    Args:
        uris: The files. For keys that others chose, see `names_one_object`.
        options: Further options of DuckDB, which may override `hive_partitioning = false`.
    """
    given = {"hive_partitioning": False, **options}
    shown = (f"{name} = {literal(value) if isinstance(value, str) else value}" for name, value in given.items())
    return f"read_parquet({', '.join((literals(uris), *shown))})"


def names_one_object(key: str) -> bool:
    """Return whether DuckDB takes a key literally, as the name of one object.

    It does not if the key contains a pattern, a control character, or a segment `.` or `..`. Neither does it for a `?`,
    after which a URI may name another server.
    """
    return not _PATTERN.search(key)
