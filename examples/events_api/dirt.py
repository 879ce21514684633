"""Which rows of a day are dirty, and therefore what the cleaning of that day must count.

The same rows of every date are dirty. Each kind of dirt occurs at a fixed step, on the first line of an invoice only.
No row has two kinds. The row before a repeat is the last line of an invoice, so it is clean. All counts are exact.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

INVOICE_LINES = 5
"""Rows `5k` to `5k + 4` are one invoice. The first rows and the steps below are multiples of it."""

_ENDLESS = sys.maxsize

IDENTICAL = range(100, _ENDLESS, 100)
"""Rows that repeat the row before them: 1 %."""

CONFLICTING = range(150, _ENDLESS, 200)
"""Rows that repeat the row before them with another price: 0.5 %."""


def is_repeat(row: int) -> bool:
    """Return whether a row repeats the row before it."""
    return row in IDENTICAL or row in CONFLICTING


@dataclass(frozen=True)
class Flaw:
    """A flaw that makes some rows unusable.

    Attributes:
        rows: The rows that have it.
        reason: The reject reason of the cleaning rules.
        field: The invalid field of the event.
        value: The value sent in it.
    """

    rows: range
    reason: str
    field: str
    value: str | None


# 0.2 % of the rows, and one of each in the first 1,000 rows.
_FLAWS = (
    Flaw(range(125, _ENDLESS, 2_500), "event_id_missing", "Event ID", None),
    Flaw(range(325, _ENDLESS, 2_500), "event_id_missing", "Event ID", "  "),
    Flaw(range(525, _ENDLESS, 2_500), "price_not_numeric", "Price", "n/a"),
    Flaw(range(725, _ENDLESS, 2_500), "timestamp_unparseable", "Timestamp", "yesterday"),
    Flaw(range(925, _ENDLESS, 2_500), "timestamp_unparseable", "Timestamp", "2025-02-30T12:00:00Z"),
)
_BAD_PRICES = Flaw(range(5, _ENDLESS, 25), "price_not_numeric", "Price", "n/a")


def flaws(*, bad_prices: bool = False) -> tuple[Flaw, ...]:
    """Return the flaws of a normal day, or of a bad one on which a further 4 % of the prices are unusable."""
    return (*_FLAWS, _BAD_PRICES) if bad_prices else _FLAWS


@dataclass(frozen=True)
class Accounting:
    """The accounting of a day's events: `raw = curated + identical + conflicting + rejected`, all in rows.

    Attributes:
        raw: Rows sent.
        identical: Repeats that are equal to a kept row.
        conflicting: Repeats that differ from the kept row of the same id.
        reasons: Unusable rows by reason. Only reasons that occur are listed.
    """

    raw: int
    identical: int
    conflicting: int
    reasons: dict[str, int]

    @property
    def rejected(self) -> int:
        """Return the number of unusable rows."""
        return sum(self.reasons.values())

    @property
    def curated(self) -> int:
        """Return the number of curated rows, one per usable event id."""
        return self.raw - self.identical - self.conflicting - self.rejected


def accounting(rows: int, *, bad_prices: bool = False) -> Accounting:
    """Return the accounting of a date of `rows` events. It is the same for every date, and exact at any size."""
    reasons: dict[str, int] = {}
    for flaw in flaws(bad_prices=bad_prices):
        reasons[flaw.reason] = reasons.get(flaw.reason, 0) + _within(flaw.rows, rows)
    return Accounting(
        raw=rows,
        identical=_within(IDENTICAL, rows),
        conflicting=_within(CONFLICTING, rows),
        reasons={reason: count for reason, count in reasons.items() if count},
    )


def _within(pattern: range, rows: int) -> int:
    return len(range(pattern.start, rows, pattern.step))
