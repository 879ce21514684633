"""No key and no token is in the files, logs and published objects of a run: the tests search all of them."""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import duckdb
import pytest

from orchestration.lake.access import LakeAccess
from orchestration.lake.client import MAIN, Lake
from orchestration.servers.background import LocalServer
from tests.elt_runs import Runs, Shown
from tests.support import keys_of


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


@pytest.mark.parametrize("secret", ["sesam/sesam", "ELTKEY:sesam/sesam"])
def test_the_search_finds_a_planted_secret(tmp_path: Path, secret: str) -> None:
    sought = forms("sesam/sesam", "ELTKEY")
    table = tmp_path / "table.parquet"
    duckdb.sql(f"copy (select '{secret}' as s from range(1000)) to '{table}' (compression zstd)")
    planted = {
        "text": f"a {secret} b".encode(),
        "url": f"http://{secret.replace('/', '%2F')}@lake".encode(),
        "header": b"Basic " + base64.b64encode(secret.encode()),
        "pickle": base64.encodebytes(pickle.dumps([secret])),
        "parquet": table.read_bytes(),
    }

    assert leaks(planted, sought, tmp_path) == list(planted)
    assert leaks({"text": b"another sesam"}, sought, tmp_path) == []
    with pytest.raises(ValueError, match="log is compressed"):
        leaks({"log": gzip.compress(secret.encode())}, sought, tmp_path)


def files_below(*folders: Path) -> dict[str, bytes]:
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


def test_no_secret_is_left_anywhere(
    runs: Runs,
    shown: Shown,
    lake: Lake,
    access: LakeAccess,
    prefect_server: LocalServer,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    ended = runs.all()
    secret, token = access.secret_key.get_secret_value(), runs.environment["SHOP_API_TOKEN"]
    sought = forms(secret, access.access_key.get_secret_value()) | forms(token)

    on_disk = files_below(runs.folder, prefect_server.data, prefect_server.log.parent)
    on_disk |= {str(log): log.read_bytes() for log in tmp_path_factory.getbasetemp().glob("elt*/logs/lakefs.log")}
    on_lake = objects_and_commits(lake, {run.date for run in ended.values()})
    printed = {
        f"{name} {stream}": getattr(run, stream).encode() for name, run in ended.items() for stream in ("out", "err")
    }
    kinds = ("flows", "flow_runs", "task_runs", "logs", "artifacts", "variables", "block_documents")
    shows = {kind: json.dumps(shown.all(kind)).encode() for kind in kinds}
    shows["events"] = json.dumps(shown.events()).encode()

    # Check that the search covered the places where a secret could be.
    assert ended["undecodable"].code != 0
    names = {Path(path).name for path in on_disk}
    assert {
        "run.json",
        "profiles.yml",
        "dbt.log",
        "run_results.json",
        "prefect.db",
        "prefect.log",
        "lakefs.log",
    } <= names
    assert any(name.startswith("manifest-run-") for name in names)
    assert {Path(place).suffix for place in on_lake} >= {"", ".json", ".parquet"}
    assert all(len(body) > 2 for kind, body in shows.items() if kind in ("flow_runs", "task_runs", "logs", "events"))
    assert leaks({**on_disk, **on_lake, **printed, **shows}, sought, tmp_path) == []
