"""What the tests of the stack share: valid settings, and a server with prepared answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from orchestration.stack.settings import StackSettings

VARIABLES = {
    "STACK_POSTGRES_PASSWORD": "6b1c0f5d2e7a4983b0d1",
    "STACK_LAKEFS_DB_PASSWORD": "1f83ad90c47be2650a7d",
    "STACK_PREFECT_DB_PASSWORD": "9e27c51b80fd3a64e172",
    "STACK_STORE_ACCESS_KEY": "a71e09c4d852",
    "STACK_STORE_SECRET_KEY": "c04e/7d21+98fba653be0",
    "STACK_LAKEFS_ACCESS_KEY": "ELT0A1B2C3D4",
    "STACK_LAKEFS_SECRET_KEY": "b8d36f1470ace952d0f3",
    "STACK_LAKEFS_ENCRYPT_KEY": "705be2c49d1a8f36e41b",
    "STACK_LAKEFS_SIGNING_KEY": "e18d5a0372f4bc96a05c",
    "STACK_PREFECT_PASSWORD": "3c9f7a1e60db8254f7a0",
}
"""Every required setting of the stack, with the administrator of PostgreSQL."""

KEYS = (VARIABLES["STACK_LAKEFS_ACCESS_KEY"], VARIABLES["STACK_LAKEFS_SECRET_KEY"])


def stack_settings(**changed: object) -> StackSettings:
    """Return valid settings, with `changed` fields."""
    given = {name.removeprefix("STACK_").lower(): value for name, value in VARIABLES.items()}
    return StackSettings.model_validate({**given, **changed})


@dataclass(frozen=True)
class Request:
    """A request that the server got."""

    method: str
    path: str
    authorization: str
    body: bytes


Answer = tuple[int, str]


@dataclass
class AnsweringServer:
    """A running server and the requests that it got."""

    url: str
    requests: list[Request] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.requests]


@contextmanager
def answering(answer: Callable[[Request], Answer]) -> Iterator[AnsweringServer]:
    """Serve what `answer` returns for a request: a status and a body."""
    served = AnsweringServer("")

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.partition("?")[0]
            request = Request(self.command, path, self.headers.get("Authorization") or "", body)
            served.requests.append(request)
            status, text = answer(request)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_PUT = _answer

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        served.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


def message(text: str) -> str:
    """Return an error's body as lakeFS writes it."""
    return json.dumps({"message": text})
