"""What is generated of a declaration: SQL that DuckDB reads, and YAML in which people's words stay."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest
import yaml
from jinja2 import Environment

from orchestration.errors import UsageError
from orchestration.models.contracts import contract_of
from orchestration.models.generate import generated_files, require_current, require_declared, write_models
from orchestration.models.sql import (
    aliased,
    digest,
    identifier,
    jinja_list,
    jinja_text,
    sql_literal,
    sql_of,
    struct_fields,
)
from orchestration.settings import PROJECT_DIR
from orchestration.source.columns import Column
from orchestration.source.config import Fetch, Table, read_tables

SOURCES = Path("models/staging/shop/_shop__sources.yml")
EVENTS, CONTRACT = Path("models/curated/events.sql"), Path("models/curated/events.yml")
CHECKED = "models/intermediate/things_checked.sql"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project's models, to be changed."""
    shutil.copytree(PROJECT_DIR / "models", tmp_path / "models")
    return tmp_path


def table_of(*columns: Column, key: Sequence[str] = ("id",), earliest: str | None = None) -> Table:
    by_name = {column.name: column for column in columns}
    return Table(
        source="shop",
        name="things",
        description="One record per thing.",
        fetch=Fetch("/things", "date", "array"),
        loss_limit=0.5,
        file=Path("/project/models/staging/shop/_shop__sources.yml"),
        columns=columns,
        key=tuple(by_name[name] for name in key),
        earliest=by_name[earliest] if earliest else None,
    )


ID, AT = Column("ID", "id"), Column("At", "at", "timestamptz")
SIZE, RATING = Column("Size", "size", "bigint"), Column("Rating", "rating", "double", nullable=True)


def sql(table: Table) -> dict[str, str]:
    return sql_of(table, Path("/project"))


def contract(table: Table, text: str | None = None) -> str:
    return contract_of(table, text, Path("/project"))


# ── SQL ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_table_has_five_models_that_say_what_they_were_generated_from() -> None:
    made = sql(table_of(ID, AT))

    assert list(made) == [
        "models/staging/shop/stg_shop__things.sql",
        "models/intermediate/things_checked.sql",
        "models/intermediate/things_accounting.sql",
        "models/curated/things.sql",
        "models/curated/things_rejected.sql",
    ]
    first = "-- Generated from models/staging/shop/_shop__sources.yml by `make models`."
    assert {text.split("\n", 1)[0] for text in made.values()} == {first}
    assert all(text.endswith("\n") and not text.endswith("\n\n") for text in made.values())


def test_rows_are_judged_by_key_then_by_column() -> None:
    key = Column("No", "no", "double")
    text = sql(table_of(ID, key, AT, SIZE, RATING, key=("no", "id")))[CHECKED]

    judged = text[text.index("        case\n") : text.index("        end as _reject_reason")]
    assert (
        judged
        == """\
        case
            when not _is_object
                then 'record_not_object'
            when {{ is_blank('_no_text') }}
                then 'no_missing'
            when {{ is_blank('id') }}
                then 'id_missing'
            when list_contains(_inexact_columns, 'id')
                then 'id_not_exact'
            when
                "no" is null
                or {{ is_infinite('"no"') }}
                then 'no_not_numeric'
            when {{ is_beyond_digits('_no_text') }}
                then 'no_not_exact'
            when
                at is null
                or {{ is_outside_years('at') }}
                then 'at_unparseable'
            when size is null
                then 'size_not_integer'
            when
                _rating_text is not null
                and (
                    rating is null
                    or {{ is_infinite('rating') }}
                )
                then 'rating_not_numeric'
""".replace('"no"', identifier("no"))
        .replace("at is null", f"{identifier('at')} is null")
        .replace("is_outside_years('at')", f"is_outside_years('{identifier('at')}')")
    )


