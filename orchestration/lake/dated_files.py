"""Files of the marts by date: a run builds only dates that changed, and the other rows are taken from former files.

A month has one file, and the month of the latest date one for each of its dates. So a night writes one small file, a
reader of ten years opens 150, and a late change of an old date rewrites one month. The names follow from the published
dates alone: a build of all dates writes the same files as many builds of one date each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_MONTH = len("2025-05")


@dataclass(frozen=True)
class DatedFiles:
    """What a build writes of each mart by date, and what it takes from the files of a former build.

    Attributes:
        dates: The dates whose rows are built. No row of theirs is taken from a former file.
        names: The files that each mart has after the build: a month, `2025-05`, or a date, `2025-05-17`.
        written: Those of `names` that the build writes; the others are kept as they are.
        former: The files of the former build.
        former_root: URI of the commit that has them.
    """

    dates: tuple[str, ...]
    names: tuple[str, ...]
    written: tuple[str, ...]
    former: tuple[str, ...] = ()
    former_root: str = ""


def file_names(dates: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the files that have the rows of these dates, in ascending order."""
    known = sorted(dates)
    latest = known[-1][:_MONTH] if known else ""
    return tuple(sorted({date if date.startswith(latest) else date[:_MONTH] for date in known}))


def all_files(dates: Iterable[str]) -> DatedFiles:
    """Return the files of a build of all dates, which takes nothing from former ones."""
    known = tuple(sorted(dates))
    names = file_names(known)
    return DatedFiles(known, names, written=names)


def changed_files(
    dates: Iterable[str], built: Iterable[str], former_dates: Iterable[str], former_root: str
) -> DatedFiles:
    """Return the files of a build of some dates.

    Args:
        dates: All published dates.
        built: Those whose rows are built.
        former_dates: All dates of the former build; one that is published no longer leaves the files.
        former_root: URI of the commit with the files of the former build.
    """
    published, before, now = set(dates), set(former_dates), set(built)
    names, former = file_names(published), file_names(before)
    not_kept = now | (before - published)
    kept = {name for name in set(names) & set(former) if not any(date.startswith(name) for date in not_kept)}
    written = tuple(name for name in names if name not in kept)
    return DatedFiles(tuple(sorted(not_kept)), names, written, former, former_root)
