"""Free ports on the loopback address, the only address that the local servers listen on."""

from __future__ import annotations

import socket
from collections.abc import Iterable

HOST = "127.0.0.1"


def free_port(preferred: Iterable[int]) -> int:
    """Return the first of the preferred ports that is free on 127.0.0.1, else a free port from the kernel."""
    for port in preferred:
        if is_free(port):
            return port
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    return int(port)


def is_free(port: int) -> bool:
    """Return whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as client:
        client.settimeout(1)
        # macOS allows a bind to 127.0.0.1 although another program listens on 0.0.0.0. That program's clients would
        # then reach this server.
        if client.connect_ex((HOST, port)) == 0:
            return False
    with socket.socket() as probe:
        # As servers do: connections that a former server closed do not block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
