"""The relay in front of lakeFS, and the health check of the image."""

from __future__ import annotations

import asyncio
import socket

import pytest

from orchestration.stack import healthy, relay
from tests.helpers.stack import answering


async def exchange(host: str, target: int) -> bytes:
    server = await relay.serve(0, host, target)
    # With port 0, the sockets of IPv4 and IPv6 have different ports.
    port = next(one.getsockname()[1] for one in server.sockets if one.family == socket.AF_INET)
    async with server:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /_health HTTP/1.0\r\nContent-Length: 0\r\n\r\n")
        if writer.can_write_eof():
            writer.write_eof()
        response = await reader.read()
        writer.close()
        await writer.wait_closed()
    return response


def test_a_request_reaches_the_server_and_its_response_the_client() -> None:
    large = "x" * 500_000
    with answering(lambda _: (200, large)) as server:
        host, _, port = server.url.removeprefix("http://").partition(":")
        response = asyncio.run(exchange(host, int(port)))
    assert response.endswith(large.encode())
    assert server.lines == ["GET /_health"]


def test_a_dead_server_ends_the_connection() -> None:
    assert asyncio.run(exchange("127.0.0.1", 9)) == b""


@pytest.mark.parametrize(("status", "code"), [(200, 0), (401, 1), (503, 1)])
def test_a_page_is_healthy_if_it_answers_with_success(status: int, code: int) -> None:
    with answering(lambda _: (status, "")) as server:
        assert healthy.main([server.url]) == code


def test_nothing_there_is_not_healthy(capsys: pytest.CaptureFixture[str]) -> None:
    assert healthy.main(["http://127.0.0.1:9"]) == 1
    assert "refused" in capsys.readouterr().out
