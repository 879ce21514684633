"""The files of a new project, from the templates in this package: those named *.j2 are rendered."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from jinja2 import Environment, StrictUndefined

from orchestration.private import write_project_file
from orchestration.project import dashed
from orchestration.project_version import RECORD, ProjectRecord, package_version

OWNED = (
    "deploy/lakefs.yaml",
    "docker-compose.yml",
    "profiles/profiles.yml",
    "tools/uv",
    "tools/uv.txt",
)
"""Files that are the same in every project. `elt upgrade` replaces those that nobody changed."""

_TEMPLATE = Path(__file__).with_name("template")
_EXECUTABLE = frozenset({".ci/run", "tools/uv"})
_EMPTY = ("macros/.gitkeep", "tests/data/.gitkeep")


@dataclass(frozen=True)
class Package:
    """Where a project gets this package from.

    Attributes:
        source: Its entry in `[tool.uv.sources]`; empty for a package index.
        wheel: The wheel to copy into the project, if it was installed from one.
    """

    source: str = ""
    wheel: Path | None = None


def installed_from() -> Package:
    """Return where this package was installed from, as the installer recorded it (PEP 610)."""
    recorded = distribution("ingest-clean").read_text("direct_url.json")
    if not recorded:
        return Package()
    origin = json.loads(recorded)
    url = str(origin["url"])
    if "vcs_info" in origin:
        return Package(f'git = "{url}", rev = "{origin["vcs_info"]["commit_id"]}"')
    if not url.startswith("file:"):
        return Package(f'url = "{url}"')
    path = Path(unquote(urlsplit(url).path))
    if path.suffix == ".whl":
        return Package(f'path = "vendor/{path.name}"', path)
    editable = origin.get("dir_info", {}).get("editable", False)
    return Package(f'path = "{path}", editable = {str(editable).lower()}')


def project_files(name: str, package: Package, *, source: str = "", table: str = "", url: str = "") -> dict[str, bytes]:
    """Return the files of a new project without a table, by path below the project.

    Args:
        name: The project's name.
        package: Where the project gets this package from.
        source: Its first source; empty for none.
        table: That source's table.
        url: The address of its API; empty if it is not known.
    """
    environment = Environment(  # noqa: S701 (not HTML)
        block_start_string="[%",
        block_end_string="%]",
        variable_start_string="[[",
        variable_end_string="]]",
        comment_start_string="[#",
        comment_end_string="#]",
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    context = {
        "name": name,
        "dashed": dashed(name),
        "source": source,
        "table": table,
        "url": url,
        "services": _own_services(),
        "pool": _pool(name),
        "version": package_version(),
        "next_minor": _next_minor(package_version()),
        "package_source": package.source,
        "vendored": package.wheel is not None,
    }
    files = dict.fromkeys(_EMPTY, b"")
    for path in sorted(path for path in _TEMPLATE.rglob("*") if path.is_file()):
        below, content = path.relative_to(_TEMPLATE).as_posix(), path.read_bytes()
        if path.suffix == ".j2":
            below = below.removesuffix(".j2")
            content = environment.from_string(content.decode()).render(context).encode()
        files[below] = content
    files["prefect.yaml"] = _deployments(name)
    if package.wheel:
        files[f"vendor/{package.wheel.name}"] = package.wheel.read_bytes()
    files[RECORD] = recorded(files).to_text().encode()
    return files


def recorded(files: Mapping[str, bytes]) -> ProjectRecord:
    """Return the record of files that this version has written."""
    return ProjectRecord(package_version(), {name: sha256(files[name]).hexdigest() for name in OWNED})


def owned_files() -> dict[str, bytes]:
    """Return the files that are the same in every project of this version."""
    return {name: (_TEMPLATE / name).read_bytes() for name in OWNED}


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files below a folder."""
    for name, content in files.items():
        write_project_file(folder / name, content)
        (folder / name).chmod(rights_of(name))


def rights_of(name: str) -> int:
    """Return the mode of a file of a project, by its path below the project."""
    return 0o755 if name in _EXECUTABLE else 0o644


def _own_services() -> list[str]:
    """Return the services of docker-compose.yml that run the project's own image."""
    described = yaml.safe_load((_TEMPLATE / "docker-compose.yml").read_text(encoding="utf-8"))
    return [name for name, service in described["services"].items() if "build" in service]


def _pool(name: str) -> str:
    return f"{dashed(name)}-pool"


def _deployments(name: str) -> bytes:
    """Return prefect.yaml with the names of a project: several projects may share one Prefect server."""
    text = (_TEMPLATE / "prefect.yaml").read_text(encoding="utf-8")
    named = re.sub(r"^  - name: ", f"  - name: {dashed(name)}-", text, flags=re.MULTILINE)
    return named.replace("etl-pool", _pool(name)).encode()


def _next_minor(version: str) -> str:
    major, minor, *_ = version.split(".")
    return f"{major}.{int(minor) + 1}"