@pytest.mark.parametrize(
    ("key", "earliest", "order"),
    [
        (("id",), None, ["at", "size", "rating"]),
        (("id",), "at", ["at", "size", "rating"]),
        (("size", "id"), "at", ["at", "rating"]),
        (("id", "at", "size", "rating"), None, ["id", "at", "size", "rating"]),
    ],
)
def test_of_one_key_the_earliest_stays_then_the_columns_decide(
    key: Sequence[str], earliest: str | None, order: list[str]
) -> None:
    text = sql(table_of(ID, AT, SIZE, RATING, key=key, earliest=earliest))["models/curated/things.sql"]

    window = text[text.index("row_number() over") : text.index(") as _copy_number")]
    assert f"partition by {', '.join(map(identifier, key))}\n" in window
    found = [line.strip().removesuffix(",") for line in window.splitlines() if "nulls last" in line]
    assert found == [f"{identifier(name)} nulls last" for name in order]
    final = text[text.index("\nselect * from deduplicated\n") :].split("order by")[1]
    assert [part.strip() for part in final.split(",")] == [f"{identifier(name)} nulls last" for name in key]


def test_a_name_is_quoted_only_where_duckdb_needs_it() -> None:
    with duckdb.connect() as connection:
        words = [word for (word,) in connection.execute("select keyword_name from duckdb_keywords()").fetchall()]
        for name in (*words, "event_id", "x", "rowid", "filename"):
            column = identifier(name)
            connection.execute(
                f"with fields as (select 'a' as {column}, 1 as _x), "
                f"ranked as (select *, {column} as _text, upper({column}) as {column}, "
                f"case when {column} is null or {column} < 'b' then 1 end as _reason, "
                f"row_number() over (partition by {column} order by {column} nulls last, _x nulls last) as _number "
                f"from fields) select {column}, count(*) from fields group by {column} order by {column} nulls last"
            )
    plain = ("event_id", "timestamp", "description", "name", "date", "values")
    assert [identifier(name) for name in plain] == list(plain)
    quoted = ("order", "from", "group", "left", "current_date", "user", "rows", "true")
    assert [identifier(name) for name in quoted] == [f'"{name}"' for name in quoted]


ODD = (
    "Event ID", "it's", 'say "when"', "back\\slash", "line\nbreak", "carriage\rreturn", "two {{ braces", "{% tag %}",
    "{# note #}", "}} end", "{{{", "%", "日本", "tab\tstop", "\u2028", "😀", "\x7f", "",
)  # fmt: skip


@pytest.mark.parametrize("text", ODD)
def test_any_text_survives_jinja_and_sql(text: str) -> None:
    jinja = Environment(keep_trailing_newline=True, extensions=["jinja2.ext.do"])
    jinja.globals["literal"] = lambda text: "'" + text.replace("'", "''") + "'"

    assert jinja.from_string("{{ " + jinja_text(text) + " }}").render() == text
    rendered = jinja.from_string(f"select {sql_literal(text)}").render()
    with duckdb.connect() as connection:
        assert connection.execute(rendered).fetchall() == [(text,)]


def test_lists_are_broken_where_they_are_long() -> None:
    assert jinja_list(["a", "b"], indent=4) == "['a', 'b']"
    assert jinja_list(["a" * 40, "b" * 40], indent=4) == f"[\n        '{'a' * 40}',\n        '{'b' * 40}',\n    ]"
    assert jinja_list([], indent=4) == "[]"


def test_a_line_that_is_too_long_is_broken_before_its_alias() -> None:
    assert aliased("_fields['ID']", "id", 8) == "_fields['ID'] as id"
    assert aliased("x" * 60, "y" * 10, 8) == f"{'x' * 60}\n            as {'y' * 10}"


def test_a_line_that_a_long_name_makes_too_long_is_marked_for_sqlfluff() -> None:
    name = "x" * 90
    made = sql(table_of(ID, Column(name, name, "double", nullable=True)))

    for path, text in made.items():
        for line in text.splitlines():
            jinja = line.lstrip().startswith(("'", '"'))
            assert len(line) <= 80 or line.endswith("  -- noqa: LT05") != jinja, (path, line)
    assert not [path for path, text in sql(table_of(ID, RATING)).items() if "noqa" in text]


def test_fields_that_a_struct_cannot_hold_are_read_from_the_record() -> None:
    assert struct_fields(["id", "ID", "", "Id", "x"]) == ["id", "x"]
    table = table_of(
        Column("id", "id"), Column("ID", "other"), Column("", "empty"), Column("a/b~c", "a_b_c"), Column("A/B~C", "x")
    )
    text = sql(table)["models/staging/shop/stg_shop__things.sql"]

    assert "{{ parse_fields(['id', 'a/b~c']) }} as _fields" in text
    assert "        _fields['id'] as id,\n" in text
    assert "        json_extract_string(_record, '/ID') as other,\n" in text
    assert "        json_extract_string(_record, '/') as empty,\n" in text
    assert "        json_extract_string(_record, '/A~1B~0C') as x,\n" in text


