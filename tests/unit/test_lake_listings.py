"""Listings of a server that is not lakeFS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from pydantic import SecretStr

from orchestration.errors import LakeError
from orchestration.lake.access import LakeAccess
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.connection import LakeConnection
from tests.helpers.local_servers import web_server


@pytest.mark.parametrize("listing", [lambda lake: lake.log(MAIN), lambda lake: lake.objects(MAIN)])
@pytest.mark.parametrize(
    ("status", "problem"), [(200, "sent a malformed response for lakeFS"), (404, "answers 404, in a form that is not")]
)
def test_another_server_is_named_with_the_remedy(
    listing: Callable[[Lake], Iterator[object]], status: int, problem: str
) -> None:
    with web_server(status) as url:
        connection = LakeConnection(LakeAccess(url, SecretStr("key"), SecretStr("secret")), timeout=5)
        with closing(connection), pytest.raises(LakeError, match=problem) as error:
            list(listing(Lake(connection, "project")))

    assert url in error.value.cause
    assert "LAKEFS_ENDPOINT" in error.value.remedy
