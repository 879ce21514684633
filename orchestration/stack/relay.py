"""Relay connections to lakeFS: `python -m orchestration.stack.relay PORT HOST:PORT`, the service `lakefs-port`.

A container's ports are published when it starts, and lakeFS accepts any administrator until `init` has set it up. So
lakeFS publishes none, and this service, which starts after `init`, publishes one. The pipeline does not use it.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

_CHUNK = 1 << 16
_CONNECT_LIMIT = 10.0


async def serve(port: int, host: str, target_port: int) -> asyncio.Server:
    """Listen on all addresses of this container and relay each connection to `host`. Port 0 takes a free one."""

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_CONNECT_LIMIT):
                far_reader, far_writer = await asyncio.open_connection(host, target_port)
        except (OSError, TimeoutError):
            writer.close()
            return
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_copy(reader, far_writer))
                both.create_task(_copy(far_reader, writer))
        finally:
            far_writer.close()
            writer.close()

    return await asyncio.start_server(relay, port=port)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # A client may end its request and wait for the response, so the other direction stays open.
    with suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
            return
    writer.close()


async def _run(port: int, host: str, target_port: int) -> None:
    server = await serve(port, host, target_port)
    async with server:
        await server.serve_forever()


def main(arguments: list[str]) -> int:
    """Relay until the container is stopped."""
    port, (host, _, target_port) = int(arguments[0]), arguments[1].partition(":")
    with suppress(KeyboardInterrupt):
        asyncio.run(_run(port, host, int(target_port)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
