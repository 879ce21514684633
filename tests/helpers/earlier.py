"""Projects and lakes of earlier versions, from tests/fixtures."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tarfile
from pathlib import Path

import lakefs_sdk

from orchestration.framework import macro_path
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.connection import LakeConnection
from orchestration.log import SILENT
from orchestration.scaffold.create import create_project
from orchestration.settings import PROJECT_DIR
from tests.fixtures.make_fixture import PROJECT, REFS, STORAGE
from tests.helpers.elt_runs import eventually
from tests.helpers.own_lake import OwnLake

FIXTURES = Path(__file__).parents[1] / "fixtures"
VERSION_0_1 = FIXTURES / "version_0_1"


def unpack(archive: Path, folder: Path) -> Path:
    """Writes the files of an archive below a folder."""
    folder.mkdir(parents=True)
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder


def earlier_project(version: Path, folder: Path) -> Path:
    """Writes the project that a version left."""
    return unpack(version / PROJECT, folder)


def moved_project(clone: Path, folder: Path) -> Path:
    """Moves a project of 0.1 as docs/upgrading.md says: with the commands there, and the edit that it names."""
    create_project(folder, None, SILENT)
    # The environment of a project has the macros here.
    (folder / ".venv" / "ingest_clean").mkdir(parents=True)
    (folder / ".venv" / "ingest_clean" / "macros").symlink_to(macro_path())
    text = (PROJECT_DIR / "docs" / "upgrading.md").read_text()
    (commands,) = (block for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) if "$CLONE" in block)
    environment = {"PATH": os.environ["PATH"], "CLONE": str(clone)}
    subprocess.run(["sh", "-e", "-c", commands], cwd=folder, env=environment, check=True)
    docs = folder / "models" / "marts" / "docs.md"
    docs.write_text(re.sub(r"{% docs execution_date %}.*?{% enddocs %}\n", "", docs.read_text(), flags=re.DOTALL))
    return folder


def restored_lake(own: OwnLake, version: Path, name: str) -> Lake:
    """Restores the repository that a version left, under another name, in a lakeFS of the test's own.

    Refs and objects are restored. Protection and the records of hooks are not part of lakeFS's dump.
    """
    unpack(version / STORAGE, own.server.data / "objects" / "lakefs" / name)
    lake = Lake(LakeConnection(own.access, timeout=30), name)
    api = lakefs_sdk.RepositoriesApi(lake.connection.sdk)
    creation = lakefs_sdk.RepositoryCreation(name=name, storage_namespace=f"local://lakefs/{name}", default_branch=MAIN)
    api.create_repository(creation, bare=True)
    refs = json.loads((version / REFS).read_text())
    task = api.restore_submit(name, lakefs_sdk.RefsRestore(**refs)).id
    status = eventually(lambda: api.restore_status(name, task), lambda one: bool(one.done))
    assert not status.error
    return lake
