"""The jars with which Spark reads S3, by a pinned list with checksums.

pyspark's wheel has no S3 client. `make setup-spark` fetches the jars once per user, with the Ivy that the wheel has.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from orchestration.errors import PlatformFailed, UsageError
from orchestration.log import Log, log_to
from orchestration.private import restrict_rights
from orchestration.program import run_program
from orchestration.workdir import translate_disk_errors

_LIST = Path(__file__).with_name("jars.txt")
_TIMEOUT = 900.0
_SETTINGS = """\
<ivysettings>
  <settings defaultResolver="central"/>
  <caches defaultCacheDir="{cache}"/>
  <resolvers><ibiblio name="central" m2compatible="true"/></resolvers>
</ivysettings>
"""


@dataclass(frozen=True)
class Jar:
    """One jar of Maven Central: its coordinates and the SHA-256 of its file."""

    organisation: str
    name: str
    version: str
    sha256: str

    @property
    def file(self) -> str:
        """Return the name of its file."""
        return f"{self.name}-{self.version}.jar"


def pinned_jars() -> tuple[Jar, ...]:
    """Return the jars of the list."""
    lines = _LIST.read_text(encoding="utf-8").splitlines()
    return tuple(Jar(*line.split()) for line in lines if not line.startswith("#"))


def jars_folder(cache_dir: Path) -> Path:
    """Return the folder of the jars in the user's cache. Another list has another folder."""
    return cache_dir / "spark" / f"jars-{hashlib.sha256(_LIST.read_bytes()).hexdigest()[:12]}"


def require_jars(cache_dir: Path) -> Path:
    """Return the folder of the jars.

    Raises:
        UsageError: A jar is missing, or is not the one of the list.
    """
    folder = jars_folder(cache_dir)
    if wrong := _wrong(folder):
        raise UsageError(
            f"Spark's jars for S3 are missing or damaged: {len(wrong)} of {len(pinned_jars())} in {folder}, "
            f"such as {wrong[0].file}",
            remedy="make setup-spark, or python -m orchestration.spark.jars",
        )
    return folder


def fetch_jars(cache_dir: Path, java: Path, log: Log) -> Path:
    """Fetch the jars that the cache lacks, and return their folder.

    Raises:
        PlatformFailed: A jar could not be fetched, or is not the one of the list.
        DiskFailed: The cache could not be written.
    """
    folder = jars_folder(cache_dir)
    if not _wrong(folder):
        return folder
    with translate_disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as work:
            log.info(f"fetching {len(pinned_jars())} jars from Maven Central, once per user")
            fetched = _fetch(Path(work), java)
            if wrong := _wrong(fetched):
                raise PlatformFailed(
                    f"{wrong[0].file} from Maven Central does not have the SHA-256 of {_LIST.name}, {wrong[0].sha256}",
                    remedy="python -m orchestration.spark.jars tries again; a proxy may answer with something else",
                )
            shutil.rmtree(folder, ignore_errors=True)
            fetched.replace(folder)
    return folder


def _fetch(work: Path, java: Path) -> Path:
    module = "".join(
        f'<dependency org="{jar.organisation}" name="{jar.name}" rev="{jar.version}" transitive="false" '
        'conf="default->master"/>'
        for jar in pinned_jars()
    )
    (work / "ivy.xml").write_text(
        f'<ivy-module version="2.0"><info organisation="ingest-clean" module="jars"/>'
        f"<dependencies>{module}</dependencies></ivy-module>",
        encoding="utf-8",
    )
    (work / "settings.xml").write_text(_SETTINGS.format(cache=work / "cache"), encoding="utf-8")
    fetched = work / "jars"
    command = [
        *(str(java), "-jar", str(_ivy())),
        *("-settings", str(work / "settings.xml"), "-ivy", str(work / "ivy.xml")),
        *("-confs", "default", "-types", "jar", "-retrieve", f"{fetched}/[artifact]-[revision].[ext]"),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False, cwd=work)
    except subprocess.SubprocessError as error:
        raise PlatformFailed(
            f"Maven Central: {error}", remedy="python -m orchestration.spark.jars tries again"
        ) from error
    if done.returncode or not fetched.is_dir():
        last = [
            line.strip() for line in (done.stdout + done.stderr).splitlines() if "not found" in line or "rror" in line
        ]
        raise PlatformFailed(
            f"Ivy could not fetch the jars from Maven Central: {last[0] if last else f'code {done.returncode}'}",
            remedy="check that this machine reaches Maven Central, then python -m orchestration.spark.jars",
        )
    return fetched


def _ivy() -> Path:
    found = sorted(Path(str(files("pyspark"))).glob("jars/ivy-*.jar"))
    if not found:
        raise PlatformFailed(
            "pyspark has no jars/ivy-*.jar, with which jars are fetched", remedy="install pyspark again"
        )
    return found[0]


def _wrong(folder: Path) -> list[Jar]:
    """Return the jars that a folder lacks or has otherwise."""
    return [jar for jar in pinned_jars() if _sha256(folder / jar.file) != jar.sha256]


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""


def main() -> int:
    """Fetch the jars during `make setup-spark`, before they are needed."""
    from orchestration.settings import read_settings
    from orchestration.spark.java import find_java

    restrict_rights()
    log = log_to(lambda line: print(line, flush=True))
    return run_program(lambda: f"Spark's jars for S3: {fetch_jars(read_settings().cache_dir, find_java(), log)}")


if __name__ == "__main__":
    sys.exit(main())
