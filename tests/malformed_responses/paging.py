"""Errors of paging, and tables of one date with different outcomes."""

from __future__ import annotations

from orchestration.errors import DataFailed, SourceBodyInvalid, SourceRefused, SourceUnreachable
from tests.malformed_responses.case import Case, Counts, answer, array, envelope, event

A, B, C = (answer(array(event(name))) for name in "abc")
NONE = answer(array())
CIRCLES = ("so the paging is circular", "next: correct the API, or paging of shop.events in the source's YAML")
NO_NEXT = "next: correct the API, or paging.next of shop.events in the source's YAML"
ORIGIN = "next: correct the API, or SHOP_API_URL"


def linked(name: str, target: str, *says: str) -> Case:
    """A Link header with an invalid or forbidden next link."""
    sent = answer(array(event()), "200 OK", f'Link: <{target}>; rel="next"')
    return Case(name, (sent,), SourceBodyInvalid, ("shop.events: ", *says), source="linked")


def _next(sent: bytes, *links: str) -> bytes:
    """Returns a response with these Link headers."""
    head, _, body = sent.partition(b"\r\n\r\n")
    return b"\r\n".join([head, *(f"Link: {link}".encode() for link in links)]) + b"\r\n\r\n" + body


def two_links(name: str, *links: str) -> Case:
    """Two pages, the first with a link to the second."""
    return Case(name, (_next(A, *links), B), counts=Counts(2, 2), source="linked")


def unreadable(name: str, link: str, says: str) -> Case:
    """A Link header with a syntax error."""
    parts = (f"shop.events: the Link header {link!r} cannot be read: ", says, "next: correct the API: RFC 8288")
    return Case(name, (_next(A, link),), SourceBodyInvalid, parts, source="linked")


def cursor(name: str, following: str, *says: str) -> Case:
    """An envelope with an invalid cursor."""
    sent = answer(envelope(event(), following=following).replace(b"\xc3\xbf", b"\xff"))
    return Case(name, (sent,), SourceBodyInvalid, says, source="envelope")


