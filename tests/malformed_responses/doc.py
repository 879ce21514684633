"""docs/malformed-responses.md, generated from the cases: one line each, with its outcome."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from orchestration.settings import PROJECT_DIR
from tests.malformed_responses import CASES
from tests.malformed_responses.case import Case, Row
from tests.malformed_responses.unusual_pages import PAGES
from tests.malformed_responses.values import ROWS

FILE = PROJECT_DIR / "docs" / "malformed-responses.md"

_INTRO = """\
# Malformed responses

This page lists {kinds} kinds of API responses with the outcome of each: {days} as a day of their own, {pages} unusual
but valid pages of one day, and {rows} records among valid ones. `tests/integration/test_malformed_responses.py` sends
each of them, byte for byte, through a run on a real lakeFS. It also compares this page with the cases.
`python -m tests.malformed_responses` generates the page.

- **published**: the table shows the accounting, in rows of `events`. The test finds the same numbers in the receipt on
  `main` and in the published Parquet.
- **DataFailed** (exit 3): `main` is untouched. The branch is kept with the built tables, and their accounting closes.
- **SourceFailed** (exit 4): `main` is untouched. Usually the fetch detects the error, and there is no branch. If only
  the full parse detects it, the branch is kept and the message names the step `transform`.
- **retried**: a later response may be better. By default the request is repeated three times, 30 s apart, or after the
  time that `Retry-After` gives.

The tables show the important parts of each message. Every message also has the date, and ends with the next command.

One error cannot be detected: NDJSON that ends early after a whole line looks like a smaller day, if its
`Content-Length` matches or is absent. An array or an envelope that ends early is always detected.
"""


def text() -> str:
    """Returns the whole page."""
    days = sum(map(len, CASES.values()))
    kinds = days + len(PAGES) + len(ROWS)
    lines = [_INTRO.format(kinds=kinds, days=days, pages=len(PAGES), rows=len(ROWS))]
    for theme, cases in CASES.items():
        responses = [(case.name, _outcome(case), _details(case)) for case in cases]
        lines += _table(theme, ("response", "outcome", "accounting or message"), responses)
    pages = [(page.name, "published, with the record of the page") for page in PAGES]
    lines += _table("Unusual but valid pages", ("response", "outcome"), pages)
    rows = [(row.name, _row_outcome(row)) for row in ROWS]
    lines += _table("Records among valid ones", ("record", "outcome"), rows)
    return "\n".join(lines)


def _table(heading: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"## {heading}\n"
    for row in (columns, ["---"] * len(columns), *rows):
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |"
    yield ""


def _outcome(case: Case) -> str:
    return f"{case.outcome}, retried" if case.retried else case.outcome


def _details(case: Case) -> str:
    return " … ".join(f"`{part}`" for part in case.says) or str(case.counts)


def _row_outcome(row: Row) -> str:
    drift = f"; drift: {', '.join(f'`{name!r}`' for name in row.drift)}" if row.drift else ""
    if row.rejected:
        return f"rejected `{row.rejected}`{drift}"
    shown = {name: value for name, value in row.becomes.items() if name != "event_id"} or row.becomes
    values = ", ".join(f"`{name}` {_value(value)}" for name, value in shown.items())
    repeats = "".join(f", {n} {what}" for what in ("identical", "conflicting") if (n := getattr(row, what)))
    return f"published: {values}{repeats}{drift}"


def _value(value: object) -> str:
    if isinstance(value, datetime):
        return f"`{value.isoformat().replace('+00:00', 'Z')}`"
    return "null" if value is None else f"`{value!a}`"
