"""An HTTP server that sends given bytes unchanged, whether they are valid HTTP or not."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain, repeat
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread

from tests.malformed_responses.case import Case, Wire, answer

PRODUCTS = answer('[{"Stock Code": "22423", "Description": "REGENCY CAKESTAND 3 TIER"}]')


class AnswerServer(ThreadingTCPServer):
    """Sends the responses of each path in order; `asked` and `bodies` have the heads and bodies of all requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, Iterator[Wire]] = {}
        self.asked: list[bytes] = []
        self.bodies: list[bytes] = []
        self.stalls = False
        self.scheme = "http"

    def play(self, case: Case) -> str:
        """Prepares the responses of a case, and returns the URL of the API."""
        self.stalls = case.stalls
        self.asked, self.bodies = [], []
        self.answers = {
            "/events": chain(case.answers, repeat(case.answers[-1])),
            "/products": repeat(case.products or PRODUCTS),
            "/token": repeat(case.token),
        }
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}"

    def encrypt(self, context: ssl.SSLContext) -> None:
        """Uses TLS for all later connections."""
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.scheme = "https"


class _Handler(StreamRequestHandler):
    server: AnswerServer

    def handle(self) -> None:
        head = b"".join(iter(self.rfile.readline, b"\r\n"))
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        self.server.bodies.append(self.rfile.read(int(length[1])) if length else b"")
        self.server.asked.append(head)
        path = re.split(rb"[?;]", head.split()[1])[0].decode()
        sent = next(self.server.answers[path])
        # A client closes the connection when it finds a response unusable.
        with suppress(OSError):
            whole = sent if isinstance(sent, bytes) else sent()
            for piece in (whole,) if isinstance(whole, bytes) else whole:
                self.wfile.write(piece)
            if self.server.stalls:
                self.rfile.read()


@contextmanager
def answering() -> Iterator[AnswerServer]:
    """Runs a server."""
    with AnswerServer() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
