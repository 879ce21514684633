"""Make foreign text safe to show: escape invisible characters and limit lengths.

Foreign text comes from an API, a lake key or an engine's message. A value inserted into a line of this package goes
through `quoted` or `one_line`, so that it cannot start a line. Complete texts go through `printable` where they leave
the process. JSON output keeps exact values.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from itertools import islice

EXAMPLES = 5
"""How many examples are shown of many names, keys or rows."""

NAME_LIMIT = 80
"""Characters shown of one foreign name or key."""

FOREIGN_LIMIT = 200
"""Characters shown of one foreign address, header or field of an envelope."""

LINE_LIMIT = 300
"""Characters shown of one foreign record, row or message inside a line."""

TEXT_LIMIT = 4_000
"""Characters of a complete text that leaves the process: an error, a log line, the message of a state."""

_HIDING = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Characters without a glyph whose category is letter or mark: fillers, joiners and variation selectors.
_BLANK = (
    (0x034F, 0x034F),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x2800, 0x2800),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFFA0, 0xFFA0),
    (0xE0100, 0xE01EF),
)


def printable(text: str, *, lines: bool = True) -> str:
    r"""Escape what a terminal would execute or not show: control, bidirectional and invisible characters (`\x1b`).

    Args:
        text: Any text.
        lines: Leave newlines and tabs unchanged.
    """
    return text.translate(_IN_TEXT if lines else _IN_LINE)


def one_line(text: str, limit: int = LINE_LIMIT) -> str:
    """Return the first `limit` characters as one printable line. An ellipsis marks a cut."""
    return printable(text[:limit], lines=False) + ("…" if len(text) > limit else "")


def quoted(value: object, limit: int = NAME_LIMIT) -> str:
    """Return a foreign value as `repr` shows it, cut to `limit` characters. An ellipsis marks a cut."""
    text = value if isinstance(value, str) else repr(value)
    shown = repr(text[:limit]) if isinstance(value, str) else text[:limit]
    return printable(shown, lines=False) + ("…" if len(text) > limit else "")


def shortened(text: str, limit: int = TEXT_LIMIT) -> str:
    """Return a printable text of about `limit` characters, with a note if it was cut.

    The part that is cut off is not processed.
    """
    if len(text) <= limit:
        shown = printable(text)
        # An escape takes up to ten characters.
        return shown if len(shown) <= limit else f"{shown[:limit]}… (cut)"
    return f"{printable(text[:limit])[:limit]}… (cut, {len(text):,} characters in all)"


def log_line(text: str) -> str:
    """Return a text for a log or a terminal: printable, cut, with further lines indented."""
    return indented(shortened(text))


def indented(text: str) -> str:
    """Indent all lines but the first, so that none looks like a line of this package."""
    return text.replace("\n", "\n  ")


def examples(shown: Iterable[str], count: int) -> str:
    """Join the first few of `count` items, and add how many more there are."""
    some: Sequence[str] = list(islice(shown, EXAMPLES))
    listed = ", ".join(some)
    return f"{listed} and {count - len(some):,} more" if count > len(some) else listed


def key_list(keys: Sequence[str]) -> str:
    """List a few keys of the lake. Any user of the lake may choose keys, so they are foreign text."""
    return examples((one_line(key) for key in keys), len(keys))


class _Escapes(dict[int, int | str]):
    """A table for `str.translate`, filled as characters occur."""

    def __missing__(self, code: int) -> int | str:
        shown = chr(code).encode("unicode_escape").decode("ascii") if _hides(code) else code
        self[code] = shown
        return shown


def _hides(code: int) -> bool:
    return unicodedata.category(chr(code)) in _HIDING or any(first <= code <= last for first, last in _BLANK)


_IN_LINE = _Escapes()
_IN_TEXT = _Escapes({ord(sign): sign for sign in "\n\t"})