@pytest.mark.parametrize(
    "other",
    [
        table_of(ID, AT, SIZE),
        table_of(AT, ID),
        table_of(ID, AT, key=("id", "at")),
        table_of(ID, AT, earliest="at"),
        table_of(Column("Id", "id"), AT),
        table_of(Column("ID", "id"), Column("At", "at", "timestamptz", nullable=True)),
        table_of(ID, Column("At", "at")),
    ],
)
def test_the_digest_knows_what_the_sql_depends_on(other: Table) -> None:
    table = table_of(ID, AT)

    assert digest(other) != digest(table)
    assert digest(table_of(ID, Column("At", "at", "timestamptz", description="When."))) == digest(table)


# ── YAML ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def columns_of(text: str, model: int = 0) -> list[str]:
    return [column["name"] for column in yaml.safe_load(text)["models"][model]["columns"]]


@pytest.mark.parametrize("key", [("id",), ("id", "size")])
@pytest.mark.parametrize("earliest", [None, "at"])
def test_a_new_table_has_its_tests_and_is_left_alone_afterwards(key: Sequence[str], earliest: str | None) -> None:
    table = table_of(ID, AT, SIZE, RATING, key=key, earliest=earliest)

    text = contract(table)

    models = {model["name"]: model for model in yaml.safe_load(text)["models"]}
    assert list(models) == ["things", "things_rejected", "things_accounting", "things_checked", "stg_shop__things"]
    assert columns_of(text) == ["id", "at", "size", "rating"]
    required = [column["name"] for column in models["things"]["columns"] if column.get("constraints")]
    assert required == ["id", "at", "size"]
    tests = [next(iter(test)) for test in (*models["things"]["data_tests"], *models["things_accounting"]["data_tests"])]
    assert ("other_dates_within_limit" in tests) == bool(earliest)
    assert ("unique_combination_of_columns" in tests) == (len(key) == 2)
    assert contract(table, text) == text


def test_columns_named_like_yaml_words_are_quoted() -> None:
    words = ("on", "null", "true", "no", "y")
    columns = tuple(Column(word, word, "timestamptz" if word == "on" else "varchar", "yes") for word in words)

    text = contract(table_of(*columns, key=("null", "no"), earliest="on"))

    assert columns_of(text) == list(words)
    models = yaml.safe_load(text)["models"]
    assert models[0]["data_tests"][0]["unique_combination_of_columns"]["arguments"]["combination_of_columns"] == [
        "null",
        "no",
    ]
    assert models[0]["columns"][0]["description"] == "yes {{ doc('rule_timestamptz') }}"
    assert contract(table_of(*columns, key=("null", "no"), earliest="on"), text) == text


@pytest.mark.parametrize(
    "description",
    ["A: b", "# no comment", "`code`", "{{ doc('x') }}", "two\nlines", "it's", '"so"', "null", "5", "- x", "é"],
)
def test_any_description_is_kept(description: str) -> None:
    text = contract(table_of(ID, Column("x", "x", description=description)))

    assert yaml.safe_load(text)["models"][0]["columns"][1]["description"] == description
    assert contract(table_of(ID, Column("x", "x", description=description)), text) == text


MINE = """\
# Mine.
models:
  - name: things
    description: >
      Folded, and
      by hand.
    columns:
      # The key.
      - name: id
        data_type: varchar
        description: Old.
        # Why this test.
        data_tests: [unique, not_null]   # trailing
      - name: size
        data_type: bigint
        meta: {team: data}
        constraints:
          - type: not_null
            warn_unsupported: false
          # A check of mine.
          - {type: check, expression: size > 0}

      # Last.
      - name: note
        data_type: varchar
        data_tests:
          - accepted_values:
              arguments: {values: [a, "b"]}

  # The rejects.
  - name: things_rejected
    columns: []
unit_tests: []
"""


