"""The cache of small objects on this machine."""

from __future__ import annotations

from hashlib import md5
from pathlib import Path

from orchestration.lake.cache import ObjectCache
from tests.helpers.local_servers import mode

BODY = b'{"status": "pass"}'
CHECKSUM = md5(BODY).hexdigest()


def test_an_object_is_found_by_its_checksum_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    cache = ObjectCache(tmp_path / "state" / "receipts")
    assert cache.read(CHECKSUM) is None

    cache.keep(CHECKSUM, BODY)
    cache.keep(CHECKSUM, BODY)

    assert cache.read(CHECKSUM) == BODY
    (file,) = cache.folder.iterdir()
    assert (mode(cache.folder), mode(file)) == (0o700, 0o600)


def test_a_damaged_file_is_not_used(tmp_path: Path) -> None:
    cache = ObjectCache(tmp_path)
    cache.keep(CHECKSUM, BODY)
    (tmp_path / CHECKSUM).write_bytes(BODY[:-1])

    assert cache.read(CHECKSUM) is None


def test_bytes_with_another_checksum_are_not_cached(tmp_path: Path) -> None:
    cache = ObjectCache(tmp_path / "receipts")

    for checksum in ("0" * 32, f"{CHECKSUM}-2", "../secret"):
        cache.keep(checksum, BODY)
        assert cache.read(checksum) is None

    assert list(tmp_path.iterdir()) == []


def test_a_checksum_is_no_path(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(BODY)

    assert ObjectCache(tmp_path / "receipts").read("../secret") is None


def test_a_folder_that_cannot_be_used_caches_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    cache = ObjectCache(tmp_path / "file")

    cache.keep(CHECKSUM, BODY)

    assert cache.read(CHECKSUM) is None
