"""A table is appended to a source's YAML without another change, and files are written all or none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.declare.files import require_appended, sources_file, table_text, with_table, write_all
from orchestration.errors import DiskFailed, UsageError

TABLE: dict[str, Any] = {
    "name": "things",
    "description": "One record of things, as the API sends it.",
    "config": {
        "meta": {"key": ["on", "a.b"], "fetch": {"path": "/things", "parameters": {"date": "{date}", "v": "1.0"}}}
    },
    "columns": [{"name": "on", "data_type": "varchar"}, {"name": "{{ 'a {{ b' }}", "config": {"meta": {"as": "a_b"}}}],
}

FILES = {
    "a comment at the end": """\
sources:
  - name: shop  # the shop
    tables:
      # the first table
      - name: events
        columns:
          - {name: id}  # its id
# the end
""",
    "a folded text at the end": """\
sources:
  - name: shop
    tables:
      - name: events
        description: >
          One record
          per event.
""",
    "another source after it": """\
sources:
  - name: shop
    tables:
      - name: events
        columns: []

  # the second source
  - name: ads
    tables:
      - name: clicks
""",
    "another key after it": """\
version: 2
sources:
- name: shop
  tables:
  - name: events
    config:
      meta: {key: [id]}
  description: Comes last.
models: []
""",
    "no line end": "sources:\n  - name: shop\n    tables:\n      - name: events",
}


def written(folder: Path, text: str) -> Path:
    file = folder / "models" / "staging" / "any.yml"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    return file


@pytest.mark.parametrize("case", FILES)
def test_a_table_is_appended_and_each_line_of_the_file_is_kept(tmp_path: Path, case: str) -> None:
    before = FILES[case]
    file = written(tmp_path, before)

    after = with_table(sources_file(tmp_path, "shop"), "shop", TABLE)

    require_appended(before, after, "shop", "things")
    tables = next(one for one in yaml.safe_load(after)["sources"] if one["name"] == "shop")["tables"]
    assert [table["name"] for table in tables] == ["events", "things"]
    assert tables[-1] == TABLE
    kept = iter(after.splitlines())
    assert all(line in kept for line in before.splitlines())
    assert sources_file(tmp_path, "shop") == file


def test_a_new_source_has_a_file_of_its_own(tmp_path: Path) -> None:
    file = sources_file(tmp_path, "shop")
    (source,) = yaml.safe_load(with_table(file, "shop", TABLE))["sources"]

    assert file == tmp_path / "models/staging/shop/_shop__sources.yml"
    assert source["name"] == "shop"
    assert source["tables"] == [TABLE]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sources: [{name: shop, tables: [{name: events}]}]", "tables is no list with a line for each table"),
        ("sources:\n  - name: shop\n", "tables is no list with a line for each table"),
        ("sources:\n  - name: shop\n    tables:\n      - name: things\n", "has a table things already"),
        ("sources: [", "not YAML"),
    ],
)
def test_yaml_that_cannot_be_appended_to_is_refused(tmp_path: Path, text: str, says: str) -> None:
    file = written(tmp_path, text)

    with pytest.raises(UsageError, match=says):
        with_table(file, "shop", TABLE)


def test_another_change_is_noticed() -> None:
    before = "sources:\n  - name: shop\n    tables:\n      - name: events\n"
    after = f"{before.replace('events', 'other')}{table_text(TABLE, 6)}"

    with pytest.raises(UsageError, match="no table can be appended"):
        require_appended(before, after, "shop", "things")


def test_everybody_may_read_what_is_written(tmp_path: Path) -> None:
    """The user of a container image is another one, and `elt` creates other files for its own user only."""
    (tmp_path / "kept").write_bytes(b"before")
    (tmp_path / "kept").chmod(0o600)
    before = os.umask(0o077)
    try:
        write_all(tmp_path, {"new/folder/file": b"new", "kept": b"after"})
    finally:
        os.umask(before)

    modes = {
        name: (tmp_path / name).stat().st_mode & 0o777 for name in ("new", "new/folder", "new/folder/file", "kept")
    }
    assert modes == {"new": 0o755, "new/folder": 0o755, "new/folder/file": 0o644, "kept": 0o600}


def test_files_are_written_all_or_none(tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"before")

    with pytest.raises(DiskFailed):
        write_all(tmp_path, {"kept": b"after", "new/folder/file": b"new", "kept/file": b"x"})
    assert (tmp_path / "kept").read_bytes() == b"before"
    assert not (tmp_path / "new").exists()
    assert write_all(tmp_path, {"kept": b"before", "new/file": b"new"}) == ["new/file"]
