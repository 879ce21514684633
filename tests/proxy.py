"""A proxy before lakeFS that spoils chosen requests, before or after lakeFS acted on them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

import httpx

Spoil = Literal["429", "500", "drop"]


@dataclass
class Fault:
    """What to do with the next `times` requests of a method whose path contains `part`.

    `acted` says whether lakeFS gets the request first: its answer is thrown away then.
    """

    method: str
    part: str
    spoil: Spoil
    acted: bool
    times: int = 1


@dataclass
class Proxy:
    """The proxy's address, and the faults still to come."""

    url: str
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def spoil(self, method: str, part: str, spoil: Spoil, *, acted: bool, times: int = 1) -> None:
        self.faults.append(Fault(method, part, spoil, acted, times))

    def due(self, method: str, path: str) -> Fault | None:
        self.requests.append(f"{method} {path}")
        for fault in self.faults:
            if fault.times and fault.method == method and fault.part in path:
                fault.times -= 1
                return fault
        return None


# As lakeFS 1.86.0 words them: 16 writers merging at once without branch ownership were answered so.
_BODIES = {
    "429": b'{"message":"update branch main: too many requests"}',
    "500": b'{"message":"An error occurred: predicate failed"}',
}
_NOT_FORWARDED = {"connection", "content-length", "host", "transfer-encoding"}


@contextmanager
def proxied(target: str) -> Iterator[Proxy]:
    """Serves a proxy before `target` from threads of its own."""
    client = httpx.Client(base_url=target, timeout=60)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            fault = proxy.due(self.command, self.path)
            status, headers, content = 0, {}, b""
            if fault is None or fault.acted:
                sent = {name: value for name, value in self.headers.items() if name.lower() not in _NOT_FORWARDED}
                answer = client.request(self.command, self.path, headers=sent, content=body)
                status, headers, content = answer.status_code, dict(answer.headers), answer.content
            if fault is not None and fault.spoil == "drop":
                self.close_connection = True
                return
            if fault is not None:
                status, headers, content = int(fault.spoil), {"Content-Type": "application/json"}, _BODIES[fault.spoil]
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in {*_NOT_FORWARDED, "content-encoding", "date"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = forward

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy = Proxy(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        client.close()
