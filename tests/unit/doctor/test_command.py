"""`elt doctor` without servers: it says what to do, and ends with the exit code of PlatformFailed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestration.cli.app import app
from orchestration.doctor import diagnose
from orchestration.doctor.checks import Check, failed, ok, warning
from orchestration.settings import PROJECT_DIR


@pytest.fixture
def _nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELT_STATE_DIR", str(tmp_path / "state"))


def elt(*arguments: str, code: int) -> str:
    result = CliRunner().invoke(app, ["doctor", *arguments])
    assert result.exit_code == code, result.output
    return result.stdout


@pytest.mark.usefixtures("_nothing")
def test_without_servers_it_says_elt_up_and_names_what_was_not_checked() -> None:
    found = json.loads(elt("--json", code=5))

    assert found["state"] == "failed"
    assert all(set(one) == {"check", "state", "seen", "remedy"} for one in found["checks"])
    by_name = {one["check"]: one for one in found["checks"]}
    assert len(by_name) == len(found["checks"])
    for server in ("lakefs", "prefect"):
        assert (by_name[server]["state"], "elt up" in by_name[server]["remedy"]) == ("failed", True)
    for check, cause in (("gate", "lakefs failed"), ("deployment daily-ingest", "prefect failed")):
        assert (by_name[check]["state"], by_name[check]["seen"]) == ("not checked", cause)
    assert all(one["remedy"] for one in found["checks"] if one["state"] != "ok")


def test_the_text_shows_each_check_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = (Check("disk", lambda: ok("free")), Check("gate", lambda: failed("it is missing", "elt init")))
    monkeypatch.setattr(diagnose, "all_checks", lambda settings: iter(checks))

    assert elt(code=5).splitlines() == [
        "ok           disk  free",
        "failed       gate  it is missing",
        "                   next: elt init",
        "",
        "2 checks: 1 need attention",
    ]


def test_the_exit_code_is_0_only_if_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    for check, code, state in (
        (Check("a", lambda: ok("fine")), 0, "ok"),
        (Check("a", lambda: warning("soon", "upgrade")), 5, "warning"),
    ):
        monkeypatch.setattr(diagnose, "all_checks", lambda settings, check=check: iter([check]))
        assert json.loads(elt("--json", code=code))["state"] == state
        assert elt(code=code).endswith("all is well\n" if code == 0 else "1 need attention\n")


def test_a_secret_that_a_server_repeats_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEFS_SECRET_KEY", "sesam-of-the-lake")
    checks = (Check("keys", lambda: failed("sesam-of-the-lake is unknown", "set sesam-of-the-lake again")),)
    monkeypatch.setattr(diagnose, "all_checks", lambda settings: iter(checks))

    for shown in (elt(code=5), elt("--json", code=5)):
        assert "sesam" not in shown
        assert "*** is unknown" in shown


def test_without_a_prefect_yaml_the_file_is_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestration.doctor.deployments import deployment_checks
    from orchestration.doctor.flow_runs import flow_run_checks

    (check,) = deployment_checks(tmp_path)

    assert (check.name, check.look().state) == ("prefect.yaml", "failed")
    assert list(flow_run_checks(tmp_path)) == []
    assert "deployment daily-ingest" in {one.name for one in deployment_checks(PROJECT_DIR)}
