"""A proxy in front of lakeFS, for the API and the S3 gateway, that injects chosen faults into chosen requests."""

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

FaultKind = Literal["403", "429", "500", "drop", "stall", "cut", "kill", "call"]


@dataclass
class PlannedFault:
    """A fault for the next `times` requests of a method whose path contains `part`, after the first `after` of them.

    Attributes:
        method: The method; "" for any.
        part: Part of the path; "" for any.
        kind: `403`, `429`, `500`: this response. `drop`: the connection is closed without a response. `stall`: no
            response, but the connection stays open. `cut`: half a body, of the request if it has one, otherwise of the
            response. `call`: `Proxy.call` runs, then the request is passed on. `kill`: it runs, then as `drop`.
        processed: Whether lakeFS handles the request first; its response is discarded.
        times: How many requests have the fault.
        after: How many matching requests pass before.
    """

    method: str
    part: str
    kind: FaultKind
    processed: bool
    times: int = 1
    after: int = 0


@dataclass
class Proxy:
    """The proxy's address, its planned faults, all requests so far, and those with a fault, as `METHOD path?query`."""

    url: str
    planned: list[PlannedFault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    hits: list[str] = field(default_factory=list)
    call: Callable[[], object] = lambda: None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def inject(
        self, method: str, part: str, kind: FaultKind, *, processed: bool = False, times: int = 1, after: int = 0
    ) -> None:
        """Plans a fault; see `PlannedFault`."""
        self.planned.append(PlannedFault(method, part, kind, processed, times, after))

    def reset(self) -> None:
        """Removes all faults and requests."""
        with self._lock:
            self.planned.clear()
            self.requests.clear()
            self.hits.clear()

    def take_fault(self, method: str, path: str) -> PlannedFault | None:
        """Records a request, and returns its fault if it has one."""
        with self._lock:
            self.requests.append(f"{method} {path}")
            for fault in self.planned:
                if fault.times and fault.method in ("", method) and fault.part in path:
                    if fault.after:
                        fault.after -= 1
                        continue
                    fault.times -= 1
                    self.hits.append(f"{method} {path}")
                    return fault
        return None


# For 429 and 500, the messages of lakeFS 1.86.0 when 16 writers merge at once without branch ownership.
_BODIES = {
    "403": b'{"message":"insufficient permissions"}',
    "429": b'{"message":"update branch main: too many requests"}',
    "500": b'{"message":"An error occurred: predicate failed"}',
}
_CONNECTION_HEADERS = {"connection", "transfer-encoding", "content-length"}
_STALL_LIMIT = 60.0


@contextmanager
def run_proxy(target: str) -> Iterator[Proxy]:
    """Runs a proxy in front of `target`, an `http://host:port`, in threads."""
    upstream = urlsplit(target)
    assert upstream.hostname

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            fault = proxy.take_fault(self.command, self.path)
            if fault is None:
                self.answer(*self.ask(body))
                return
            if fault.kind == "cut" and body:
                # lakeFS sees an incomplete body, and must not accept it as a whole one.
                self.ask(body, cut=True)
                self.close_connection = True
                return
            answer = self.ask(body) if fault.processed or fault.kind == "cut" else None
            if fault.kind in ("call", "kill"):
                proxy.call()
            if fault.kind == "call":
                self.answer(*(answer or self.ask(body)))
                return
            if fault.kind == "stall":
                self.hold()
            if fault.kind in ("403", "429", "500"):
                self.answer(int(fault.kind), {"Content-Type": "application/json"}, _BODIES[fault.kind])
                return
            if fault.kind == "cut" and answer is not None:
                self.answer(*answer, cut=True)
            self.close_connection = True

        def ask(self, body: bytes, *, cut: bool = False) -> tuple[int, dict[str, str], bytes]:
            connection = HTTPConnection(upstream.hostname or "", upstream.port, timeout=60)
            try:
                # Path and Host header are unchanged: the signatures of the gateway cover both.
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
                if name.lower() not in _CONNECTION_HEADERS:
                    self.send_header(name, value)
            # A response to HEAD has the length of a body that is not sent; 204 and 304 have none.
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
            # The pipeline may be dead before the response is sent.
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


def normalize_request(request: str) -> str:
    """Removes from a request what differs between runs: ids, dates, numbers and the query."""
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
