"""The names of the dbt sources, which name the settings of their APIs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import yaml


def source_names(project_dir: Path) -> frozenset[str]:
    """Return the names of all dbt sources, unchecked: `source.config.read_tables` reports a file that is not valid."""
    # Every command reads these: libyaml, and only the files that may have one.
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
