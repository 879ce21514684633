"""docs/sources.md and the JSON Schema are generated from the types that check the YAML."""

from __future__ import annotations

import json
import re

import msgspec
import yaml

from orchestration.settings import PROJECT_DIR
from orchestration.source.config import read_file
from orchestration.source.describe import DOCUMENT, SCHEMA, document, json_schema
from orchestration.source.schema import Fetch, SourceMeta

TEXT = DOCUMENT.read_text(encoding="utf-8")


def test_the_generated_parts_are_current() -> None:
    assert document(TEXT) == TEXT, "run python -m orchestration.source.describe"
    assert SCHEMA.read_text(encoding="utf-8") == json_schema(), "run python -m orchestration.source.describe"


def test_every_field_has_a_description_in_the_schema() -> None:
    fields = json.loads(json_schema())["$defs"]["Fetch"]["properties"]

    assert set(fields) == set(Fetch.__struct_encode_fields__)
    assert [name for name, field in fields.items() if "description" not in field and "$ref" not in str(field)] == []


def test_the_examples_of_the_document_are_valid() -> None:
    examples = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]

    of_sources = [source for example in examples for source in example.get("sources", ())]
    of_tables = [example for example in examples if "sources" not in example]
    assert (len(of_sources), len(of_tables)) == (1, 3)
    for source in of_sources:
        assert msgspec.convert(source["config"]["meta"], SourceMeta)
    for example in of_tables:
        fetch = {"path": "/", "form": "array", **example.get("fetch", example)}
        assert msgspec.convert(fetch, Fetch)


def test_every_declared_api_is_read() -> None:
    files = sorted((PROJECT_DIR / "examples" / "apis").glob("*/sources.yml"))

    assert [table.source for file in files for table in read_file(file)] == [file.parent.name for file in files]
