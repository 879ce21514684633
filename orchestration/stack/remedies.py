"""What to do about a failed service of the stack, in the words of all its errors."""

from __future__ import annotations

AGAIN = "then docker compose up again"


def see_log(service: str) -> str:
    """Return the remedy that leads to a service's log."""
    return f"see its log: docker compose logs {service}"
