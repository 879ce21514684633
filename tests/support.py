"""What several test modules build: projects with a source, and settings that point at servers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.settings import PROJECT_DIR, Settings, read_settings

RETAIL = PROJECT_DIR.parent / "shared" / "retail"
needs_retail = pytest.mark.skipif(not RETAIL.exists(), reason="no folder ../shared/retail beside this checkout")

EVENTS = {"path": "/events", "date_parameter": "date", "form": "array"}
PRODUCTS = {"path": "/products", "date_parameter": "date", "form": "array"}


def write_sources(project: Path, tables: dict[str, Any], *, source: str = "shop") -> Path:
    """A project folder whose one source has these tables; a value is the table's `config.meta`."""
    file = project / "models" / "staging" / source / f"_{source}__sources.yml"
    file.parent.mkdir(parents=True, exist_ok=True)
    described = [{"name": name, "config": {"meta": meta}} for name, meta in tables.items()]
    file.write_text(yaml.safe_dump({"sources": [{"name": source, "tables": described}]}))
    return file


def events_only(project: Path, **fetch: Any) -> Path:
    """A project with the one table `events`, fetched as told."""
    return write_sources(project, {"events": {"key": ["event_id"], "fetch": {**EVENTS, **fetch}}})


def settings_of(monkeypatch: pytest.MonkeyPatch, project: Path, **environment: object) -> Settings:
    """Settings as a user of `project` with this environment has them; tries are quick."""
    monkeypatch.setenv("ELT_PROJECT_DIR", str(project))
    monkeypatch.setenv("ELT_RETRY_WAIT", "0.05")
    for name, value in environment.items():
        monkeypatch.setenv(name, str(value))
    return read_settings()
