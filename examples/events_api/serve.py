"""Serving an app on 127.0.0.1, in this thread or beside it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp


def listen(port: int = 0) -> socket.socket:
    """A listening socket on 127.0.0.1; port 0 takes a free one. Clients may connect from now on and wait.

    Raises:
        OSError: The port is taken.
    """
    listener = socket.create_server(("127.0.0.1", port), backlog=128)
    # asyncio sets this on its own sockets only; without it each short answer takes 40 ms more.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def address(listener: socket.socket) -> str:
    """The base URL of a listening socket, without a slash at its end."""
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def server(app: ASGIApp) -> uvicorn.Server:
    """A quiet server that, asked to stop, cuts answers still running after a second."""
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Serve `app` on a free port from a thread of its own; yields the base URL, and has stopped when left."""
    listener = listen()
    running = server(app)
    thread = threading.Thread(target=running.run, args=([listener],), name="events-api")
    thread.start()
    try:
        yield address(listener)
    finally:
        running.should_exit = True
        thread.join()
