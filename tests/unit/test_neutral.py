"""The package names neither the shop, nor its tables, nor its measures: those are in the project beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.settings import PROJECT_DIR

PACKAGE = PROJECT_DIR / "orchestration"

GENERATED = ("_rejected", "_accounting", "_across_dates")
"""Endings of the models whose columns are the same for any table, and the package's own."""

COMMON = {
    # Words of English, of Python and of the tools.
    *("copies", "description", "event type", "returns", "timestamp"),
    # Names that the package has for itself: an argument of all runs, functions and a flow.
    *("eda report", "execution date", "kept rows", "published dates"),
}
"""Names of the shop that the package may use, because they do not mean the shop's there."""

QUOTED = {"events"}
"""Names that are English words, and the shop's only as a whole text in quotes or as a part of a path."""

WORDS = {"basket", "customer", "customers", "invoice", "price", "prices", "retail", "sale", "sales", "stock"}
"""Further words of the shop's business."""


def words_of(name: str) -> str:
    """Returns a name as lower-case words: `Event ID` and `event_id` are alike."""
    return re.sub(r"[^a-z0-9]+", " ", name.lower()).strip()


@cache
def names_of_the_shop() -> frozenset[str]:
    """Returns the words of all names in the project's models and YAML."""
    models = PROJECT_DIR / "models"
    found = {file.stem for file in models.rglob("*.sql")}
    for file in models.rglob("*.yml"):
        content: dict[str, Any] = yaml.safe_load(file.read_text()) or {}
        for source in content.get("sources", ()):
            found.add(source["name"])
            for table in source["tables"]:
                found |= {table["name"], *(column["name"] for column in table["columns"])}
        for model in content.get("models", ()):
            if not model["name"].endswith(GENERATED):
                found |= {column["name"] for column in model.get("columns", ())}
        found |= {exposure["name"] for exposure in content.get("exposures", ())}
    return frozenset({words_of(name) for name in found} | WORDS) - COMMON


@cache
def pattern() -> re.Pattern[str]:
    names = sorted(names_of_the_shop() - QUOTED, key=len, reverse=True)
    plain = "|".join(dict.fromkeys(name.replace(" ", between) for name in names for between in ("__?", "-", " ", "")))
    quoted = "|".join(sorted(QUOTED))
    return re.compile(rf"(?<![a-z0-9])(?:{plain})(?![a-z0-9])|(?<=[\"'`/])(?:{quoted})(?![a-z0-9_.])", re.IGNORECASE)


def found_in(folder: Path) -> Iterator[str]:
    """Yields each line below a folder that has a name of the shop, and each file whose path has one."""
    for file in sorted(folder.rglob("*")):
        # go.sum lists the modules of lakeFS.
        if not file.is_file() or file.suffix == ".pyc" or file.name == "go.sum":
            continue
        place = file.relative_to(folder).as_posix()
        if match := pattern().search(place):
            yield f"{place}: {match[0]}"
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            yield from (f"{place}:{number}: {name}" for name in pattern().findall(line))


def test_the_package_names_nothing_of_the_shop() -> None:
    assert list(found_in(PACKAGE)) == []


def test_the_names_are_those_of_the_project() -> None:
    assert names_of_the_shop() >= {
        *("shop", "events", "products", "stg shop events"),
        *("daily sales", "product sales", "customer features", "sales dashboard"),
        *("revenue", "price", "quantity", "country", "stock code", "invoice no", "event id"),
    }


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ('_MART = "daily_sales"', "daily_sales"),
        ('_TABLES = ("products",)', "products"),
        ('table.name == "events"', "events"),
        ("the folder of the table, such as `curated/events`", "events"),
        ('    return {"href": "/events?page=2"}', "events"),
        ("# Revenue by date.", "Revenue"),
        ("select sum(price) from published", "price"),
        ("set SHOP_API_URL in .env", "SHOP"),
        ("set shop-api-token", "shop"),
        ("models/staging/shop/_shop__sources.yml", "shop"),
        ("ref('stg_shop__events')", "stg_shop__events"),
        ('the field "Stock Code"', "Stock Code"),
        ("as stockCode", "stockCode"),
    ],
)
def test_a_line_with_a_name_of_the_shop_is_found(tmp_path: Path, line: str, name: str) -> None:
    (tmp_path / "page.html.j2").write_text(f"first\n{line}\n")

    found = list(found_in(tmp_path))

    assert found
    assert found[0].startswith(f"page.html.j2:2: {name}")


def test_a_file_with_a_name_of_the_shop_is_found(tmp_path: Path) -> None:
    (tmp_path / "revenue.py").write_text("")

    assert list(found_in(tmp_path)) == ["revenue.py: revenue"]


@pytest.mark.parametrize(
    "line",
    [
        "from prefect.events.filters import EventFilter",
        "return not client.read_events(sent, limit=1).events",
        '"""Returns the rows of all dates."""',
        "run.state.timestamp >= since",
        "the workshop's pricey bookshops",
        "execution_date: str",
        "ref('stg_quakes__readings')",
    ],
)
def test_english_and_the_tools_words_are_not_names_of_the_shop(tmp_path: Path, line: str) -> None:
    (tmp_path / "module.py").write_text(line)

    assert list(found_in(tmp_path)) == []
