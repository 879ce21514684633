"""`make demo-stack` up to Docker: its settings, its commands, and what it says."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from examples import demo_stack
from orchestration.stack.settings import read_stack_settings
from tests.helpers.local_servers import listener, script


def test_the_generated_settings_are_accepted_by_the_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = demo_stack.ensure_settings(tmp_path / "state" / "demo.env")
    for name, value in found.items():
        monkeypatch.setenv(name, value)

    stack = read_stack_settings()

    assert stack.prefect_password.get_secret_value() == found["STACK_PREFECT_PASSWORD"]
    assert len(set(found.values())) == len(found)


def test_the_settings_are_private_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "demo.env"

    first = demo_stack.ensure_settings(path)

    assert demo_stack.ensure_settings(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_taken_port_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with listener() as taken:
        monkeypatch.setitem(demo_stack._PORTS, "STACK_PREFECT_PORT", taken)
        found = demo_stack.ensure_settings(tmp_path / "demo.env")

    assert found["STACK_PREFECT_PORT"] != str(taken)
    assert found["STACK_PREFECT_URL"] == f"http://127.0.0.1:{found['STACK_PREFECT_PORT']}"


def demo(folder: Path, docker: str) -> subprocess.CompletedProcess[str]:
    """Runs the demo with a `docker` that is this script."""
    script(folder / "docker", docker)
    code = f"import pathlib; from examples import demo_stack as d; d.SETTINGS = pathlib.Path({str(folder / 'e')!r})"
    code = (
        f"{code}; d.PROJECT = d.SETTINGS.parent; (d.PROJECT / 'docker-compose.yml').touch(); raise SystemExit(d.main())"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": f"{folder}:/usr/bin:/bin", "PYTHONPATH": str(Path(demo_stack.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_stack_is_started_and_a_date_runs_through_its_deployment(tmp_path: Path) -> None:
    done = demo(tmp_path, 'echo "$@" >> "$(dirname "$0")/calls"')

    assert done.returncode == 0, done.stderr
    _, up, run = (tmp_path / "calls").read_text().splitlines()
    files = "--file docker-compose.yml --file docker-compose.override.yml --file examples/demo_stack.yml"
    assert up.endswith(f"{files} up --detach --build")
    assert "exec -T prefect-worker prefect deployment run ingest-clean/daily-ingest" in run
    assert "http://127.0.0.1:" in done.stdout
    assert "\nStop:   docker compose " in done.stdout


def test_a_failure_ends_the_demo_with_its_exit_code(tmp_path: Path) -> None:
    done = demo(tmp_path, 'case "$*" in *" up "*) exit 17;; esac')

    assert done.returncode == 17
    assert "this failed; see docker compose " in done.stderr
    assert "is published" not in done.stdout


def test_without_docker_the_remedy_is_named(tmp_path: Path) -> None:
    done = demo(tmp_path, "exit 1")

    assert done.returncode == 2
    assert "install Docker with Compose 2, or run `make demo`" in done.stderr
