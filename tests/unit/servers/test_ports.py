"""Which port a local server takes."""

from __future__ import annotations

from orchestration.servers import ports
from tests.helpers.local_servers import (
    listener,
)


def test_the_first_free_of_the_preferred_ports_is_taken() -> None:
    with listener() as taken, listener() as other:
        assert not ports.is_free(taken)
        free = ports.free_port([])
        assert ports.free_port([taken, free, other]) == free


def test_a_free_port_is_used_where_all_preferred_ones_are_taken() -> None:
    with listener() as taken:
        given = ports.free_port([taken])
        assert given != taken
        assert ports.is_free(given)
