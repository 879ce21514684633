"""Images for the tests of the stack, made without an image registry, and kept between runs.

The project's own image comes from its Dockerfile as written. Stand-ins have the names of the third-party images and run
the same versions of the programs: PostgreSQL from Debian, lakeFS, Versity and MinIO from their Go modules.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestration.log import log_to
from orchestration.servers.build import LAKEFS_VERSION, lakefs_binary
from orchestration.servers.toolchain import go_command
from orchestration.settings import read_settings
from tests.helpers.isolation import CHECKOUT
from tests.stack.engine import cache_folder, podman, run

PYTHON: str = re.findall(r"^ARG PYTHON=(\S+)$", (CHECKOUT / "Dockerfile").read_text(), re.MULTILINE)[0]
"""The base of the project's image. Its stand-in has Debian's Python, which is older."""

ELT = "localhost/ingest-clean:0.2.0"
POSTGRES = "docker.io/library/postgres:15.18-bookworm"
VERSITY = "docker.io/versity/versitygw:v1.8.0"
LAKEFS = f"docker.io/treeverse/lakefs:{LAKEFS_VERSION}"
MINIO = "quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z"

DEBIAN = "localhost/ingest-clean-tests/debian:bookworm"
"""The base of the stand-ins."""

_LABEL = "ingest-clean.tests.source"
_HERE = Path(__file__).parent / "images"
_DEBIAN = "bookworm"
_PACKAGES = "ca-certificates,python3,python3-venv"
_BUILT_FROM = ("Dockerfile", ".dockerignore", "pyproject.toml", "uv.lock", "tools/uv.txt")
_COPIED = ("macros", "models", "profiles", "tests/data", "orchestration", "examples")
_LOG = log_to(print)


@dataclass(frozen=True)
class GoProgram:
    """A program of a Go module.

    Attributes:
        module: The module's path and version.
        package: The package of the program in the module.
        flags: What the linker sets.
    """

    module: str
    package: str
    flags: str = ""


_VERSITY = GoProgram("github.com/versity/versitygw@v1.8.0", "./cmd/versitygw", "-X main.Version=v1.8.0")
# The commit of the release's tag: the module proxy has no tags that are not versions.
_MINIO = GoProgram(
    "github.com/minio/minio@v0.0.0-20250907161309-07c3a429bfed",
    ".",
    "-X github.com/minio/minio/cmd.Version=2025-09-07T16:13:09Z "
    "-X github.com/minio/minio/cmd.ReleaseTag=RELEASE.2025-09-07T16-13-09Z",
)
# Used for `mc ready` only. The release in MinIO's image is five months newer and not in the checksum database.
_MC = GoProgram("github.com/minio/mc@v0.0.0-20250313080218-cf909e1063a9", ".")


def ensure_images(store: str) -> Mapping[str, str]:
    """Build what is missing for a stack with this store, and return the sizes of all its images."""
    python = ensure_base()
    base = _ensure_debian(python)
    _ensure_elt(python)
    stand_ins = {
        POSTGRES: _ensure_postgres,
        LAKEFS: _ensure_lakefs,
        **({VERSITY: _ensure_versity} if store == "versity" else {MINIO: _ensure_minio}),
    }
    for ensure in stand_ins.values():
        ensure(base)
    return {name: size_of(name) for name in (PYTHON, ELT, *stand_ins)}


def size_of(name: str) -> str:
    """Return the size of an image, in megabytes."""
    return f"{int(podman('image', 'inspect', '--format', '{{.Size}}', name)) / 1e6:.0f} MB"


def ensure_base() -> str:
    """Return the name of a Debian with Python, under the name of the project's base image."""
    source = _digest(_DEBIAN, _PACKAGES)
    if _exists(PYTHON, source):
        return PYTHON
    root = cache_folder() / "rootfs"
    if not root.exists():
        partial = root.with_name("rootfs.partial")
        shutil.rmtree(partial, ignore_errors=True)
        print(f"debootstrap of {_DEBIAN}, once per machine, about 4 minutes", flush=True)
        run("debootstrap", "--variant=minbase", f"--include={_PACKAGES}", _DEBIAN, str(partial), _mirror(), limit=1800)
        for waste in ("var/cache/apt/archives", "var/lib/apt/lists"):
            shutil.rmtree(partial / waste)
            (partial / waste / "partial").mkdir(parents=True)
        partial.rename(root)
    container = run("buildah", "from", "scratch").stdout.strip()
    try:
        run("buildah", "add", container, str(root), "/")
        run("buildah", "config", "--label", f"{_LABEL}={source}", "--cmd", "python3", container)
        run("buildah", "commit", "--quiet", container, PYTHON)
    finally:
        run("buildah", "rm", container)
    return PYTHON


def _mirror() -> str:
    """Return the Debian mirror of this machine."""
    files = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    text = "\n".join(file.read_text() for file in files if file.exists())
    for match in re.finditer(r"^(?:URIs: |deb (?:\[[^]]*\] )?)(\S*debian/?)(?:\s|$)", text, re.MULTILINE):
        return match[1]
    return "http://deb.debian.org/debian"


