"""Free ports on the loopback address, the only one the local servers listen on."""

from __future__ import annotations

import socket
from collections.abc import Iterable

HOST = "127.0.0.1"


def free_port(preferred: Iterable[int]) -> int:
    """The first of the preferred ports nobody listens on at 127.0.0.1, else one the kernel gives."""
    for port in preferred:
        if is_free(port):
            return port
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    return int(port)


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as client:
        client.settimeout(1)
        # macOS lets us bind 127.0.0.1 beside somebody's 0.0.0.0, whose clients we would take away.
        if client.connect_ex((HOST, port)) == 0:
            return False
    with socket.socket() as probe:
        # As servers do: connections that a former server closed do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
