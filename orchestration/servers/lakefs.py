"""How the local lakeFS is run: one process, its metadata and objects in one folder, and its credentials."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.errors import ServerFailed
from orchestration.servers.build import lakefs_binary
from orchestration.servers.files import tail, write_private
from orchestration.servers.model import ServerCommand, ServerSpec
from orchestration.servers.ports import HOST

if TYPE_CHECKING:
    from orchestration.log import Log
    from orchestration.settings import Settings

_METADATA = "metadata"


@dataclass(frozen=True)
class Credentials:
    """The keys of one local lakeFS: those of its administrator, and those it encrypts and signs with."""

    access_key: str
    secret_key: str = field(repr=False)
    encrypt_key: str = field(repr=False)
    signing_key: str = field(repr=False)


def read_credentials(data: Path) -> Credentials:
    """Return the keys of the lakeFS in the folder `data`.

    Raises:
        ServerFailed: They are missing or damaged.
    """
    path = _credentials_file(data)
    try:
        return Credentials(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        raise ServerFailed(
            f"cannot read the keys of the local lakeFS, {path}: {type(error).__name__}",
            remedy=f"restore {path}, or delete its data with `elt down --purge`",
        ) from error


def prepare(settings: Settings, data: Path, log: Log) -> Callable[[int], ServerCommand]:
    """Find or build lakeFS and generate its keys if it has no data yet.

    Return a function from a port to the command to run.

    Raises:
        ServerFailed: It cannot be built, or its keys are missing although its data exists.
    """
    binary = lakefs_binary(settings, log)
    # lakeFS creates files that all users can read.
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _credentials_file(data).exists() and not (data / _METADATA).exists():
        write_private(_credentials_file(data), asdict(_generate()))
    credentials = read_credentials(data)

    def launch(port: int) -> ServerCommand:
        config = data / "config.json"
        write_private(config, configuration(data, port))
        return ServerCommand((str(binary), "run", "--config", str(config)), _environment(credentials))

    return launch


def configuration(data: Path, port: int) -> dict[str, object]:
    """Return all settings of the local lakeFS except its keys.

    They are passed as a file, so that lakeFS does not look for another one.
    """
    return {
        "listen_address": f"{HOST}:{port}",
        "database": {"type": "local", "local": {"path": str(data / _METADATA)}},
        "blockstore": {"type": "local", "local": {"path": str(data / "objects")}},
        "committed": {
            "local_cache": {"dir": str(data / "cache")},
            # Objects in one file of a listing, on average. Each commit and merge writes the files that it changes; by
            # default they have 50,000 objects, so that a date would cost more with every date before it.
            "permanent": {"range_raggedness_entries": 500},
        },
        # Without branch ownership, parallel merges fail with 429 and 500.
        "graveler": {"branch_ownership": {"enabled": True}},
        # These would send an installation id home: statistics, release and security checks, a mailing list.
        "stats": {"enabled": False},
        "security": {"check_latest_version": False, "audit_check_url": ""},
        "email_subscription": {"enabled": False},
    }


def repair(data: Path, log: Path) -> bool:
    """Remove the metadata of a lakeFS that was interrupted during its first start; return whether it was.

    lakeFS creates its administrator first and records last that it is set up. If it is interrupted in between, it never
    starts again. It has not served any request then, so nothing is lost.
    """
    log_end = "\n".join(tail(log))
    if "create initial admin user" not in log_end or "already exists" not in log_end:
        return False
    shutil.rmtree(data / _METADATA)
    return True


def _environment(credentials: Credentials) -> dict[str, str]:
    # The user's LAKEFS_ variables are settings of this project, or meant for another server.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LAKEFS_")}
    return kept | {
        "LAKEFS_INSTALLATION_USER_NAME": "admin",
        "LAKEFS_INSTALLATION_ACCESS_KEY_ID": credentials.access_key,
        "LAKEFS_INSTALLATION_SECRET_ACCESS_KEY": credentials.secret_key,
        "LAKEFS_AUTH_ENCRYPT_SECRET_KEY": credentials.encrypt_key,
        "LAKEFS_BLOCKSTORE_SIGNING_SECRET_KEY": credentials.signing_key,
    }


def _generate() -> Credentials:
    # lakeFS accepts 3 to 20 characters as an access key.
    access_key = f"ELT{secrets.token_hex(8).upper()}"
    return Credentials(access_key, *(secrets.token_urlsafe(30) for _ in range(3)))


def _credentials_file(data: Path) -> Path:
    return data / "credentials.json"


SPEC = ServerSpec("lakefs", "lakeFS", port=8000, path="", health="/_health", limit=60, prepare=prepare, repair=repair)
