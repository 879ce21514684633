"""The API that unit tests fetch from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fetching import Api, an_api


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with an_api(tmp_path, monkeypatch) as running:
        yield running
