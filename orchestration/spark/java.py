"""The Java that runs Spark."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from orchestration.errors import UsageError

SUPPORTED = (17, 21)
"""Versions that Spark 4 is tested on: https://spark.apache.org/docs/latest/#downloading."""

_REMEDY = "install OpenJDK 17 or 21, and set JAVA_HOME to it"


def find_java() -> Path:
    """Return the `java` of JAVA_HOME, else the one on PATH.

    Raises:
        UsageError: It is missing, or of a version that Spark does not support.
    """
    home = os.environ.get("JAVA_HOME", "")
    found = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if not found or not os.access(found, os.X_OK):
        where = f"JAVA_HOME={home} has no bin/java" if home else "there is no java on PATH"
        raise UsageError(f"Spark needs Java: {where}", remedy=_REMEDY)
    version = _version(found)
    if version not in SUPPORTED:
        is_of = f"is Java {version}" if version else "does not name its version"
        raise UsageError(f"Spark needs Java 17 or 21: {found} {is_of}", remedy=_REMEDY)
    return Path(found)


def _version(java: str) -> int | None:
    try:
        result = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    # Up to Java 8, versions were of the form 1.8.
    match = re.search(r'version "(?:1\.)?(\d+)', result.stderr)
    return int(match[1]) if match else None
