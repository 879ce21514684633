"""The checks that ask no server: versions and their support, disk, ports, DuckDB's extension, `.env`."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from orchestration.doctor.checks import Finding, carry_out
from orchestration.doctor.machine import free_bytes, machine_checks
from orchestration.doctor.support import ENDS, supported
from orchestration.lake import s3
from orchestration.settings import PROJECT_DIR, read_settings
from tests.helpers.local_servers import listener, make_settings, pretend_running, remember_stopped

TODAY = date(2026, 11, 26)


def found(
    folder: Path, check: str, *, today: date = TODAY, free: Callable[[Path], int] = lambda folder: 10**12
) -> Finding:
    """Carries out one check, with settings whose state folder is in `folder`."""
    checks = [one for one in machine_checks(make_settings(folder), today, free) if one.name == check]
    (finding,) = carry_out(checks)
    return finding


@pytest.mark.parametrize(
    ("today", "state"),
    [
        (date(2026, 11, 26), "ok"),
        (date(2027, 8, 2), "ok"),
        (date(2027, 8, 3), "warning"),
        (date(2027, 11, 1), "warning"),
    ],
)
def test_an_end_of_support_is_reported_90_days_before(today: date, state: str) -> None:
    result = supported("Python", "3.11.7", today, "upgrade")

    assert result.state == state
    assert "2027-10-31" in result.seen
    assert bool(result.remedy) == (state == "warning")


def test_a_version_without_a_known_end_of_support_is_a_warning() -> None:
    assert supported("Python", "3.1.4", TODAY, "upgrade").state == "warning"
    assert all(one.source.startswith("https://") for one in ENDS)


def test_every_python_that_the_project_supports_has_an_end_of_support() -> None:
    lines = {one.line for one in ENDS if one.product == "Python"}

    supported_lines = SpecifierSet(importlib.metadata.metadata("ingest-clean")["Requires-Python"])

    assert lines == {line for line in (f"3.{minor}" for minor in range(30)) if f"{line}.0" in supported_lines}


def test_python_and_dbt_are_supported_today_and_not_for_ever(tmp_path: Path) -> None:
    for check in ("python", "dbt"):
        assert found(tmp_path, check).state == "ok"
        later = found(tmp_path, check, today=date(2040, 1, 1))
        assert (later.state, later.remedy != "") == ("warning", True)


def test_a_package_of_another_version_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(tmp_path, "packages").state == "ok"
    right = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.0.0" if name == "duckdb" else right(name))

    finding = found(tmp_path, "packages")

    assert (finding.state, finding.seen) == ("failed", "duckdb 2.0.0 is installed, and ==1.5.5 is required")
    assert "make setup" in finding.remedy


def test_an_extension_that_cannot_be_loaded_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(tmp_path, "duckdb httpfs").state == "ok"
    monkeypatch.setattr(s3, "httpfs_extension", lambda: tmp_path / "none.duckdb_extension")

    finding = found(tmp_path, "duckdb httpfs")

    assert (finding.state, "none.duckdb_extension" in finding.seen) == ("failed", True)
    assert "make setup" in finding.remedy


@pytest.mark.parametrize(("free", "state"), [(10**12, "ok"), (4 * 10**9, "warning"), (10**8, "failed")])
@pytest.mark.parametrize(
    ("check", "variable"), [("disk of the state folder", "ELT_STATE_DIR"), ("disk of the temporary folder", "TMPDIR")]
)
def test_little_free_space_is_reported(tmp_path: Path, check: str, variable: str, free: int, state: str) -> None:
    finding = found(tmp_path, check, free=lambda folder: free)

    assert finding.state == state
    assert (variable in finding.remedy) == (state != "ok")


def test_the_free_space_of_a_folder_that_does_not_exist_yet_is_that_of_its_file_system(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "not" / "yet") > 0


def test_a_port_that_another_program_took_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = make_settings(tmp_path)
    remember_stopped(settings, "lakefs", "http://127.0.0.1:1")
    check = "port of the local lakeFS"
    assert found(tmp_path, check).state == "ok"
    with listener() as port:
        monkeypatch.setattr("orchestration.servers.process.listens", lambda running: False)
        pretend_running(settings, "lakefs", f"http://127.0.0.1:{port}")
        finding = found(tmp_path, check)
    assert (finding.state, "does not listen at its port" in finding.seen) == ("failed", True)

    (settings.state_dir / "run" / "lakefs.json").unlink()
    monkeypatch.setattr("orchestration.servers.ports.is_free", lambda port: False)
    finding = found(tmp_path, check)
    assert (finding.state, finding.seen) == (
        "warning",
        "another program listens at 8000, and the local server is stopped",
    )


def test_a_configured_server_needs_no_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestration.servers.ports.is_free", lambda port: False)
    settings = make_settings(tmp_path, endpoint="http://lake.example", api_url="http://prefect.example/api")

    ports = [one for one in machine_checks(settings, TODAY) if one.name.startswith("port ")]

    assert [one.state for one in carry_out(ports)] == ["ok", "ok"]


def test_secrets_in_a_readable_env_file_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELT_PROJECT_DIR", str(tmp_path))
    env = tmp_path / ".env"
    env.write_text("SHOP_API_TOKEN=sesam\n")

    states = {}
    for mode in (0o644, 0o600):
        env.chmod(mode)
        (check,) = (one for one in machine_checks(read_settings(), TODAY) if one.name == ".env")
        (states[mode],) = carry_out([check])

    assert (states[0o644].state, states[0o600].state) == ("failed", "ok")
    assert states[0o644].seen == "other users can read SHOP_API_TOKEN in it"
    assert states[0o644].remedy == f"chmod 600 {env}"


def test_postgresql_is_checked_where_the_stack_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def checks() -> list[str]:
        return [one.name for one in machine_checks(make_settings(tmp_path), TODAY)]

    assert "postgresql" not in checks()
    monkeypatch.setenv("STACK_POSTGRES_PASSWORD", "sesam")

    assert "postgresql" in checks()
    assert (PROJECT_DIR / "docker-compose.yml").exists()
    assert found(tmp_path, "postgresql").state == "ok"
    assert found(tmp_path, "postgresql", today=date(2027, 11, 12)).state == "warning"
