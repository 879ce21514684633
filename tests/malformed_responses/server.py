"""An HTTP server that sends the very bytes it is given: HTTP of any kind, broken or not."""

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
    """Answers each path in turn with what is set for it; `asked` holds the requests so far, head for head."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, Iterator[Wire]] = {}
        self.asked: list[bytes] = []
        self.stalls = False
        self.scheme = "http"

    def play(self, case: Case) -> str:
        """Has the answers of a case ready below the URL it gives."""
        self.stalls = case.stalls
        self.asked = []
        self.answers = {
            "/events": chain(case.answers, repeat(case.answers[-1])),
            "/products": repeat(case.products or PRODUCTS),
        }
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}"

    def encrypt(self, context: ssl.SSLContext) -> None:
        """Speaks TLS from now on."""
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.scheme = "https"


class _Handler(StreamRequestHandler):
    server: AnswerServer

    def handle(self) -> None:
        head = b"".join(iter(self.rfile.readline, b"\r\n"))
        self.server.asked.append(head)
        path = re.split(rb"[?;]", head.split()[1])[0].decode()
        sent = next(self.server.answers[path])
        # Whoever finds an answer unusable hangs up on the rest of it.
        with suppress(OSError):
            whole = sent if isinstance(sent, bytes) else sent()
            for piece in (whole,) if isinstance(whole, bytes) else whole:
                self.wfile.write(piece)
            if self.server.stalls:
                self.rfile.read()


@contextmanager
def answering() -> Iterator[AnswerServer]:
    """A running server."""
    with AnswerServer() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
