"""The end of a flow run, which does not wait for Prefect's thread of heartbeats."""

from __future__ import annotations

import logging
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

import pytest
from prefect import flow_engine

from orchestration.flows.launch import quick_end


@pytest.fixture
def joined(monkeypatch: pytest.MonkeyPatch) -> list[Thread]:
    found: list[Thread] = []
    monkeypatch.setattr(Thread, "join", lambda thread, timeout=None: found.append(thread))
    return found


def engine_of(emitted: Event) -> Any:
    """An engine whose flow run sends a heartbeat every half minute."""
    return SimpleNamespace(
        heartbeat_seconds=30,
        flow_run=None,
        logger=logging.getLogger("test"),
        _build_heartbeat_event_template=lambda: ({}, []),
        _emit_flow_run_heartbeat=lambda *_: emitted.set(),
    )


def test_heartbeats_are_sent_and_their_thread_is_not_awaited(joined: list[Thread]) -> None:
    emitted = Event()
    with quick_end(), flow_engine._send_heartbeats(engine_of(emitted)):
        assert emitted.wait(10)
    assert joined == []


def test_prefect_itself_waits_for_the_thread(joined: list[Thread]) -> None:
    """When this fails, `quick_end` has become superfluous."""
    with quick_end():
        pass
    with flow_engine._send_heartbeats(engine_of(Event())):
        pass
    assert len(joined) == 1


def test_another_version_of_prefect_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def other(engine: Any) -> None:
        """Takes no `join_on_exit`."""

    monkeypatch.setattr(flow_engine, "_send_heartbeats", other)
    with quick_end():
        assert vars(flow_engine)["_send_heartbeats"] is other
    monkeypatch.delattr(flow_engine, "_send_heartbeats")
    with quick_end():
        assert not hasattr(flow_engine, "_send_heartbeats")
