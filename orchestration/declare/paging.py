"""Guess how the pages of an answer go on, and what the answer says about itself beside its records."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestration.declare.guess import Guess
from orchestration.declare.shape import Records, joined
from orchestration.source.announced import (
    FALSE_MEANS_MORE,
    INSIDE,
    NEXT,
    PAGES,
    PAGES_HEADERS,
    TOTAL_HEADERS,
    TOTALS,
    TRUE_MEANS_MORE,
)
from orchestration.source.link_header import parse_links
from orchestration.text import quoted

_LINKS = ("links", "_links")
_CURSORS = (
    *("cursor", "after", "starting_after", "continuation_token", "continuationToken"),
    "end_cursor",
    "endCursor",
)
_PAGE = ("page", "pageNumber", "page_number", "page_no", "pageNo", "p", "currentPage", "current_page")
_OFFSETS = ("offset", "skip", "start", "startIndex", "start_index", "startAt", "$skip", "$offset", "from")
_SIZES = (
    "limit",
    "per_page",
    "perPage",
    "pageSize",
    "page_size",
    "size",
    "count",
    "rows",
    "$limit",
    "$top",
    "maxResults",
)
_GOOD: Mapping[str, tuple[Any, ...]] = {
    **dict.fromkeys(("ok", "success", "succeeded", "successful"), (True,)),
    **dict.fromkeys(("status", "stat"), ("ok", "OK", "success", "succeeded")),
    **dict.fromkeys(("incomplete_results", "timed_out", "partial", "incomplete"), (False,)),
}


@dataclass(frozen=True)
class Paging:
    """How the pages go on.

    Attributes:
        declared: `fetch.paging`; empty for a single page.
        without: The request parameters that the paging sets itself.
        total: The path of the number of all records; empty if none is declared.
        expect: The fields that each page must have, with their values.
        guesses: How this was found.
    """

    declared: Mapping[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    total: str = ""
    expect: Mapping[str, Any] = field(default_factory=dict)
    guesses: tuple[Guess, ...] = ()


@dataclass(frozen=True)
class _Answer:
    """A decoded answer: the values of its envelope by path, and what it was asked for."""

    values: Mapping[str, Any]
    headers: Mapping[str, str]
    parameters: Mapping[str, str]
    count: int


def find_paging(
    document: Any,
    found: Records,
    headers: Mapping[str, str],
    parameters: Mapping[str, str],
    count: int,
    key: Sequence[str] = (),
) -> Paging:
    """Return how the pages of an answer go on, from its envelope, its headers and the request's parameters.

    Args:
        document: The decoded answer.
        found: Where its records are.
        headers: Its headers by lower-case name; empty for a saved answer.
        parameters: What was asked for.
        count: Its records.
        key: The fields that name a record.
    """
    envelope = document if found.form == "envelope" else {}
    values = dict(_values(envelope, found.path))
    answer = _Answer(values, headers, parameters, count)
    paging = _linked(answer) or _cursor(answer) or _numbered(answer) or _offset(answer)
    paging = paging or _after_the_last(answer, found, key) or Paging()
    expect = {path: value for path, value in values.items() if _is_good(path, value)}
    signs = tuple(
        Guess(f"expect.{path}", str(value).lower(), "it says that all is well") for path, value in expect.items()
    )
    guesses = (*paging.guesses, *signs)
    total = next((path for path in values if _last(path) in TOTALS and _is_number(values[path])), "")
    # Totals of these names are compared anyway. Counted pages need them to know their end.
    declares = total and paging.declared.get("style") in ("page", "offset") and "pages" not in paging.declared
    if total and not paging.declared and values[total] > count:
        guesses += (
            Guess("paging", "unknown", f"{total} announces {values[total]:,} records and {count:,} came: declare how"),
        )
    if declares:
        guesses += (Guess("total", total, f"it is {values[total]:,}, which ends the pages"),)
    return Paging(paging.declared, paging.without, total if declares else "", expect, guesses)


def _values(document: Any, records: str) -> Iterator[tuple[str, Any]]:
    """Yield the values beside the records, by path: those at the top first, then those of the usual objects."""
    holders = [("", document)]
    if isinstance(document, list):
        holders = [(f"[{at}]", one) for at, one in enumerate(document) if isinstance(one, dict)]
    for path, holder in holders:
        if not isinstance(holder, dict):
            continue
        for name, value in holder.items():
            here = joined(path, name)
            if here == records or records.startswith((f"{here}.", f"{here}[")):
                continue
            if isinstance(value, dict) and (name in (*INSIDE, *_LINKS) or _depth(here) > 1):
                yield from _values_of(value, here)
            elif not isinstance(value, dict | list):
                yield here, value


def _values_of(value: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        here = joined(path, name)
        if isinstance(inner, dict) and _depth(here) <= _DEEPEST:
            yield from _values_of(inner, here)
        elif not isinstance(inner, dict | list):
            yield here, inner


_DEEPEST = 3


def _depth(path: str) -> int:
    return path.count(".") + 1


def _last(path: str) -> str:
    return re.sub(r'^.*\."|"$|^"', "", path) if '"' in path else path.rsplit(".", 1)[-1]


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_good(path: str, value: Any) -> bool:
    # A number never equals a flag: 1 == True in Python.
    return any(type(value) is type(good) and value == good for good in _GOOD.get(path, ()))


def _linked(answer: _Answer) -> Paging | None:
    try:
        links = parse_links(answer.headers.get("link", ""))
    except ValueError:
        links = ()
    if any("next" in link.parameters.get("rel", "").lower().split() for link in links):
        why = "the answer has a Link header with rel=next"
        return Paging({"style": "next_link"}, guesses=(Guess("paging", "next_link", why),))
    for path, value in answer.values.items():
        name = _last(path)
        inside = path.split(".")
        is_link = name in NEXT or path.endswith((".next.href", ".next.url", ".next.link"))
        if not is_link or not (isinstance(value, str) or value is None):
            continue
        if isinstance(value, str) and re.match(r"https?://|/|\?", value):
            why = f"{path} is the address {quoted(value, 60)}"
        elif value is None and (name in ("next", "nextLink", "next_link", "@odata.nextLink") or _is_address(name)):
            why = f"{path} is null, as on a last page"
        else:
            continue
        # Some APIs leave the link out on the last page.
        declared = {"style": "next_link", "next": path}
        if len(inside) > 1 or name.startswith("@") or "Records" in name:
            declared["absent"] = "end"
        return Paging(declared, guesses=(Guess("paging", f"next_link, next: {path}", why),))
    return None


def _is_address(name: str) -> bool:
    return bool(re.search(r"(ur[il]|link)$", name, re.I))


def _cursor(answer: _Answer) -> Paging | None:
    for path, value in answer.values.items():
        name = _last(path)
        names_next = name in NEXT or (
            name in _CURSORS and (".next." in path or path.startswith(INSIDE) or "cursor" in name.lower())
        )
        if not names_next or name == "page" or name in ("next_page", "nextPage"):
            continue
        if not (value is None or (isinstance(value, str) and value) or (_is_number(value) and name not in ("next",))):
            continue
        more = next((one for one in answer.values if _last(one) in TRUE_MEANS_MORE), "")
        parameter = _cursor_parameter(name, answer.parameters)
        declared: dict[str, Any] = {"style": "cursor", "parameter": parameter, "next": path}
        if more:
            declared["more"] = more
        if "." in path:
            declared["absent"] = "end"
        why = f"{path} is {'null, as on a last page' if value is None else quoted(value, 40)}"
        guess = Guess(
            "paging", f"cursor, next: {path}, parameter: {parameter}", f"{why}; the parameter's name is a guess"
        )
        without = (parameter,) if parameter in answer.parameters else ()
        return Paging(declared, without, guesses=(guess,))
    return None


def _cursor_parameter(name: str, parameters: Mapping[str, str]) -> str:
    bare = re.sub(r"^next_?", "", name)
    bare = bare[:1].lower() + bare[1:]
    for candidate in (bare, "cursor", "page_token", "pageToken", "after", "starting_after", "token"):
        if candidate and candidate in parameters:
            return candidate
    return "cursor" if bare in ("", "endCursor", "end_cursor") else bare


def _numbered(answer: _Answer) -> Paging | None:
    pages = next((path for path in answer.values if _last(path) in PAGES and _is_number(answer.values[path])), "")
    header = next((name for name in PAGES_HEADERS if name.lower() in answer.headers), "")
    following = next(
        (
            path
            for path, value in answer.values.items()
            if _last(path) in ("next_page", "nextPage") and (value is None or _is_number(value))
        ),
        "",
    )
    own = next((name for name in _PAGE if name in answer.parameters), "")
    current = next((path for path in answer.values if _last(path) in _PAGE and _is_number(answer.values[path])), "")
    if not (own or pages or header or following):
        return None
    parameter = own or (_last(current) if current and not current.endswith(("current_page", "currentPage")) else "page")
    declared: dict[str, Any] = {"style": "page", "parameter": parameter}
    first = answer.parameters.get(own, "") if own else str(answer.values.get(current, 1))
    if first.isdigit() and first != "1":
        declared["first"] = int(first)
    more = next((path for path in answer.values if _last(path) in TRUE_MEANS_MORE), "")
    done = next((path for path in answer.values if _last(path) in FALSE_MEANS_MORE), "")
    if pages:
        declared["pages"] = pages
        why = f"{pages} announces {answer.values[pages]:,} pages"
    elif header:
        declared["pages_header"] = header
        why = f"the header {header} announces the pages"
    elif following:
        declared["next"] = following
        why = f"{following} is {answer.values[following]}"
    elif more or done:
        declared["more" if more else "done"] = more or done
        why = f"the request has {own}, and {more or done} says whether another page follows"
    else:
        why = f"the request has the parameter {own}; two empty pages in a row end the pages"
    guess = Guess("paging", f"page, parameter: {parameter}", why)
    return Paging(declared, (own,) if own else (), guesses=(guess,))


def _offset(answer: _Answer) -> Paging | None:
    own = next((name for name in _OFFSETS[:-1] if name in answer.parameters), "")
    current = next((path for path in answer.values if _last(path) in _OFFSETS and _is_number(answer.values[path])), "")
    total = any(_last(path) in TOTALS for path in answer.values) or any(
        name.lower() in answer.headers for name in TOTAL_HEADERS
    )
    size = next((name for name in _SIZES if name in answer.parameters), "")
    if own and not answer.parameters[own].isdigit():
        own = ""
    if not own and not (current and (total or size)):
        return None
    parameter = own or _last(current)
    first = int(answer.parameters[own]) if own else answer.values[current]
    declared: dict[str, Any] = {"style": "offset", "parameter": parameter, **({"first": first} if first else {})}
    more = next((path for path in answer.values if _last(path) in TRUE_MEANS_MORE), "")
    if more:
        declared["more"] = more
    why = f"the request has {own}" if own else f"{current} is {answer.values[current]}"
    return Paging(declared, (own,) if own else (), guesses=(Guess("paging", f"offset, parameter: {parameter}", why),))


def _after_the_last(answer: _Answer, found: Records, key: Sequence[str]) -> Paging | None:
    more = next((path for path in answer.values if _last(path) in TRUE_MEANS_MORE), "")
    if not more or len(key) != 1 or found.shape != "objects":
        return None
    following = f"{found.path}[-1].{key[0]}"
    why = f"{more} says whether another page follows, and no field names it: the last record's {key[0]} may"
    declared = {"style": "cursor", "parameter": "starting_after", "next": following, "more": more}
    guess = Guess("paging", f"cursor, next: {following}, parameter: starting_after", f"{why}; check the parameter")
    return Paging(declared, guesses=(guess,))
