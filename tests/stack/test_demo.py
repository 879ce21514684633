"""`make demo-stack` in real containers: podman and the harness of these tests stand for `docker compose`."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from examples import demo_stack
from tests.stack.deployment import Deployment
from tests.stack.runs import require_published_once


@pytest.mark.parametrize("store", ["versity"], indirect=True)
def test_the_demo_publishes_its_date_through_the_deployment(empty: Deployment, tmp_path: Path) -> None:
    here = tmp_path / "sample-api.yml"
    here.write_text(yaml.safe_dump({"services": {"sample-api": {"ulimits": "host", "pull_policy": "never"}}}))
    empty.files = (*demo_stack.FILES[2:], str(here))
    empty.variables = {**demo_stack.ensure_settings(tmp_path / "demo.env"), "TESTS_RETAIL": str(tmp_path)}
    empty.start("check")
    empty.start("sample-api")

    for names in empty.levels():
        empty.start(*(name for name in names if name != "shop"))
    said = empty.execute(*demo_stack.run_command(demo_stack.DATE))

    assert "Published" in said
    require_published_once(empty, (demo_stack.DATE,))
