"""SQL text for DuckDB built from keys and names: the one place that quotes them."""

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
    """Parquet files as a table with their own columns.

    Args:
        uris: The files; see `names_one_object` for keys that others chose.
        options: More of DuckDB's options.
    """
    given = {"hive_partitioning": False, **options}
    shown = (f"{name} = {literal(value) if isinstance(value, str) else value}" for name, value in given.items())
    return f"read_parquet({', '.join((literals(uris), *shown))})"


def names_one_object(key: str) -> bool:
    """Return whether DuckDB takes a key as it is: no pattern, and no `?`, after which a URI may name another server."""
    return not _PATTERN.search(key)
