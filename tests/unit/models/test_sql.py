"""The SQL that is generated from a source declaration, as DuckDB and Jinja read it."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pytest
from jinja2 import Environment

from orchestration.models.quoting import aliased, identifier, jinja_list, jinja_text, sql_literal
from orchestration.models.sql import digest
from orchestration.models.structure import Structure, structure_of
from orchestration.source.columns import Column
from orchestration.source.config import Table
from orchestration.source.places import Place
from tests.helpers.model_tables import AT, ID, RATING, SIZE, sql, table_of

CHECKED = "models/intermediate/things_checked.sql"


def test_a_table_has_five_models_that_say_what_they_were_generated_from() -> None:
    made = sql(table_of(ID, AT))

    assert list(made) == [
        "models/staging/shop/stg_shop__things.sql",
        "models/intermediate/things_checked.sql",
        "models/intermediate/things_accounting.sql",
        "models/curated/things.sql",
        "models/curated/things_rejected.sql",
    ]
    first = "-- Generated from models/staging/shop/_shop__sources.yml by `elt models`."
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
def test_rows_of_one_key_are_ordered_by_the_earliest_then_by_the_columns(
    key: Sequence[str], earliest: str | None, order: list[str]
) -> None:
    text = sql(table_of(ID, AT, SIZE, RATING, key=key, earliest=earliest))["models/curated/things.sql"]

    window = text[text.index("row_number() over") : text.index(") as _copy_number")]
    assert f"partition by {', '.join(map(identifier, key))}\n" in window
    found = [line.strip().removesuffix(",") for line in window.splitlines() if "nulls last" in line]
    assert found == [f"{identifier(name)} nulls last" for name in order]
    final = text[text.index("\nselect * from deduplicated\n") :].split("order by")[1]
    assert [part.strip() for part in final.split(",")] == [f"{identifier(name)} nulls last" for name in key]


def test_the_latest_row_is_ordered_first() -> None:
    text = sql(table_of(ID, AT, SIZE, latest="at"))["models/curated/things.sql"]

    assert f"                {identifier('at')} desc nulls last,\n                size nulls last\n" in text


@pytest.mark.parametrize("identical", ["keep", "collapse"])
def test_a_table_without_a_key_is_in_order_of_its_columns(identical: str) -> None:
    made = sql(table_of(ID, SIZE, key=(), identical=identical))

    curated = made["models/curated/things.sql"]
    assert "row_number" not in curated
    assert ("    select distinct\n" in curated) == (identical == "collapse")
    assert curated.endswith("order by\n    id nulls last,\n    size nulls last\n")
    accounting = made["models/intermediate/things_accounting.sql"]
    assert f"        key=[],\n        identical='{identical}',\n" in accounting


def test_rows_of_other_dates_are_marked_and_left_out() -> None:
    made = sql(table_of(ID, AT, keep_date="at"))

    assert "where _reject_reason is null and not _is_other_date\n" in made["models/curated/things.sql"]
    assert "is_other_date(" in made[CHECKED]
    assert "        keep_date=true,\n" in made["models/intermediate/things_accounting.sql"]
    assert "_is_other_date" not in "".join(sql(table_of(ID, AT)).values())


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
    assert structure_of([("id",), ("ID",), ("",), ("Id",), ("x",)]) == {"id": "VARCHAR", "x": "VARCHAR"}
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
    ("places", "structure"),
    [
        ([("a", "b"), ("a", "c"), ("d",)], {"a": {"b": "VARCHAR", "c": "VARCHAR"}, "d": "VARCHAR"}),
        ([("a", 0), ("a", -1)], {"a": ["VARCHAR"]}),
        ([("a", 0, "x"), ("a", 1, "y")], {"a": [{"x": "VARCHAR", "y": "VARCHAR"}]}),
        ([(0,), (2, "x")], ["VARCHAR"]),
        # The first of two places that one type cannot have both of.
        ([("a",), ("a", "b")], {"a": "VARCHAR"}),
        ([("a", "b"), ("a",)], {"a": {"b": "VARCHAR"}}),
        ([("a", 0), ("a", "b")], {"a": ["VARCHAR"]}),
        ([("a", "b"), ("a", "B"), ("A", "c"), ("a", ""), ("", "x")], {"a": {"b": "VARCHAR"}}),
        ([], {}),
    ],
)
def test_places_are_read_together_as_far_as_one_type_allows(places: list[Place], structure: Structure) -> None:
    assert structure_of(places) == structure


def test_nested_fields_are_read_by_their_paths() -> None:
    table = table_of(
        ID,
        Column("At", "at", "timestamptz", path="meta.at"),
        Column("Last", "last", path='list[-1]."a.b"'),
        Column("First", "first", path="list[0]"),
    )
    text = sql(table)["models/staging/shop/stg_shop__things.sql"]

    assert "{% set fields = ['ID', 'meta', 'list'] %}" in text
    assert "        _fields['meta']['at'] as at,\n".replace("as at", f"as {identifier('at')}") in text
    assert "        _fields['list'][-1]['a.b'] as last,\n" in text
    assert "        {{ json_at('json_extract_string', ['list', 0]) }} as first,\n" in text
    assert "{{ missing_fields(['ID']) }} as _missing_fields" in text
    assert "                'meta.at': ('at', ['meta', 'at']),\n" in text
    assert "            'last': ['list', -1, 'a.b'],\n" in text


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
        table_of(ID, Column("At", "at", "timestamptz", path="meta.at")),
        table_of(ID, Column("At", "at", "timestamptz", format="epoch")),
        table_of(ID, Column("At", "at", "timestamptz", zone="UTC")),
        table_of(ID, AT, latest="at"),
        table_of(ID, AT, keep_date="at"),
        table_of(ID, AT, key=(), identical="keep"),
    ],
)
def test_the_digest_covers_what_the_sql_depends_on(other: Table) -> None:
    table = table_of(ID, AT)

    assert digest(other) != digest(table)
    assert digest(table_of(ID, Column("At", "at", "timestamptz", description="When."))) == digest(table)
