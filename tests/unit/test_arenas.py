"""The limit of the C library's arenas."""

from __future__ import annotations

import subprocess
import sys

import pytest

LIMIT = "from orchestration.arenas import share_arenas; print(share_arenas())"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has glibc")
@pytest.mark.parametrize(("environment", "limited"), [({}, "True"), ({"MALLOC_ARENA_MAX": "4"}, "False")])
def test_arenas_are_limited_unless_the_user_limits_them(environment: dict[str, str], limited: str) -> None:
    ended = subprocess.run([sys.executable, "-c", LIMIT], capture_output=True, text=True, check=True, env=environment)
    assert ended.stdout.strip() == limited


def test_another_system_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestration.arenas import share_arenas

    monkeypatch.setattr(sys, "platform", "darwin")
    assert share_arenas() is False
