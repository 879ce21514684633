"""The generated files of a project: written once, compared with the declaration, reported if out of date."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from orchestration.errors import UsageError
from orchestration.models.generate import generated_files, require_current, require_declared, write_models
from orchestration.settings import PROJECT_DIR
from orchestration.source.config import read_tables

SOURCES = Path("models/staging/shop/_shop__sources.yml")


EVENTS, CONTRACT = Path("models/curated/events.sql"), Path("models/curated/events.yml")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project's models, to be changed."""
    shutil.copytree(PROJECT_DIR / "models", tmp_path / "models")
    return tmp_path


def test_the_committed_models_are_up_to_date() -> None:
    assert require_current(PROJECT_DIR) == 12


def test_writing_twice_changes_nothing(project: Path) -> None:
    (project / EVENTS).unlink()

    assert write_models(project) == [EVENTS.as_posix()]
    assert (project / EVENTS).read_text() == (PROJECT_DIR / EVENTS).read_text()
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    assert write_models(project) == []
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before


def edit(project: Path, right: str, wrong: str, file: Path = SOURCES) -> None:
    text = (project / file).read_text()
    assert right in text
    (project / file).write_text(text.replace(right, wrong, 1))


def test_a_file_that_is_out_of_date_is_named_with_the_command(project: Path) -> None:
    edit(project, "where _copy_number = 1", "where true", EVENTS)
    edit(project, "data_type: bigint", "data_type: varchar", CONTRACT)

    with pytest.raises(UsageError) as error:
        require_current(project)

    assert error.value.cause == f"out of date with the sources' YAML: {EVENTS}, {CONTRACT}"
    assert error.value.remedy == "elt models"
    write_models(project)
    assert require_current(project) == 12


def test_a_column_declared_in_the_source_is_generated(project: Path) -> None:
    added = "          - name: Channel\n            data_type: varchar\n            description: Where it was sold.\n"
    edit(
        project,
        "            description: Where the customer lives.\n",
        f"            description: Where the customer lives.\n{added}",
    )

    written = write_models(project)

    assert written == [
        "models/staging/shop/stg_shop__events.sql",
        "models/intermediate/events_checked.sql",
        "models/intermediate/events_accounting.sql",
        EVENTS.as_posix(),
        CONTRACT.as_posix(),
    ]
    assert "        _fields['Channel'] as channel,\n" in (project / written[0]).read_text()
    described = yaml.safe_load((project / CONTRACT).read_text())["models"][0]["columns"][-1]
    assert described == {"name": "channel", "data_type": "varchar", "description": "Where it was sold."}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("key: [Event ID]", "key: [Invoice No]"),
        ("            earliest: Timestamp\n", ""),
        ("          - name: Country\n", "          - name: Land\n"),
        ("data_type: double", "data_type: bigint"),
    ],
)
def test_models_of_another_declaration_are_reported(project: Path, right: str, wrong: str) -> None:
    require_declared(project, read_tables(project))
    edit(project, right, wrong)

    with pytest.raises(
        UsageError, match=r"stg_shop__events\.sql was not generated from what .* declares of shop\.events"
    ):
        require_declared(project, read_tables(project))


def test_declarations_outside_the_sql_and_the_sql_itself_may_be_edited(project: Path) -> None:
    edit(project, "              form: array", "              form: ndjson")
    edit(project, "Names the event;", "Names an event;")
    edit(project, "where _copy_number = 1", "where true", EVENTS)

    require_declared(project, read_tables(project))


def test_a_model_that_is_missing_is_reported(project: Path) -> None:
    (project / "models/staging/shop/stg_shop__products.sql").unlink()

    with pytest.raises(UsageError, match=r"stg_shop__products\.sql was not generated"):
        require_declared(project, read_tables(project))


def test_models_of_a_table_that_is_gone_are_reported(project: Path) -> None:
    text = (project / SOURCES).read_text()
    (project / SOURCES).write_text(text[: text.index("      - name: products")])

    with pytest.raises(
        UsageError, match=r"not declared any more: models/curated/products\.sql, models/curated/products_rej"
    ) as error:
        generated_files(project)

    assert error.value.remedy.startswith("rm models/curated/products.sql ")


@pytest.mark.parametrize("name", ["events_rejected", "events_checked"])
def test_two_tables_that_make_one_model_are_reported(project: Path, name: str) -> None:
    edit(project, "      - name: products\n", f"      - name: {name}\n")

    with pytest.raises(UsageError, match=f"shop.events and shop.{name} both make a model {name}"):
        generated_files(project)
