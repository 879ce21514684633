"""`elt init` against the real lakeFS: a new lake, an old gate, a lifted protection, stray writes."""

from collections.abc import Callable

import pytest

from orchestration.errors import GateMissing, LakeDirty, LakeRefused, PlatformFailed
from orchestration.lake import keys
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.gate import gate_file
from orchestration.lake.setup import ensure_gate, ensure_repository, init_lake, require_lake, set_protection_rules
from orchestration.log import SILENT, log_to
from orchestration.settings import PROJECT_DIR
from tests.helpers.gate_versions import version_with_gate


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skips the wait for hooks that name a branch, which lakeFS loads late: no test here needs them."""
    monkeypatch.setattr("orchestration.lake.setup._ACTIONS_CACHED", 0.0)


def test_a_second_init_changes_nothing(lake: Lake) -> None:
    before = lake.head(MAIN)

    again = init_lake(lake, "lakefs", PROJECT_DIR, SILENT)

    assert (again.repository, again.gate, again.protection) == ("unchanged", "unchanged", "unchanged")
    assert again.storage == "local://lakefs/project"
    assert lake.head(MAIN) == before
    assert list(lake.branches("gate-")) == []


def test_the_lake_has_the_gate_of_this_version(lake: Lake) -> None:
    assert lake.read(MAIN, keys.GATE) == gate_file()
    assert require_lake(lake, "lakefs", PROJECT_DIR) == lake.head(MAIN)


@pytest.mark.usefixtures("quick")
def test_a_new_lake_is_set_up_and_an_older_gate_replaced(open_repository: Callable[..., Lake]) -> None:
    lake = open_repository("upgraded")
    said: list[str] = []

    with version_with_gate(gate_file() + b"# an older one\n"):
        first = init_lake(lake, "lakefs", PROJECT_DIR, log_to(said.append))
    with pytest.raises(GateMissing, match="is not this version's") as refused:
        require_lake(lake, "lakefs", PROJECT_DIR)
    second = init_lake(lake, "lakefs", PROJECT_DIR, log_to(said.append))

    assert (first.repository, first.gate, first.protection) == ("created", "installed", "set")
    assert (second.repository, second.gate, second.protection) == ("unchanged", "replaced", "unchanged")
    assert refused.value.remedy == "elt init"
    assert lake.read(MAIN, keys.GATE) == gate_file()
    assert next(lake.log(MAIN)).metadata["gate_change"] == "approved"
    with pytest.raises(LakeRefused):
        lake.put(MAIN, "raw/x", b"", keys.RAW_CONTENT_TYPE)


@pytest.mark.usefixtures("quick")
def test_stray_writes_on_main_are_named_and_discarded_on_request(open_repository: Callable[..., Lake]) -> None:
    lake = open_repository("stray")
    ensure_repository(lake, "lakefs", SILENT)
    lake.put(MAIN, "raw/stray", b"", keys.RAW_CONTENT_TYPE)

    with pytest.raises(LakeDirty, match="raw/stray") as error:
        init_lake(lake, "lakefs", PROJECT_DIR, SILENT)
    done = init_lake(lake, "lakefs", PROJECT_DIR, SILENT, discard_stray=True)

    assert "--discard-stray" in error.value.remedy
    assert lake.uncommitted(MAIN) == ()
    assert (done.gate, done.protection) == ("installed", "set")


def test_a_lake_without_its_gate_or_repository_is_refused(open_repository: Callable[..., Lake]) -> None:
    with pytest.raises(PlatformFailed, match="no repository nothing-here") as error:
        require_lake(open_repository("nothing-here"), "lakefs", PROJECT_DIR)
    assert error.value.remedy == "elt init"

    bare = open_repository("bare")
    ensure_repository(bare, "lakefs", SILENT)
    with pytest.raises(GateMissing, match="is missing in"):
        require_lake(bare, "lakefs", PROJECT_DIR)


def test_a_repository_in_another_bucket_is_refused(lake: Lake) -> None:
    with pytest.raises(PlatformFailed, match="is in local://lakefs/project, not in the bucket elsewhere"):
        require_lake(lake, "elsewhere", PROJECT_DIR)
    with pytest.raises(PlatformFailed, match="not in the bucket elsewhere"):
        init_lake(lake, "elsewhere", PROJECT_DIR, SILENT)


@pytest.mark.usefixtures("quick")
def test_a_lifted_protection_is_set_again_beside_other_rules(open_repository: Callable[..., Lake]) -> None:
    lake = open_repository("lifted")
    ensure_repository(lake, "lakefs", SILENT)
    ensure_gate(lake, SILENT)
    set_protection_rules(lake, ["release-*"])

    done = init_lake(lake, "lakefs", PROJECT_DIR, SILENT)

    assert (done.gate, done.protection) == ("unchanged", "set")
    with pytest.raises(LakeRefused):
        lake.put(MAIN, "raw/x", b"", keys.RAW_CONTENT_TYPE)
