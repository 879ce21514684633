"""Parse a complete Link header as RFC 8288 defines it. A malformed header is an error, never "no link"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_BLANKS = " \t"
_BLANK = re.compile(r"[ \t]*")
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# RFC 8288 allows a token here. Earlier RFCs allowed any text that does not end the value.
_BARE = re.compile(r"""[^\s;,"]+""")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_SINGLE_QUOTED = re.compile(r"'([^']*)'(?=[ \t]*(?:[;,]|$))")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True)
class Link:
    """One link of a header.

    Attributes:
        target: The address between the angle brackets, as sent.
        parameters: Parameters by lower-case name. The first one counts if a name is repeated.
    """

    target: str
    parameters: Mapping[str, str]

    @property
    def relations(self) -> frozenset[str]:
        """Return the relation types of `rel` in lower case."""
        return frozenset(self.parameters.get("rel", "").lower().split())


def parse_links(header: str) -> tuple[Link, ...]:
    """Return every link of a header. Join several header lines with commas first.

    Takes time linear in the header's length.

    Raises:
        ValueError: The header is not a list of links; the message gives the position and what was expected.
    """
    links: list[Link] = []
    at = 0
    while True:
        # A list may have empty elements.
        while at < len(header) and header[at] in _BLANKS + ",":
            at += 1
        if at == len(header):
            return tuple(links)
        link, at = _link(header, at)
        links.append(link)
        if at < len(header) and header[at] != ",":
            raise _unreadable(header, at, "',' or ';'")


def _link(header: str, at: int) -> tuple[Link, int]:
    if header[at] != "<":
        raise _unreadable(header, at, "'<'")
    end = header.find(">", at)
    if end < 0:
        raise _unreadable(header, len(header), f"'>' for the '<' at character {at + 1}")
    target = header[at + 1 : end].strip()
    parameters: dict[str, str] = {}
    at = _skip_blanks(header, end + 1)
    while at < len(header) and header[at] == ";":
        at = _skip_blanks(header, at + 1)
        # A parameter may be empty, as after a trailing semicolon.
        if at == len(header) or header[at] in ";,":
            continue
        name = _NAME.match(header, at)
        if name is None:
            raise _unreadable(header, at, "the name of a parameter")
        value = ""
        at = _skip_blanks(header, name.end())
        if at < len(header) and header[at] == "=":
            value, at = _value(header, _skip_blanks(header, at + 1))
        parameters.setdefault(name[0].lower(), value)
        at = _skip_blanks(header, at)
    return Link(target, parameters), at


def _value(header: str, at: int) -> tuple[str, int]:
    if quoted := _QUOTED.match(header, at):
        return _ESCAPE.sub(r"\1", quoted[1]), quoted.end()
    # RFC 8288 has no single quotes, but some APIs send them.
    if single := _SINGLE_QUOTED.match(header, at):
        return single[1], single.end()
    if at == len(header) or header[at] in ";,":
        return "", at
    bare = _BARE.match(header, at)
    if bare is None:
        raise _unreadable(header, at, "a value that ends")
    return bare[0], bare.end()


def _skip_blanks(header: str, at: int) -> int:
    found = _BLANK.match(header, at)
    return found.end() if found else at


def _unreadable(header: str, at: int, expected: str) -> ValueError:
    found = repr(header[at : at + 20]) if at < len(header) else "the end"
    return ValueError(f"expected {expected} at character {at + 1}, found {found}")
