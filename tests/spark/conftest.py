"""Skip the tests of Spark where it cannot run, with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.dbt_runner.build import build
from tests.helpers.spark import missing_spark, py4j_leaves_sockets

_HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _engine_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Build on the engine that a test selects, also with `--both-engines`."""
    monkeypatch.setattr("orchestration.transform.build", build)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip these tests where Spark cannot run."""
    here = [item for item in items if item.path.parent == _HERE]
    for item in here:
        item.add_marker(py4j_leaves_sockets)
        if reason := missing_spark():
            item.add_marker(pytest.mark.skip(reason=reason))
