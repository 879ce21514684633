"""The API that unit tests fetch from."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers.fetching import Api, certificate, serve_apis


@pytest.fixture(scope="session")
def make_api() -> Iterator[Callable[[Path, pytest.MonkeyPatch], Api]]:
    """One server for the session: starting and stopping one per test took longer than most of the tests."""
    with serve_apis() as make:
        yield make


@pytest.fixture(scope="session")
def certificate_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def api(
    make_api: Callable[[Path, pytest.MonkeyPatch], Api],
    certificate_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Api:
    # An HTTP client takes 20 ms or more to read the certificates of all authorities. These tests use plain HTTP.
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate_file))
    return make_api(tmp_path, monkeypatch)
