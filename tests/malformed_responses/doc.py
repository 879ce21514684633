"""docs/malformed-responses.md, written from the cases: a line for each, with its outcome."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from orchestration.settings import PROJECT_DIR
from tests.malformed_responses import CASES
from tests.malformed_responses.case import Case, Row
from tests.malformed_responses.fine import PAGES
from tests.malformed_responses.values import ROWS

FILE = PROJECT_DIR / "docs" / "malformed-responses.md"

_INTRO = """\
# Bad answers

{kinds} kinds of answers an API may give, and what comes of each: {days} that make a day of their own, {pages} odd pages
of one day, and {rows} records among good ones. `tests/integration/test_malformed_responses.py` sends every one, byte for byte,
through the run protocol to a real lakeFS, and holds this page against the cases. `python -m tests.malformed_responses` writes
it.

- **published**: the accounting is given, in rows of `events`. The receipt on `main` says the same, and so does the
  Parquet, read back.
- **DataFailed** (exit 3): `main` is untouched. The branch is kept with what was built; its accounting closes too.
- **SourceFailed** (exit 4): `main` is untouched. A branch is kept only where the full parse found what the fetch cannot
  see; the message begins with `clean:` then. *Asked again* is what may be better the next time: three more times, 30 s
  apart, or as long as Retry-After says.

A message is given by its telling parts; each also names the date and ends with the next command to type.

What no client can see: NDJSON that ends early at the end of a line, where its own Content-Length says so or where it
has none, looks like a smaller day. The early end of an array or of an envelope is always seen.
"""


def text() -> str:
    """The whole page."""
    days = sum(map(len, CASES.values()))
    kinds = days + len(PAGES) + len(ROWS)
    lines = [_INTRO.format(kinds=kinds, days=days, pages=len(PAGES), rows=len(ROWS))]
    for theme, cases in CASES.items():
        answers = [(case.name, _outcome(case), _told(case)) for case in cases]
        lines += _table(theme, ("answer", "outcome", "accounting, or what the message says"), answers)
    pages = [(page.name, "published: the page's one record is") for page in PAGES]
    lines += _table("Odd pages that are fine", ("answer", "outcome"), pages)
    rows = [(row.name, _fate(row)) for row in ROWS]
    lines += _table("Records among good ones", ("record", "outcome"), rows)
    return "\n".join(lines)


def _table(heading: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"## {heading}\n"
    for row in (columns, ["---"] * len(columns), *rows):
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |"
    yield ""


def _outcome(case: Case) -> str:
    return f"{case.outcome}, asked again" if case.asked_again else case.outcome


def _told(case: Case) -> str:
    return " … ".join(f"`{part}`" for part in case.says) or str(case.counts)


def _fate(row: Row) -> str:
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
