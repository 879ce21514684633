"""Each declaration of a public API in examples/apis fetches a day, and an empty day, from the imitation of that API."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from examples.apis.imitation import DAY, EMPTY_DAY
from examples.events_api import serving
from orchestration.errors import SourceFailed
from orchestration.log import log_to
from orchestration.settings import PROJECT_DIR, SourceSettings
from orchestration.source.config import Table, read_file
from orchestration.source.fetch import fetch_date
from orchestration.source.pages import Page
from tests.helpers.projects import settings_of

APIS = PROJECT_DIR / "examples" / "apis"
NAMES = sorted(folder.name for folder in APIS.iterdir() if (folder / "api.py").exists())

# Where the records of a page are, written down again by hand.
AT: dict[str, Any] = {
    "stripe": lambda body: body["data"],
    "hubspot": lambda body: body["results"],
    "salesforce": lambda body: body["records"],
    "usgs": lambda body: body["features"],
    "nvd": lambda body: body["vulnerabilities"],
    "open_meteo": lambda body: [
        dict(zip(body["hourly"], row, strict=True)) for row in zip(*body["hourly"].values(), strict=True)
    ],
    "world_bank": lambda body: body[1],
    "square": lambda body: body["payments"],
    "wikimedia": lambda body: body["items"][0]["articles"],
    "twilio": lambda body: body["messages"],
}


def records(name: str, table: Table, pages: tuple[Page, ...]) -> list[Any]:
    found: list[Any] = []
    for text in filter(None, (page.path.read_text() for page in pages)):
        if table.fetch.form == "ndjson":
            found += map(json.loads, text.splitlines())
        else:
            found += AT.get(name, list)(json.loads(text))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_day_and_an_empty_day_are_fetched_exactly(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certificate_file: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate_file))
    api = import_module(f"examples.apis.{name}.api")
    (table,) = read_file(APIS / name / "sources.yml")
    logged: list[str] = []

    with serving(api.app()) as url:
        secrets: dict[str, Any] = {field: SecretStr(text) for field, text in api.SECRETS.items()}
        settings = settings_of(monkeypatch, tmp_path, ELT_RETRY_WAIT=0.5)
        settings = replace(settings, sources={name: SourceSettings(url=url).model_copy(update=secrets)})

        def fetch(date: str) -> list[Any]:
            return records(name, table, fetch_date([table], settings, date, tmp_path / date, log_to(logged.append)))

        assert fetch(DAY) == api.RECORDS
        if hasattr(api, "NO_DATA"):
            with pytest.raises(SourceFailed, match=api.NO_DATA):
                fetch(EMPTY_DAY)
        else:
            assert fetch(EMPTY_DAY) == []
    assert not any(
        str(secret) in line for line in logged for field, secret in api.SECRETS.items() if "user" not in field
    )


def test_there_are_thirteen() -> None:
    assert len(NAMES) == 13
