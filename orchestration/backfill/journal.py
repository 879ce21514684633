"""The journal of a backfill of all dates: which are done, so that an interrupted one goes on with what is left.

Only `--only all` needs it. What is missing, or built by other code, the lake shows at any time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from orchestration.backfill.plan import BackfillPlan
from orchestration.private import private_folder
from orchestration.settings import Settings
from orchestration.workdir import translate_disk_errors

_FOLDER = "backfill"


class Journal:
    """The dates that a backfill has done. It is a file of one date a line, and is deleted when all are done.

    Args:
        state_dir: The state folder.
        described: What makes two backfills the same: lake, range, options.
    """

    def __init__(self, state_dir: Path, described: Sequence[str]) -> None:
        digest = hashlib.sha256(json.dumps(described).encode()).hexdigest()
        self._file = state_dir / _FOLDER / f"{digest[:16]}.txt"

    @property
    def done(self) -> frozenset[str]:
        """Return the dates that are done; empty without an earlier backfill that was left unfinished."""
        try:
            return frozenset(self._file.read_text(encoding="utf-8").split())
        except FileNotFoundError:
            return frozenset()

    def add(self, execution_date: str) -> None:
        """Note that a date is done.

        Raises:
            DiskFailed: The file cannot be written.
        """
        with translate_disk_errors(self._file):
            private_folder(self._file.parent)
            with self._file.open("a", encoding="utf-8") as file:
                file.write(f"{execution_date}\n")

    def delete(self) -> None:
        """Forget what is done."""
        self._file.unlink(missing_ok=True)


def journal_of(plan: BackfillPlan, settings: Settings) -> Journal | None:
    """Return the journal of a backfill of all dates; None for any other, whose plan shows what is left."""
    if plan.asked.only != "all":
        return None
    return Journal(
        settings.state_dir,
        (
            settings.lake.endpoint or "",
            settings.repository,
            plan.asked.first,
            plan.asked.last,
            str(plan.asked.from_raw),
        ),
    )