def test_what_people_wrote_stays_where_it_was() -> None:
    table = table_of(
        Column("ID", "id", description="Names it."),
        AT,
        Column("Size", "size", "double"),
        Column("Note", "note"),
        RATING,
    )

    text = contract(table, MINE)

    assert text.startswith("""\
# Mine.
models:
  - name: things
    description: >
      Folded, and
      by hand.
    columns:
      # The key.
      - name: id
        data_type: varchar
        description: "Names it. {{ doc('rule_key') }}"
        # Why this test.
        constraints: [{type: not_null, warn_unsupported: false}]
        data_tests: [unique, not_null]   # trailing
      - name: at
        data_type: timestamptz
        description: "{{ doc('rule_timestamptz') }}"
        constraints: [{type: not_null, warn_unsupported: false}]
      - name: size
        data_type: double
        description: "{{ doc('rule_double') }}"
        meta: {team: data}
        constraints:
          - type: not_null
            warn_unsupported: false
          # A check of mine.
          - {type: check, expression: size > 0}

      # Last.
      - name: note
        data_type: varchar
        data_tests:
          - accepted_values:
              arguments: {values: [a, "b"]}
      - name: rating
        data_type: double
        description: "{{ doc('rule_double') }}"

  # The rejects.
  - name: things_rejected
    columns:
""")
    assert contract(table, text) == text
    assert "unit_tests: []" in text
    assert [model["name"] for model in yaml.safe_load(text)["models"]][2:] == [
        "things_accounting",
        "things_checked",
        "stg_shop__things",
    ]


def test_a_column_goes_comes_back_and_moves_without_a_trace() -> None:
    both, one = table_of(ID, AT, SIZE), table_of(ID, AT)
    text = contract(both)

    assert columns_of(contract(one, text)) == ["id", "at"]
    assert contract(both, contract(one, text)) == text
    assert columns_of(contract(table_of(SIZE, AT, ID), text)) == ["size", "at", "id"]
    assert contract(both, contract(table_of(SIZE, AT, ID), text)) == text


def test_another_key_and_instant_take_the_tests_that_a_table_begins_with() -> None:
    later = Column("Later", "later", "timestamptz")
    before, after = table_of(ID, AT, earliest="at"), table_of(SIZE, later, key=("size",), earliest="later")
    text = contract(before).replace("severity: warn", "severity: error")

    assert contract(after, text).replace("severity: error", "severity: warn") == contract(after)
    with pytest.raises(UsageError, match=r"column at: .* it has data_tests here"):
        contract(after, text.replace("things_at_of_the_date", "things_at_is_recent"))


def test_a_column_that_becomes_nullable_loses_its_constraint_and_no_other() -> None:
    nullable = table_of(ID, Column("Size", "size", "bigint", nullable=True))
    strict = table_of(ID, SIZE)

    text = contract(nullable, contract(strict))

    assert contract(strict, text) == contract(strict)
    assert "constraints" not in yaml.safe_load(text)["models"][0]["columns"][1]


def test_a_constraint_of_people_on_a_varchar_column_stays() -> None:
    table = table_of(ID, Column("Note", "note"))
    own = "      - name: note\n        data_type: varchar\n        constraints:\n          - type: not_null\n"
    text = contract(table).replace("      - name: note\n        data_type: varchar\n", own)

    assert contract(table, text) == text


def test_a_column_with_tests_of_people_is_not_dropped() -> None:
    with pytest.raises(UsageError) as error:
        contract(table_of(ID, SIZE), MINE)

    assert error.value.cause == (
        "models/curated/things.yml: model things: column note: the source's YAML does not declare it any more, "
        "and it has data_tests here"
    )
    assert "move them to the column that they are for" in error.value.remedy


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("models: [", "not YAML"),
        ("- a", "not a YAML mapping"),
        ("version: 2\n", "no list of models"),
        ("models: {}", "no list"),
    ],
)
def test_a_yaml_that_is_not_dbts_is_reported(text: str, problem: str) -> None:
    with pytest.raises(UsageError, match=rf"models/curated/things.yml: {problem}"):
        contract(table_of(ID), text)


# ── the project ───────────────────────────────────────────────────────────────────────────────────────────────────────


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
    assert error.value.remedy == "make models"
    write_models(project)
    assert require_current(project) == 12


def test_a_column_is_added_by_two_files_of_yaml(project: Path) -> None:
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


def test_what_the_sql_does_not_depend_on_may_change_and_sql_may_be_tried_by_hand(project: Path) -> None:
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
