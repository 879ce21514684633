"""Search files, logs and lake objects for secrets, in every form in which they could be stored."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import duckdb

from orchestration.lake.client import MAIN, Lake
from tests.helpers.projects import keys_of


def forms(secret: str, user: str = "") -> frozenset[bytes]:
    """Returns the forms of a secret: plain, in a URL, and in an Authorization header."""
    plain = {secret, quote(secret, safe="")}
    encoded = {base64.b64encode(text.encode()) for text in (secret, f"{user}:{secret}")}
    return frozenset({text.encode() for text in plain} | encoded)


def leaks(places: Mapping[str, bytes], secrets: frozenset[bytes], folder: Path) -> list[str]:
    """Returns the places that contain a secret; `folder` is for temporary files.

    Raises:
        ValueError: A place is compressed in a way that hides what it holds.
    """
    return [
        place
        for place, body in places.items()
        if any(secret in text for text in _texts(place, body, folder) for secret in secrets)
    ]


def _texts(place: str, body: bytes, folder: Path) -> Iterator[bytes]:
    yield body
    if body.startswith((b"\x1f\x8b", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ")):
        raise ValueError(f"{place} is compressed")
    if body.startswith(b"PAR1"):
        file = folder / "searched.parquet"
        file.write_bytes(body)
        for reader in ("read_parquet", "parquet_kv_metadata", "parquet_schema", "parquet_metadata"):
            yield repr(duckdb.sql(f"select * from {reader}('{file}')").fetchall()).encode()
    try:
        # As Prefect stores a pickled result.
        yield base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error:
        return


def files_below(*folders: Path) -> dict[str, bytes]:
    """Returns the content of all files below the folders, by path."""
    return {str(path): path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}


def objects_and_commits(lake: Lake, dates: set[str]) -> dict[str, bytes]:
    """Returns the objects of these dates on the lake: on main, on kept branches, and in the commits of both."""
    found: dict[str, bytes] = {}
    heads = [MAIN, *(branch for date in dates for branch in lake.branches(f"etl-{date}-"))]
    heads += [entry.parents[1] for entry in lake.log(MAIN) if entry.metadata.get("execution_date") in dates]
    for head in heads:
        for commit in lake.log(head):
            if commit.metadata.get("execution_date") in dates:
                found[commit.id] = json.dumps(dict(commit.metadata)).encode()
        for date in dates:
            found |= {f"{head}/{key}": lake.read(head, key) or b"" for key in keys_of(lake, head, date)}
    return found
