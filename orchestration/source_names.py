"""Names of the dbt sources. They determine the names of the environment variables for each API."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import yaml


def source_names(project_dir: Path) -> frozenset[str]:
    """Return the names of all dbt sources without validating the files.

    `source.config.read_tables` reports a file that is not valid.
    """
    # Every command reads these, so use libyaml and parse only files that mention sources.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    names: set[str] = set()
    for file in (project_dir / "models").rglob("*.yml"):
        text = file.read_bytes()
        if b"sources" not in text:
            continue
        with suppress(yaml.YAMLError, UnicodeDecodeError, AttributeError, TypeError):
            described = yaml.load(text, Loader=loader).get("sources") or ()  # noqa: S506 (both loaders are safe)
            names |= {source["name"] for source in described if isinstance(source.get("name"), str)}
    return frozenset(names)
