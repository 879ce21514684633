"""The builds of tests/integration/clean on both engines: `make test-spark` runs those tests first."""

from __future__ import annotations

import pytest

from tests.helpers.spark import COMPARED, BothEngines


def test_both_engines_publish_the_same_rows_of_the_pages_of_all_tests_of_cleaning(
    both_engines: BothEngines | None,
) -> None:
    if both_engines is None:
        pytest.skip("make test-spark records these pages: pytest --both-engines tests/integration/clean tests/spark")

    assert both_engines.compare_recorded() >= 8
    assert COMPARED.rows["of other tables"] > 1_000
    assert COMPARED.rows["rejected"] > 50
