"""Secret blocks of the tests on a real Prefect server, and settings that read them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from prefect.client.orchestration import get_client
from prefect.context import refresh_global_settings_context
from prefect.exceptions import ObjectNotFound
from pydantic import SecretStr

from orchestration.endpoints import use_prefect
from orchestration.flows.secrets import LAKE, NOTIFY
from orchestration.project import own_name
from orchestration.settings import (
    EltSettings,
    LakeSettings,
    Settings,
    SourceSettings,
    read_settings,
)
from tests.helpers.elt_runs import CLOSED
from tests.helpers.projects import NAME

ACCESS, SESAM = "ELTKEY", "sesam+of/the-blocks="
TOKEN = "till-api-token"
MINE = (LAKE, NOTIFY, TOKEN, "city-till-api-token")
JSON_FORM = json.dumps({"access_key": ACCESS, "secret_key": SESAM})
LAKEFS = LakeSettings(endpoint="http://lake.example")


@contextmanager
def prefect_down() -> Iterator[str]:
    """Connects this process to a closed port, without retries."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("PREFECT_API_URL", f"{CLOSED}/api")
        monkeypatch.setenv("PREFECT_CLIENT_MAX_RETRIES", "0")
        try:
            yield use_prefect(read_settings())
        finally:
            # Also after a failed test: the teardown of `api` needs the session's server again.
            monkeypatch.undo()
            refresh_global_settings_context()


def remove_blocks() -> None:
    with get_client(sync_client=True) as client:
        for name in MINE:
            try:
                client.delete_block_document(client.read_block_document_by_name(own_name(NAME, name), "secret").id)
            except ObjectNotFound:
                continue


def settings(lake: LakeSettings = LAKEFS, elt: EltSettings | None = None, **sources: SourceSettings) -> Settings:
    return replace(read_settings(), elt=elt or EltSettings(), lake=lake, sources=sources)


def keys_of(lake: LakeSettings) -> tuple[str | None, str | None]:
    return plain(lake.access_key), plain(lake.secret_key)


def token_of(source: SourceSettings) -> str | None:
    return plain(source.token)


def plain(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None
