"""Paging that goes wrong, and tables of one date that do not end alike."""

from __future__ import annotations

from orchestration.errors import DataFailed, SourceBodyInvalid, SourceRefused, SourceUnreachable
from tests.bad_answers.case import Case, Counts, answer, array, envelope, event

A, B, C = (answer(array(event(name))) for name in "abc")
NONE = answer(array())
CIRCLES = ("so the paging goes in circles", "next: correct the API, or paging of shop.events in the source's YAML")
NO_NEXT = "next: correct the API, or paging.next of shop.events in the source's YAML"
ORIGIN = "next: correct the API, or SHOP_API_URL"


def linked(name: str, target: str, *says: str) -> Case:
    """A Link header that leads nowhere good."""
    sent = answer(array(event()), "200 OK", f'Link: <{target}>; rel="next"')
    return Case(name, (sent,), SourceBodyInvalid, ("shop.events: ", *says), source="linked")


def cursor(name: str, following: str, *says: str) -> Case:
    """An envelope whose cursor is none."""
    sent = answer(envelope(event(), following=following).replace(b"\xc3\xbf", b"\xff"))
    return Case(name, (sent,), SourceBodyInvalid, says, source="envelope")


PAGING = (
    Case("page 1 again as page 2", (A,), SourceBodyInvalid, ("page 2 is page 1 again", *CIRCLES), source="paged"),
    Case("page 1 again as page 3", (A, B, A), SourceBodyInvalid, ("page 3 is page 1 again", *CIRCLES), source="paged"),
    Case("an empty first page, where a day may be empty", (NONE, A), counts=Counts(0, 0), source="paged"),
    Case("an empty last page", (A, B, NONE, C), counts=Counts(2, 2), source="paged"),
    Case(
        "a record that comes again on the next page",
        (answer(array(event("a"), event("b"))), answer(array(event("b"), event("c"))), NONE),
        counts=Counts(raw=4, curated=3, identical=1),
        source="paged",
    ),
    Case(
        "500 for the second page",
        (A, answer(b"", "500 Internal Server Error")),
        SourceUnreachable,
        ("&page=2 answered 500 Internal Server Error",),
        source="paged",
    ),
    Case(
        "an HTML page for the second page",
        (A, answer("<html>")),
        SourceBodyInvalid,
        ("&page=2: a body of 6 bytes that begins b'<html>'", "is not an array"),
        source="paged",
    ),
    Case(
        "a second page that only its full parse finds broken",
        (A, answer("[{]"), NONE),
        SourceBodyInvalid,
        ("page-00002.json: Malformed JSON at byte 2",),
        source="paged",
    ),
    Case(
        "pages without end",
        (A, B, C),
        SourceBodyInvalid,
        ("shop.events has more than 2 pages", "next: ask for larger pages, or raise ELT_MAX_PAGES"),
        source="paged",
        environment={"ELT_MAX_PAGES": "2"},
    ),
    linked(
        "a next link to another host",
        "https://elsewhere.example/events",
        "the next link https://elsewhere.example/events leads away from http://127.0.0.1:",
        ORIGIN,
    ),
    linked(
        "a next link to another scheme",
        "javascript:void(0)",
        "the next link javascript:void(0) leads away from",
        ORIGIN,
    ),
    linked("a next link with a name and a password", "//me:secret@127.0.0.1/events", "leads away from", ORIGIN),
    linked(
        "a next link that is no address",
        "http://[bad/events",
        "the next link 'http://[bad/events' is no address: Invalid IPv6 URL",
        ORIGIN,
    ),
    linked(
        "a next link with a control character",
        "/events?\x7f",
        r"/events?\x7f' cannot be asked for: Invalid non-printable ASCII character",
        "next: correct the API",
    ),
    linked(
        "a next link of 70,000 bytes", f"/{'x' * 70_000}", "cannot be asked for: URL too long", "next: correct the API"
    ),
    linked("a next link to the page itself, in letters beyond ASCII", "/events?é", "page 2 is page 1 again", *CIRCLES),
    Case(
        "an envelope without the field that tells of more",
        (answer('{"data":[]}'),),
        SourceBodyInvalid,
        ("page-00001.json of shop.events has no field 'next', which says whether there is more", NO_NEXT),
        source="envelope",
    ),
    cursor("a cursor that is an object", '{"page":2}', "next is b'{\"page\":2}', no text or number", NO_NEXT),
    cursor("a cursor that is true", "true", "next is b'true', no text or number", NO_NEXT),
    cursor("a cursor that is no UTF-8", '"ÿ"', r"""next is b'"\xff"', no text or number""", NO_NEXT),
    cursor(
        "a cursor of 70,000 letters", f'"{"x" * 70_000}"', "cannot be asked for", "too long", "next: correct the API"
    ),
    cursor("the same cursor again and again", '"more"', "page 2 is page 1 again", *CIRCLES),
    Case(
        "an empty page in between, a number as cursor, empty text at the end",
        (
            answer(envelope(event("a"), following='"x"')),
            answer(envelope(following="7")),
            answer(envelope(event("b"), following='""')),
        ),
        counts=Counts(2, 2),
        source="envelope",
    ),
)

TABLES = (
    Case(
        "events fine, products 404",
        (A,),
        SourceRefused,
        ("/products?date=", "answered 404 Not Found", "path of shop.products"),
        products=answer(b"", "404 Not Found"),
    ),
    Case(
        "events fine, no product",
        (A,),
        DataFailed,
        ("clean: products_has_rows: 1 failing rows", "kept: branch etl-"),
        Counts(1, 1),
        products=NONE,
    ),
)