def _ensure_elt(base: str) -> None:
    files = [CHECKOUT / name for name in _BUILT_FROM]
    for folder in _COPIED:
        files += [file for file in sorted((CHECKOUT / folder).rglob("*")) if _is_source(file)]
    source = _digest(base, *(f"{file.relative_to(CHECKOUT)}\n{_hash(file)}" for file in files))
    if not _exists(ELT, source):
        print("building the project's image", flush=True)
        with _trust() as mounts:
            _build(ELT, source, CHECKOUT / "Dockerfile", CHECKOUT, *mounts, "--build-arg", "REVISION=tests")


def _is_source(file: Path) -> bool:
    return file.is_file() and "__pycache__" not in file.parts and file.suffix != ".duckdb"


@contextmanager
def _trust() -> Iterator[list[str]]:
    """Give a build the certificates and the index of this machine: by mounts, so that no image has them."""
    bundle = os.environ.get("SSL_CERT_FILE") or os.environ.get("PIP_CERT") or "/etc/ssl/certs/ca-certificates.crt"
    with tempfile.TemporaryDirectory() as folder:
        uv, pip = Path(folder, "uv.toml"), Path(folder, "pip.conf")
        index = run("python3", "-m", "pip", "config", "get", "global.index-url", check=False).stdout.strip()
        uv.write_text("native-tls = true\n" + (f'[[index]]\nurl = "{index}"\ndefault = true\n' if index else ""))
        pip.write_text(
            "[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n" + (f"index-url = {index}\n" if index else "")
        )
        mounts = {bundle: "/etc/ssl/certs/ca-certificates.crt", str(uv): "/etc/uv/uv.toml", str(pip): "/etc/pip.conf"}
        yield [f"--volume={source}:{target}:ro" for source, target in mounts.items()]


def _ensure_debian(base: str) -> str:
    """Return the base of the stand-ins: with BusyBox, which health checks call in images with Alpine."""
    _stand_in(DEBIAN, base, "debian.Dockerfile", {})
    return DEBIAN


def _ensure_postgres(base: str) -> None:
    _stand_in(POSTGRES, base, "postgres.Dockerfile", {"postgres-entrypoint.sh": _HERE / "postgres-entrypoint.sh"})


def _ensure_versity(base: str) -> None:
    entry = _module_folder(_VERSITY) / "docker-entrypoint.sh"
    _stand_in(VERSITY, base, "versitygw.Dockerfile", {"versitygw": _program(_VERSITY), "docker-entrypoint.sh": entry})


def _ensure_minio(base: str) -> None:
    entry = _module_folder(_MINIO) / "dockerscripts" / "docker-entrypoint.sh"
    programs = {"minio": _program(_MINIO), "mc": _program(_MC)}
    _stand_in(MINIO, base, "minio.Dockerfile", {**programs, "docker-entrypoint.sh": entry})


def _ensure_lakefs(base: str) -> None:
    _stand_in(LAKEFS, base, "lakefs.Dockerfile", {"lakefs": lakefs_binary(read_settings(), _LOG)})


def _stand_in(name: str, base: str, dockerfile: str, files: Mapping[str, Path]) -> None:
    source = _digest(base, _hash(_HERE / dockerfile), *map(_hash, files.values()))
    if _exists(name, source):
        return
    with tempfile.TemporaryDirectory(dir=cache_folder()) as context:
        for target, file in files.items():
            shutil.copy(file, Path(context, target))
            Path(context, target).chmod(0o755)
        _build(name, source, _HERE / dockerfile, Path(context), "--build-arg", f"BASE={base}")


def _build(name: str, source: str, dockerfile: Path, context: Path, *options: str) -> None:
    arguments = ("--pull=never", "--isolation=chroot", "--layers", "--label", f"{_LABEL}={source}", *options)
    run("buildah", "bud", *arguments, "--file", str(dockerfile), "--tag", name, str(context), limit=2400)


def _module_folder(program: GoProgram) -> Path:
    go = shutil.which("go")
    assert go, "a Go compiler is needed on PATH"
    found = run(go, "mod", "download", "-json", program.module, folder=cache_folder(), variables={"GOFLAGS": ""})
    return Path(json.loads(found.stdout)["Dir"])


def _program(program: GoProgram) -> Path:
    """Return the built program of a Go module, from an earlier run or built now."""
    name = program.module.partition("@")[0].rpartition("/")[2]
    binary = cache_folder() / "bin" / f"{name}-{_digest(program.module, program.flags)}"
    if binary.exists():
        return binary
    folder = _module_folder(program)
    binary.parent.mkdir(exist_ok=True)
    partial = binary.with_name(f"{binary.name}.partial")
    print(f"building {program.module}, once per machine", flush=True)
    run(
        *go_command(folder / "go.mod"),
        *("build", "-trimpath", "-buildvcs=false", "-ldflags", f"-s -w {program.flags}", "-o", str(partial)),
        program.package,
        folder=folder,
        variables={"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"},
        limit=2400,
    )
    return partial.rename(binary)


def _exists(name: str, source: str) -> bool:
    found = run("podman", "image", "inspect", "--format", f'{{{{index .Labels "{_LABEL}"}}}}', name, check=False)
    return found.stdout.strip() == source


def _hash(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
