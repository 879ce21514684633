"""The gate on a lakeFS that imports files of a folder, as lakeFS on S3 always can: thousands of objects at once."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from orchestration.lake import keys
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.connection import LakeConnection
from orchestration.lake.setup import ensure_protection
from orchestration.log import SILENT
from orchestration.servers import lakefs
from orchestration.servers.background import LocalServer
from orchestration.servers.local import lake_access
from orchestration.settings import EltSettings, LakeSettings, read_settings
from tests.helpers.gate_branches import install_gate, page, receipt, require_refused

FIRST, SECOND = "2025-05-20", "2025-05-21"
PAGE_OF_A_DIFF = 1000


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory, files: Path) -> Iterator[Lake]:
    """A repository with gate and protection, on a lakeFS that may import these files."""
    settings = replace(
        read_settings(), elt=EltSettings(state_dir=tmp_path_factory.mktemp("importing")), lake=LakeSettings()
    )
    as_shipped = lakefs.configuration

    def importing(data: Path, port: int) -> dict[str, object]:
        configuration: dict[str, Any] = as_shipped(data, port)
        configuration["blockstore"]["local"] |= {"import_enabled": True, "allowed_external_prefixes": [str(files)]}
        return configuration

    server = LocalServer(lakefs.SPEC, settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lakefs, "configuration", importing)
        server.start(SILENT)
    try:
        server.wait(SILENT)
        lake = install_gate(Lake(LakeConnection(lake_access(settings), timeout=30), "imported"))
        ensure_protection(lake, SILENT)
        yield lake
        lake.connection.close()
    finally:
        server.stop(SILENT)


def imported(lake: Lake, branch: str, folder: Path, destination: str) -> str:
    """Imports a folder, and returns the error of lakeFS, empty after a success."""
    import lakefs_sdk

    api = lakefs_sdk.ImportApi(lake.connection.sdk)
    source = lakefs_sdk.ImportLocation(type="common_prefix", path=f"local://{folder}/", destination=destination)
    creation = lakefs_sdk.ImportCreation(paths=[source], commit=lakefs_sdk.CommitCreation(message="import"))
    started = lake.connection.call("import", api.import_start, lake.repository, branch, creation)
    ended = Retrying(
        retry=retry_if_result(lambda status: not (status.completed or status.error)),
        wait=wait_fixed(0.05),
        stop=stop_after_delay(30),
    )(lake.connection.call_with_retry, "import", api.import_status, lake.repository, branch, started.id)
    return str(ended.error.message) if ended.error else ""


def test_the_gate_refuses_an_import_into_main_which_protection_allows(gated: Lake, files: Path) -> None:
    (files / "one").mkdir()
    (files / "one" / "page-00001.json").write_bytes(b"[]")
    before = gated.head(MAIN)

    error = imported(gated, MAIN, files / "one", keys.raw_folder("shop", "events", FIRST))

    assert "main changes by merges only, not by pre-commit" in error
    assert gated.head(MAIN) == before


def test_all_pages_of_the_changes_of_a_merge_are_checked(gated: Lake, files: Path) -> None:
    (files / "many").mkdir()
    for number in range(PAGE_OF_A_DIFF):
        (files / "many" / f"{number}.json").touch()
    base = gated.head(MAIN)
    gated.create_branch("many", base)
    folder = keys.raw_folder("shop", "events", FIRST)
    assert imported(gated, "many", files / "many", folder) == ""
    sound = receipt({found.key: found.checksum for found in gated.objects("many", folder)})
    gated.put("many", keys.date_receipt(FIRST), sound, keys.JSON_CONTENT_TYPE)
    audited = gated.commit("many", "audited", {})

    require_refused(gated, {page(SECOND): b"[]"}, f"{page(SECOND)} is not listed in", audited)
    assert gated.merge(audited, "audited", {}) == gated.head(MAIN)
    assert len(list(gated.objects(MAIN, folder))) == PAGE_OF_A_DIFF
