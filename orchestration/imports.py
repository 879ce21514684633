"""Import large packages in less time."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def heavy_imports() -> Iterator[None]:
    """Pause the garbage collector while Prefect, dbt or lakeFS's SDK is imported.

    Their modules create a million objects that live as long as the process. The collector would look through them
    again and again, which takes a tenth of the time of these imports. Afterwards they are exempt from it.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
            gc.freeze()
