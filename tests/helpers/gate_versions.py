"""Another version of the package's gate, for the commands of this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from orchestration.lake import gate, setup


@contextmanager
def version_with_gate(content: bytes) -> Iterator[None]:
    """Let this process be of a version whose gate has other content."""
    with pytest.MonkeyPatch.context() as patched:
        for module in (gate, setup):
            patched.setattr(module, "gate_file", lambda: content)
        yield
