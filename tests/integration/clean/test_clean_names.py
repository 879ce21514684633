"""Fields with any name: each value reaches its own column; a field without a usable name is refused."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest

from orchestration.dbt_runner.build import Engine
from orchestration.dbt_runner.inputs import RunFile
from orchestration.models.generate import require_current
from tests.helpers.projects import copy_project
from tests.helpers.tables import Field, write_table

from .conftest import DATE, Bench, event, parsed, product

HELPERS = (
    "page", "record", "is_object", "undeclared_fields", "missing_fields", "reject_reason", "fields", "names", "copies",
    "copy number", "versions", "execution date", "uri", "date", "json", "reason", "part", "name", "row_count", "key",
    "rowid", "file_index", "excluded", "new", "events", "user", "current date", "session user", "localtime",
    "records", "parsed", "source", "renamed", "typed", "judged", "ranked", "accepted", "deduplicated", "checked",
    "rejected", "repeated", "accounting", "raw", "curated", "missing", "undeclared", "occurrences", "n_records",
    "unique_field", "value_field", "value", "position", "value_0", "times", "rank", "filename", "file_row_number",
)  # fmt: skip
"""Names of helper columns, aliases and relations, as a field may have them."""

ODD = {
    'say "when"': "say_when", "it's": "it_s", "back\\slash": "back_slash", "line\nbreak": "line_break",
    "open { brace": "open_brace", "two {{ braces": "two_braces", "{% tag %}": "tag", "per%cent": "per_cent",
    "US$ $1": "us_1", "a.b.c": "a_b_c", "sub/path": "sub_path", "til~de": "til_de", "list[0]": "list_0",
    "x" * 300: "x" * 300,
    "semi;colon -- comment": "semi_colon_comment", "/* open": "open", "carriage\rreturn": "carriage_return",
    "{# note #}": "note", "}} end": "end_braces", "{{{": "three_braces", "Größe 2": "gr_e_2",
}  # fmt: skip


def keywords() -> list[str]:
    with duckdb.connect() as connection:
        return [
            row[0] for row in connection.execute("select keyword_name from duckdb_keywords() order by 1").fetchall()
        ]


def many_fields() -> list[Field]:
    """Returns fields with all kinds of names, each with a second one that ends in `Text`, a former name of helpers."""
    names = {word.title().replace("_", " "): word for word in keywords()}
    names |= {word.title(): word.replace(" ", "_") for word in HELPERS}
    columns = {column: raw for raw, column in {**names, **ODD}.items()}
    columns |= {
        f"{column}_text": f"{raw} Text" for column, raw in columns.items() if column in ("page", "date", "from")
    }
    # Names without a letter or digit, or with the column name of another field.
    own = ("end_braces", "three_braces")
    fields = [Field(raw, column, own=column in own) for column, raw in columns.items()]
    return [
        *fields,
        Field("_id", "document_id", own=True),
        Field("id", "id"),
        Field("ID", "another_id", own=True),
        Field("2024", "in_2024", own=True),
        Field("日本", "japan", own=True),
        Field("€", "euros", own=True),
        Field("", "no_name", own=True),
        Field("Copy Number Text", "copy_number_text"),
        Field("Price", "price", "double"),
        Field("Price Text", "price_text"),
        Field("Left At", "left_at", "timestamptz"),
        Field("Left At Text", "left_at_text"),
    ]


def value_of(field: Field, number: int) -> Any:
    at = {"double": number + 0.5, "timestamptz": f"{DATE}T10:00:{number:02}Z"}
    return at.get(field.type, f"{field.column} {number}")


def run_of(bench: Bench, table: str, records: list[Any]) -> RunFile:
    run = bench.run([[event()]], [[product()]])
    return RunFile(
        run.execution_date,
        run.lake_root,
        run.raw_root,
        {**run.raw, f"shop.{table}": bench.write(table, [records])},
    )


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Bench:
    """A project with a table with all kinds of names; its key has two columns, both keywords."""
    project = copy_project(tmp_path_factory.mktemp("named"))
    write_table(project, "odd_names", many_fields(), ["order", "copy_number"], "left_at")
    return parsed(project, tmp_path_factory.mktemp("parsed"), engine)


def test_every_value_reaches_its_own_column(named: Bench) -> None:
    fields = many_fields()
    records = [{field.raw: value_of(field, number) for field in fields} for number in range(2)]
    no_key = {**records[0], "Order": " "}
    conflicting = {**records[1], "Price": "99", "Left At": f"{DATE}T11:00:00Z"}

    result = named.build_run(run_of(named, "odd_names", [*records, records[0], conflicting, no_key]))

    broken = [node for node in result.nodes if node.status not in ("success", "pass")]
    assert [(node.name, node.status) for node in broken] == [("odd_names_reject_share_within_limit", "fail")], broken[
        0
    ].message[:1500]
    columns = [field.column for field in fields]
    found = named.rows("odd_names", ", ".join(f'"{column}"::varchar' for column in columns))
    for number, row in enumerate(found):
        shown = {field.column: str(value_of(field, number)) for field in fields}
        shown["left_at"] = f"{DATE} 10:00:0{number}+00"
        assert dict(zip(columns, row, strict=True)).items() ^ shown.items() == set()
    parts = result.accounting["odd_names"]
    assert (parts.raw, parts.curated, parts.identical, parts.conflicting) == (5, 2, 1, 1)
    assert (parts.rejected, parts.drift, parts.missing) == ({"order_missing": 1}, {}, {})
    ((reason, page, record),) = named.rows("odd_names_rejected")
    assert (reason, page) == ("order_missing", f"raw/shop/odd_names/date={DATE}/page-00001.json")
    assert json.loads(record) == no_key


def test_the_generated_models_are_up_to_date_and_plain(named: Bench) -> None:
    """A name is quoted only if DuckDB requires it."""
    assert require_current(named.project_dir) > 0

    curated = (named.project_dir / "models/curated/odd_names.sql").read_text()
    assert '    "order" nulls last' in curated
    assert "        timestamp,\n" in curated
    assert '"status_text"' not in curated
