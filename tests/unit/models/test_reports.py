"""What a project declares about the report, read from the YAML of its models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.errors import UsageError
from orchestration.models.reports import Declared, MartReport, Measure, read_reports


def write(project: Path, meta: dict[str, Any], name: str = "daily_readings") -> Path:
    file = project / "models" / "marts" / f"{name}.yml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump({"models": [{"name": name, "config": {"meta": meta}}]}))
    return file


def test_a_declaration_is_read_with_its_defaults(tmp_path: Path) -> None:
    write(tmp_path, {"report": {"measures": [{"column": "rain"}]}})
    write(tmp_path, {"report": {"title": "Air", "measures": [{"column": "ozone", "by": ["city"]}]}}, "air")

    air, rain = read_reports(tmp_path)

    assert air == MartReport("air", Declared(title="Air", measures=(Measure(column="ozone", by=("city",)),)))
    assert rain == MartReport("daily_readings", Declared(measures=(Measure(column="rain"),)))
    assert (air.title, rain.title) == ("Air", "daily_readings")


def test_without_declarations_there_are_no_reports(tmp_path: Path) -> None:
    assert read_reports(tmp_path) == ()
    write(tmp_path, {"owner": "weather"})
    (tmp_path / "models" / "empty.yml").write_text("")
    assert read_reports(tmp_path) == ()


@pytest.mark.parametrize(
    ("report", "problem"),
    [
        (
            {"measures": [{"column": "rain"}], "dates": "day"},
            "config.meta.report: Object contains unknown field `dates`; allowed: measures, title, description, date",
        ),
        (
            {"measures": [{"column": "rain", "units": "mm"}]},
            "config.meta.report.measures[0]: Object contains unknown field `units`; allowed: column, label, unit, by",
        ),
        ({"date": "day"}, "config.meta.report: Object missing required field `measures`"),
        ({"measures": []}, "config.meta.report.measures: Expected `array` of length >= 1"),
        ({"measures": [{"column": "rain", "by": "city"}]}, "config.meta.report.measures[0].by: Expected `array`, got"),
        (None, "config.meta.report: Expected `object`, got `null`"),
    ],
)
def test_an_invalid_declaration_names_the_file_and_the_key(tmp_path: Path, report: Any, problem: str) -> None:
    file = write(tmp_path, {"report": report})

    with pytest.raises(UsageError) as refused:
        read_reports(tmp_path)

    assert refused.value.cause.startswith(f"{file}: model daily_readings: {problem}")
    assert "correct the file" in refused.value.remedy
