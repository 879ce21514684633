"""The YAML that is generated from a source declaration, and the hand-written parts that it keeps."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import yaml

from orchestration.errors import UsageError
from orchestration.source.columns import Column
from tests.helpers.model_tables import AT, ID, RATING, SIZE, contract, table_of


def columns_of(text: str, model: int = 0) -> list[str]:
    return [column["name"] for column in yaml.safe_load(text)["models"][model]["columns"]]


@pytest.mark.parametrize("key", [("id",), ("id", "size")])
@pytest.mark.parametrize("earliest", [None, "at"])
def test_a_new_table_has_its_tests_and_is_not_changed_afterwards(key: Sequence[str], earliest: str | None) -> None:
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


def test_a_table_without_a_key_has_no_test_of_a_key() -> None:
    def tests_of(identical: str) -> list[str]:
        text = contract(table_of(ID, SIZE, key=(), identical=identical))
        assert contract(table_of(ID, SIZE, key=(), identical=identical), text) == text
        return [next(iter(test)) for test in yaml.safe_load(text)["models"][0].get("data_tests", ())]

    assert tests_of("keep") == []
    assert tests_of("collapse") == ["unique_combination_of_columns"]


@pytest.mark.parametrize(("rows", "tested"), [({"latest": "at"}, True), ({"earliest": "at", "keep_date": "at"}, False)])
def test_instants_are_tested_unless_a_rule_keeps_the_date(rows: dict[str, str], tested: bool) -> None:
    text = contract(table_of(ID, AT, **rows))

    assert ("within_days_of_run" in text, "other_dates_within_limit" in text) == (tested, tested)


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


def test_hand_written_parts_keep_their_places() -> None:
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


def test_removing_restoring_or_moving_a_column_leaves_no_trace() -> None:
    both, one = table_of(ID, AT, SIZE), table_of(ID, AT)
    text = contract(both)

    assert columns_of(contract(one, text)) == ["id", "at"]
    assert contract(both, contract(one, text)) == text
    assert columns_of(contract(table_of(SIZE, AT, ID), text)) == ["size", "at", "id"]
    assert contract(both, contract(table_of(SIZE, AT, ID), text)) == text


def test_the_generated_tests_follow_another_key_and_instant() -> None:
    later = Column("Later", "later", "timestamptz")
    before, after = table_of(ID, AT, earliest="at"), table_of(SIZE, later, key=("size",), earliest="later")
    text = contract(before).replace("severity: warn", "severity: error")

    assert contract(after, text).replace("severity: error", "severity: warn") == contract(after)
    with pytest.raises(UsageError, match=r"column at: .* it has data_tests here"):
        contract(after, text.replace("things_at_of_the_date", "things_at_is_recent"))


def test_a_column_that_becomes_nullable_loses_only_its_own_constraint() -> None:
    nullable = table_of(ID, Column("Size", "size", "bigint", nullable=True))
    strict = table_of(ID, SIZE)

    text = contract(nullable, contract(strict))

    assert contract(strict, text) == contract(strict)
    assert "constraints" not in yaml.safe_load(text)["models"][0]["columns"][1]


def test_a_hand_written_constraint_on_a_varchar_column_is_kept() -> None:
    table = table_of(ID, Column("Note", "note"))
    own = "      - name: note\n        data_type: varchar\n        constraints:\n          - type: not_null\n"
    text = contract(table).replace("      - name: note\n        data_type: varchar\n", own)

    assert contract(table, text) == text


def test_a_column_with_hand_written_tests_is_not_dropped() -> None:
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
def test_yaml_that_is_not_a_dbt_file_is_reported(text: str, problem: str) -> None:
    with pytest.raises(UsageError, match=rf"models/curated/things.yml: {problem}"):
        contract(table_of(ID), text)
