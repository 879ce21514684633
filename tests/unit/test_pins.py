"""What runs at setup is pinned, with hashes."""

from __future__ import annotations

import re
import tomllib

import pytest

from orchestration.settings import PROJECT_DIR


def test_uv_is_pinned_with_the_hash_of_every_file() -> None:
    lines = (PROJECT_DIR / "tools" / "uv.txt").read_text().replace("\\\n", " ").splitlines()
    (pin,) = lines
    assert re.fullmatch(r"uv==[\d.]+(\s+--hash=sha256:[0-9a-f]{64})+\s*", pin)
    script = (PROJECT_DIR / "tools" / "uv").read_text()
    assert script.count("pip install") == script.count('$hashed "$pinned"') == 2
    assert "--require-hashes --only-binary :all:" in script


def test_the_build_backend_is_the_one_within_the_pinned_uv() -> None:
    project = tomllib.loads((PROJECT_DIR / "pyproject.toml").read_text())
    pinned = re.match(r"uv==([\d.]+)", (PROJECT_DIR / "tools" / "uv.txt").read_text())
    assert pinned
    assert project["build-system"] == {"requires": [f"uv_build=={pinned[1]}"], "build-backend": "uv_build"}


@pytest.mark.parametrize("folder", [".", "orchestration/servers/lakefs_build", "benchmarks/contenders"])
def test_every_locked_package_has_hashes(folder: str) -> None:
    locked = tomllib.loads((PROJECT_DIR / folder / "uv.lock").read_text())["package"]
    remote = [package for package in locked if "registry" in package["source"]]
    assert len(remote) == len(locked) - 1
    for package in remote:
        files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else [])]
        assert files
        assert all(file["hash"].startswith("sha256:") for file in files), package["name"]


VERSION = tomllib.loads((PROJECT_DIR / "pyproject.toml").read_text())["project"]["version"]


@pytest.mark.parametrize(
    "name",
    [
        ".env.example",
        "Dockerfile",
        "docker-compose.yml",
        "examples/demo_stack.yml",
        "examples/work_pools/docker.json",
        "examples/work_pools/kubernetes.json",
        "tests/stack/images.py",
        "tests/stack/override.yml",
    ],
)
def test_a_file_that_cannot_read_the_version_names_that_of_the_package(name: str) -> None:
    text = (PROJECT_DIR / name).read_text()

    named = re.findall(r"(?:ingest-clean:|image\.version=\")(\d+\.\d+\.\d+)", text)

    assert set(named) == {VERSION}


def test_the_changelog_begins_with_this_version() -> None:
    text = (PROJECT_DIR / "CHANGELOG.md").read_text()

    assert re.findall(r"^## \[(\d+\.\d+\.\d+)\]", text, re.MULTILINE)[0] == VERSION
