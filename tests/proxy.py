"""A proxy before lakeFS, API and S3 gateway alike, that does a chosen harm to chosen requests."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

Spoil = Literal["429", "500", "drop", "stall", "cut", "kill", "call"]


@dataclass
class Fault:
    """What to do with the next `times` requests of a method whose path contains `part`, the first `after` let through.

    Attributes:
        method: The method; "" for any.
        part: Part of the path; "" for any.
        spoil: `429`, `500`: the answer. `drop`: none. `stall`: none either, with the connection held. `cut`: half a
            body, of the request where it has one, else of the answer. `call`: none at all, but `Proxy.call` is called.
            `kill`: `Proxy.call` is called, then as `drop`.
        acted: Whether lakeFS gets the request first, its answer thrown away.
    """

    method: str
    part: str
    spoil: Spoil
    acted: bool
    times: int = 1
    after: int = 0


@dataclass
class Proxy:
    """The proxy's address, the faults still to come, and what was asked so far, as `METHOD path?query`."""

    url: str
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    struck: list[str] = field(default_factory=list)
    call: Callable[[], object] = lambda: None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def spoil(
        self, method: str, part: str, spoil: Spoil, *, acted: bool = False, times: int = 1, after: int = 0
    ) -> None:
        """Plans a fault: see `Fault`."""
        self.faults.append(Fault(method, part, spoil, acted, times, after))

    def reset(self) -> None:
        """Forgets all faults and requests."""
        with self._lock:
            self.faults.clear()
            self.requests.clear()
            self.struck.clear()

    def due(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets; counts it."""
        with self._lock:
            self.requests.append(f"{method} {path}")
            for fault in self.faults:
                if fault.times and fault.method in ("", method) and fault.part in path:
                    if fault.after:
                        fault.after -= 1
                        continue
                    fault.times -= 1
                    self.struck.append(f"{method} {path}")
                    return fault
        return None


# As lakeFS 1.86.0 words them: 16 writers merging at once without branch ownership were answered so.
_BODIES = {
    "429": b'{"message":"update branch main: too many requests"}',
    "500": b'{"message":"An error occurred: predicate failed"}',
}
_OF_A_CONNECTION = {"connection", "transfer-encoding", "content-length"}
_STALL_LIMIT = 60.0


@contextmanager
def proxied(target: str) -> Iterator[Proxy]:
    """Serves a proxy before `target`, an `http://host:port`, from threads of its own."""
    upstream = urlsplit(target)
    assert upstream.hostname

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            fault = proxy.due(self.command, self.path)
            if fault is None:
                self.answer(*self.ask(body))
                return
            if fault.spoil == "cut" and body:
                # lakeFS sees a sender that broke off: it must not take half a body for a whole one.
                self.ask(body, cut=True)
                self.close_connection = True
                return
            answer = self.ask(body) if fault.acted or fault.spoil == "cut" else None
            if fault.spoil in ("call", "kill"):
                proxy.call()
            if fault.spoil == "call":
                self.answer(*(answer or self.ask(body)))
                return
            if fault.spoil == "stall":
                self.hold()
            if fault.spoil in ("429", "500"):
                self.answer(int(fault.spoil), {"Content-Type": "application/json"}, _BODIES[fault.spoil])
                return
            if fault.spoil == "cut" and answer is not None:
                self.answer(*answer, cut=True)
            self.close_connection = True

        def ask(self, body: bytes, *, cut: bool = False) -> tuple[int, dict[str, str], bytes]:
            connection = HTTPConnection(upstream.hostname or "", upstream.port, timeout=60)
            try:
                # The path and the Host header as they came: the gateway's signatures cover both.
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    if name.lower() not in ("connection", "expect"):
                        connection.putheader(name, value)
                connection.endheaders(body[: len(body) // 2] if cut else body)
                if cut:
                    return 0, {}, b""
                response: HTTPResponse = connection.getresponse()
                return response.status, dict(response.getheaders()), response.read()
            finally:
                connection.close()

        def answer(self, status: int, headers: dict[str, str], content: bytes, *, cut: bool = False) -> None:
            self.send_response_only(status)
            length = next((value for name, value in headers.items() if name.lower() == "content-length"), None)
            for name, value in headers.items():
                if name.lower() not in _OF_A_CONNECTION:
                    self.send_header(name, value)
            # A HEAD's answer has the length of a body that is not sent; 204 and 304 have none.
            if status not in (204, 304):
                self.send_header("Content-Length", length if self.command == "HEAD" and length else str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if cut else content)

        def hold(self) -> None:
            self.connection.settimeout(_STALL_LIMIT)
            with suppress(OSError):
                while self.connection.recv(1024):
                    pass

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = forward

        def log_message(self, *args: object) -> None:
            pass

        def handle(self) -> None:
            # The pipeline may be dead by the time it would be answered.
            with suppress(ConnectionError):
                super().handle()

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
            connection, address = super().get_request()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection, address

    server = Server(("127.0.0.1", 0), Handler)
    proxy = Proxy(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def kind_of(request: str) -> str:
    """A request without what differs from run to run: ids, dates, numbers and the query."""
    method, path = request.split(" ", 1)
    path = path.partition("?")[0].replace("%3D", "=")
    for pattern, word in (
        (r"/api/v1/repositories/[^/]+", "api"),
        (r"^/[a-z0-9-]+/", "s3/"),
        (r"\b(etl|gate)-[0-9a-z-]+", "<branch>"),
        (r"\b[0-9a-f]{64}\b", "<commit>"),
        (r"date=[0-9-]+", "date=<date>"),
        (r"page-\d+", "page-<n>"),
        (r"(raw/[a-z_]+|curated)/[a-z_]+/", r"\1/<table>/"),
    ):
        path = re.sub(pattern, word, path)
    return f"{method} {path}"
