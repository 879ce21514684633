"""The search for secrets finds them in every form."""

from __future__ import annotations

import base64
import gzip
import pickle
from pathlib import Path

import duckdb
import pytest

from tests.helpers.secret_search import forms, leaks


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