PAGING = (
    Case("page 1 again as page 2", (A,), SourceBodyInvalid, ("page 2 is page 1 again", *CIRCLES), source="paged"),
    Case("page 1 again as page 3", (A, B, A), SourceBodyInvalid, ("page 3 is page 1 again", *CIRCLES), source="paged"),
    Case("an empty first page, if a day may be empty", (NONE, NONE, A), counts=Counts(0, 0), source="paged"),
    Case("two empty pages at the end", (A, B, NONE, NONE, C), counts=Counts(2, 2), source="paged"),
    Case("an empty page among numbered pages", (A, NONE, B, NONE), counts=Counts(2, 2), source="paged"),
    Case("404 after an empty page", (A, NONE, answer(b"", "404 Not Found")), counts=Counts(1, 1), source="paged"),
    Case(
        "404 after the last page",
        (A, B, answer('{"detail":"Invalid page."}', "404 Not Found")),
        SourceRefused,
        (
            "&page=3 answered 404 Not Found: ",
            "; 2 pages were fetched before it, and an API may end its pages this way",
            "next: if that is the end, set paging.end_status: [404] of shop.events in the source's YAML",
        ),
        source="paged",
    ),
    Case(
        "a total larger than the number of records",
        (answer(envelope(event("a"), event("b")).replace(b'"next"', b'"meta":{"total":3},"next"')),),
        SourceBodyInvalid,
        (
            "shop.events: total announces 3 records, 2 were fetched",
            "set total: to the field with the number of records",
        ),
        source="envelope",
    ),
    Case(
        "an empty page among pages whose total is declared",
        tuple(
            answer(envelope(*records).replace(b'"next"', b'"total":2,"next"'))
            for records in ([event("a")], [], [event("b")])
        ),
        counts=Counts(2, 2),
        source="counted",
    ),
    Case(
        "no total where one is declared",
        (answer(envelope(event("a"))),),
        SourceBodyInvalid,
        ("does not announce its total: it has no field 'total'",),
        source="counted",
    ),
    Case(
        "a last page that announces more records",
        (answer(envelope(event("a")).replace(b'"next"', b'"has_more":true,"next"')),),
        SourceBodyInvalid,
        ("shop.events: after 1 pages, the last one announces more by has_more: true",),
        source="envelope",
    ),
    Case(
        "a Link header with a next page, but no declared paging",
        (_next(A, "</events?page=2>; rel=next"),),
        SourceBodyInvalid,
        ("the last one announces more by a Link header with the next page '/events?page=2'", "declare the paging"),
    ),
    Case(
        "a record that is repeated on the next page",
        (answer(array(event("a"), event("b"))), answer(array(event("b"), event("c"))), NONE),
        counts=Counts(raw=4, curated=3, identical=1),
        source="paged",
    ),
    Case(
        "offsets with a page of fewer records than asked for",
        (
            answer(array(event("a"), event("b")), "200 OK", "X-Count: 5"),
            answer(array(event("c")), "200 OK", "X-Count: 5"),
            answer(array(event("e")), "200 OK", "X-Count: 5"),
        ),
        SourceBodyInvalid,
        ("shop.events: X-Count announces 5 records, 4 were fetched",),
        source="offsets",
    ),
    Case(
        "offsets with an empty page before the total is reached",
        (answer(array(event("a"), event("b")), "200 OK", "X-Count: 3"), answer("[]", "200 OK", "X-Count: 3")),
        SourceBodyInvalid,
        ("shop.events: X-Count announces 3 records, 2 were fetched",),
        source="offsets",
    ),
    Case(
        "404 after the last page, which is declared to end the pages",
        (A, B, answer('{"detail":"Invalid page."}', "404 Not Found")),
        counts=Counts(2, 2),
        source="until refused",
    ),
    Case(
        "404 for the first page, although 404 ends the pages",
        (answer("", "404 Not Found"),),
        SourceRefused,
        ("&page=1 answered 404 Not Found",),
        source="until refused",
    ),
    Case(
        "the same cursor again in answer to a POST",
        (answer(envelope(event("a"), following='"x"')), answer(envelope(event("b"), following='"x"'))),
        SourceBodyInvalid,
        ("page 3 is page 2 again", *CIRCLES),
        source="posted",
    ),
    Case(
        "a cursor that leads back to an earlier one, with other records",
        tuple(
            answer(envelope(event(name), following=f'"{following}"'))
            for name, following in (("a", "x"), ("b", "y"), ("c", "x"))
        ),
        SourceBodyInvalid,
        ("page 4 is page 2 again", *CIRCLES, "was requested before"),
        source="envelope",
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
        "a second page with an error that only the full parse detects",
        (A, answer("[{]"), NONE),
        SourceBodyInvalid,
        ("transform: ", "page-00002.json: Malformed JSON at byte 2"),
        source="paged",
    ),
    Case(
        "pages without end",
        (A, B, C),
        SourceBodyInvalid,
        ("shop.events has more than 2 pages", "next: request larger pages, or raise ELT_MAX_PAGES"),
        source="paged",
        environment={"ELT_MAX_PAGES": "2"},
    ),
    linked(
        "a next link to another host",
        "https://elsewhere.example/events",
        "the next link 'https://elsewhere.example/events' points away from http://127.0.0.1:",
        ORIGIN,
    ),
    linked(
        "a next link to another scheme",
        "javascript:void(0)",
        "the next link 'javascript:void(0)' points away from",
        ORIGIN,
    ),
    linked("a next link with a user name and a password", "//me:secret@127.0.0.1/events", "points away from", ORIGIN),
    linked(
        "a next link that is not a URL",
        "http://[bad/events",
        "the next link 'http://[bad/events' points away from http://127.0.0.1:",
        ORIGIN,
    ),
    linked(
        "a next link with a control character",
        "/events?\x7f",
        r"the next link '/events?\x7f' is not a valid address: Invalid non-printable ASCII character",
        ORIGIN,
    ),
    linked("a next link of 70,000 bytes", f"/{'x' * 70_000}", "xxx'… is not a valid address: URL too long", ORIGIN),
    unreadable("a Link header without brackets", '/events?page=2; rel="next"', "expected '<' at character 1"),
    unreadable("a Link header with an unclosed URL", '</events; rel="next"', "expected '>'"),
    unreadable("a Link header with an unclosed quoted string", '</events>; rel="next', "expected a value that ends"),
    unreadable("a Link header without a semicolon", '</events> rel="next"', "expected ',' or ';'"),
    unreadable("a Link header that is cut off", '</events?page=0>; rel="prev", </eve', "expected '>'"),
    two_links("two relation types in one link", '</events?page=2>; rel="next last"'),
    two_links("a semicolon in the URL of the next link", "</events;v=1?page=2;x>; rel=next"),
    two_links("a comma in the URL of the next link", '</events?page=1,2>; title="a, b"; rel="next"'),
    two_links("a next link among other links, in two header lines", '</a>; rel="first"', "</events?page=2>;REL='Next'"),
    two_links("the same next link twice", '</events?page=2>; rel="next"', "<?page=2>; rel=next"),
    Case(
        "two different next links",
        (answer(array(event()), "200 OK", "Link: <?page=2>; rel=next", "Link: <?page=3>; rel=next"),),
        SourceBodyInvalid,
        ("shop.events: a page names 2 different next links: 'http://127.0.0.1:", "next: correct the API"),
        source="linked",
    ),
    Case(
        'a next link with `results="false"`',
        (_next(A, '<?page=2>; rel="next"; results="true"'), _next(B, '<?page=3>; rel="next"; results="false"'), C),
        counts=Counts(2, 2),
        source="linked",
    ),
    Case(
        "a next link of another resource",
        (_next(A, '</events/1?part=2>; rel="next"; anchor="/events/1"'), C),
        counts=Counts(1, 1),
        source="linked",
    ),
    Case(
        "two pages that link to each other, with changing bodies",
        (
            _next(answer(array(event("a"))), "<?page=b>; rel=next"),
            _next(answer(array(event("b"))), "<?page=a>; rel=next"),
            _next(answer(array(event("c"))), "<?page=b>; rel=next"),
        ),
        SourceBodyInvalid,
        ("page 4 is page 2 again", *CIRCLES, ": 'http://127.0.0.1:", "/events?page=b' was requested before"),
        source="linked",
    ),
    Case(
        "empty pages that link to each other",
        (_next(NONE, "<?page=b>; rel=next"), _next(NONE, "<?page=a>; rel=next"), _next(NONE, "<?page=b>; rel=next")),
        SourceBodyInvalid,
        ("page 4 is page 2 again", *CIRCLES),
        source="linked",
    ),
    linked("a next link to the page itself, not in ASCII", "/events?é", "page 2 is page 1 again", *CIRCLES),
    Case(
        "an envelope without the field of the next page",
        (answer('{"data":[]}'),),
        SourceBodyInvalid,
        ("page-00001.json of shop.events has no field 'next', which announces the next page", NO_NEXT),
        source="envelope",
    ),
    cursor("a cursor that is an object", '{"page":2}', "next is b'{\"page\":2}', not a text or number", NO_NEXT),
    cursor("a cursor that is true", "true", "next is b'true', not a text or number", NO_NEXT),
    cursor("a cursor that is not UTF-8", '"ÿ"', r"""next is b'"\xff"', not a text or number""", NO_NEXT),
    cursor(
        "a cursor of 70,000 characters", f'"{"x" * 70_000}"', "cannot be requested", "too long", "next: correct the API"
    ),
    *(
        Case(
            f"a cursor that is `{last}`",
            (answer(envelope(event(), following=last)),),
            counts=Counts(1, 1),
            source="envelope",
        )
        for last in ("0", '"0"', "false")
    ),
    cursor("the same cursor on every page", '"more"', "page 2 is page 1 again", *CIRCLES),
    Case(
        "an empty page between others, a number as cursor, an empty string at the end",
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
        "valid events, 404 for products",
        (A,),
        SourceRefused,
        ("/products?date=", "answered 404 Not Found", "path of shop.products"),
        products=answer(b"", "404 Not Found"),
    ),
    Case(
        "valid events, no products",
        (A,),
        DataFailed,
        ("transform: products_has_rows: 1 failing rows", "kept: branch etl-"),
        Counts(1, 1),
        products=NONE,
    ),
)
