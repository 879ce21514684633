"""Bodies with invalid JSON, or of another form or encoding than declared, and some that are valid after all."""

from __future__ import annotations

import json

from orchestration.errors import DataFailed, SourceBodyInvalid, SourceRefused
from tests.malformed_responses.case import DEEP, MIB, Case, Counts, answer, array, envelope, event, good, ndjson

A, B, C = event("a"), event("b"), event("c")
TWO = Counts(raw=2, curated=2)
NO_LIST = "next: correct the API, or records of shop.events in the source's YAML"


def fine(name: str, body: bytes | str, counts: Counts = TWO, source: str = "array") -> Case:
    return Case(name, (answer(body),), counts=counts, source=source)


def no_form(name: str, body: bytes | str, source: str = "array") -> Case:
    """A body whose first or last bytes do not fit its form, which the fetch detects."""
    size = len(body.encode() if isinstance(body, str) else body)
    article = "" if source == "ndjson" else "an "
    says = (
        f"a body of {size:,} bytes that begins ",
        f"is not {article}{source}",
        "next: correct the API, or the form of shop.events in the source's YAML",
    )
    return Case(name, (answer(body),), SourceBodyInvalid, says, source=source)


def malformed(name: str, body: bytes | str, where: str, source: str = "array") -> Case:
    """A body with an error that only the full parse detects; the message has its position."""
    says = ("transform: raw/shop/events/date=", "page-00001.json: Malformed JSON at byte ", where, "kept: branch etl-")
    return Case(name, (answer(body),), SourceBodyInvalid, says, source=source)


def no_envelope(name: str, body: bytes | str, *says: str) -> Case:
    return Case(name, (answer(body),), SourceBodyInvalid, ("page-00001.json of shop.events", *says), source="envelope")


def failure(name: str, body: str, says: str) -> Case:
    """An envelope that reports a failure under 200."""
    parts = (f"page-00001.json of shop.events reports {says}", "set failure_signs: false of shop.events")
    return Case(name, (answer(body),), SourceRefused, parts, source="envelope")


def _with(record: str, old: str, new: bytes) -> bytes:
    return array(record, C).replace(old.encode(), new, 1)


ARRAYS = (
    no_form("an empty body", b""),
    no_form("white space only", b" \r\n\t"),
    no_form("`null`", "null"),
    no_form("`5`", "5"),
    no_form('`"text"`', '"text"'),
    no_form("one object", A),
    no_form("an HTML page under a JSON content type", "<!doctype html><title>Sign in</title>"),
    no_form("a function call around the array", b"callback(" + array(A) + b")"),
    no_form("a prefix against JSON hijacking before the array", b")]}',\n" + array(A)),
    no_form("NDJSON where an array is declared", ndjson(A, B)),
    no_form("cut off in the middle of a record", array(A, B)[:-50]),
    no_form("cut off after a record", array(A, B)[:-1]),
    malformed("cut off in a record, with the end of the array added", array(A, B)[:-50] + b"]", "in record/value 3"),
    malformed("a comma after the last record", f"[{A},{B},]", "input length is 0"),
    malformed("a missing comma between records", f"[{A} {B}]", "in record/value 3: unexpected character"),
    malformed("two arrays", array(A) + b"\n" + array(B), "unexpected character"),
    malformed("an array closed twice", array(A) + b"]", "in record/value 3"),
    malformed("single quotes instead of double quotes", f"[{A}]".replace('"', "'"), "unexpected character"),
    malformed("a comment", f"[{A}, /* the next */ {B}]", "unexpected character"),
    malformed("`undefined` among the records", f"[{A}, undefined]", "unexpected character"),
    malformed("a number with a leading zero", array(A, event("b", Quantity="02")), "leading zero is not allowed"),
    malformed("half a surrogate pair", array(A, event("b", Country=r'"\ud83d"')), "no low surrogate in string"),
    malformed("an invalid escape sequence", array(A, event("b", Country=r'"\x41"')), "invalid escaped character"),
    malformed("bytes that are not UTF-8", _with(A, "France", b"Fran\xe7a"), "invalid UTF-8 encoding in string"),
    Case(
        "Latin-1, declared as charset",
        (answer(_with(A, "France", b"Fran\xe7a"), content_type="application/json; charset=iso-8859-1"),),
        counts=TWO,
    ),
    Case(
        "bytes that the declared charset does not have",
        (answer(_with(A, "France", b"Fran\x81a"), content_type="application/json; charset=windows-1252"),),
        SourceBodyInvalid,
        ("the body is not cp1252", "set charset of shop.events"),
    ),
    Case(
        "UTF-8, declared as Latin-1",
        (answer(_with(A, "France", "França".encode()), content_type="application/json; charset=iso-8859-1"),),
        SourceBodyInvalid,
        ("Content-Type declares iso8859-1, and the body is UTF-8 as well", "or set charset of shop.events"),
    ),
    Case(
        "UTF-16, declared as charset",
        (answer(array(A, C).decode().encode("utf-16"), content_type="application/json; charset=utf-16"),),
        counts=TWO,
    ),
    Case(
        "an unknown charset",
        (answer(array(A), content_type="application/json; charset=klingon"),),
        SourceBodyInvalid,
        ("character set 'klingon' is unknown", "charset of shop.events in the source's YAML"),
    ),
    malformed("a surrogate in UTF-8", _with(A, "France", b"\xed\xa0\x80"), "invalid UTF-8 encoding in string"),
    malformed("a NUL byte in a string", _with(A, "France", b"Fr\x00nce"), "unexpected control character in string"),
    malformed("a line feed in a string", _with(A, "France", b"Fr\nnce"), "unexpected control character in string"),
    fine("a byte order mark before UTF-8", b"\xef\xbb\xbf" + array(A, C)),
    no_form("UTF-16", array(A).decode().encode("utf-16")),
    no_form("NUL bytes after the array", array(A) + b"\x00\x00"),
    Case(
        "a record of 33 MiB",
        (lambda: answer(array(event(Description=f'"{"x" * 33 * MIB}"'))),),
        SourceBodyInvalid,
        ("transform: ", 'page-00001.json: "maximum_object_size" of 16777216 bytes exceeded', "next: "),
    ),
)

LINES = (
    no_form("an array where NDJSON is declared", array(A, B), "ndjson"),
    no_form("cut off in the last line", ndjson(A, B)[:-50], "ndjson"),
    malformed("cut off in another line", ndjson(A, B[:50], C), "in line 3: unexpected end of data", "ndjson"),
    malformed("a record over several lines", A.replace(",", ",\n") + "\n", "in line 2", "ndjson"),
    malformed("two records on a line", f"{A}{B}\n", "unexpected content after document", "ndjson"),
    malformed("commas between the lines", f"{A},\n{B}\n", "unexpected content after document", "ndjson"),
    malformed("a line of NUL bytes", ndjson(A, "\0\0\0", B), "in line 3: unexpected character", "ndjson"),
    malformed("a byte order mark between lines", ndjson(A, f"\ufeff{B}"), "byte order mark", "ndjson"),
    malformed("lines that end with CR only", f"{A}\r{B}\r", "unexpected content after document", "ndjson"),
    fine("lines that end with CRLF, some of them empty", f"\r\n{A}\r\n\r\n  \r\n{B}\r\n", source="ndjson"),
    fine("a last line without a line feed", f"{A}\n{B}", source="ndjson"),
)

ENVELOPES = (
    no_form("an array where an envelope is declared", array(A), "envelope"),
    no_envelope(
        "an envelope without its list", '{"rows":[],"next":null}', "has no list 'data', only 'next', 'rows'", NO_LIST
    ),
    Case(
        "an envelope whose list is null, which is declared to mean no data",
        (answer('{"data":null,"next":null}'),),
        DataFailed,
        ("transform: events_has_rows: 1 failing rows", "raw_rows=0", "kept: branch etl-"),
        Counts(0, 0),
        source="null list",
    ),
    Case(
        "an envelope whose `ok` is not as expected",
        (answer('{"ok":0,"data":[],"next":null}'),),
        SourceRefused,
        ("page-00001.json of shop.events: ok is '0', and expect declares true", "or expect of shop.events"),
        source="expected",
    ),
    no_envelope(
        "an envelope whose list is null", '{"data":null,"next":null}', "has no list 'data', it is b'null'", NO_LIST
    ),
    no_envelope(
        "an envelope whose list is an object", '{"data":{"a":1}}', "has no list 'data', it is b'{\"a\":1}'", NO_LIST
    ),
    no_envelope(
        "an envelope with many fields and unusual names",
        json.dumps({f"\x1b]0;x\x07\n{number:03}": 1 for number in range(300)}),
        r"only '\x1b]0;x\x07\n000', '\x1b]0;x\x07\n001'",
        "\\n004' and 295 more",
        NO_LIST,
    ),
    no_envelope("an envelope whose list is text", '{"data":"[]"}', "has no list 'data', it is b'\"[]\"'", NO_LIST),
    failure("an envelope with an error, but no list", '{"error":"late"}', "a failure by error: error '\"late\"'"),
    failure(
        "an envelope with `ok: false`",
        '{"ok":false,"error":"ratelimited","data":[],"next":null}',
        "a failure by ok: false and error: error '\"ratelimited\"'",
    ),
    failure(
        "an envelope with errors beside its records",
        f'{{"errors":[{{"message":"timeout"}}],"data":[{A}],"next":null}}',
        'a failure by errors: errors \'[{"message":"timeout"}]\'',
    ),
    failure(
        "an envelope that reports incomplete records",
        f'{{"incomplete_results":true,"data":[{A}],"next":null}}',
        "a failure by incomplete_results: true",
    ),
    no_envelope(
        "an envelope with a trailing comma",
        '{"data":[],"next":null,}',
        "is not JSON: ",
        "trailing comma",
        "correct the API",
    ),
    no_envelope(
        "an envelope with a NaN", envelope(event(Price="NaN")), "is not JSON: ", "invalid character", "correct the API"
    ),
    no_envelope("two envelopes", envelope(A) + envelope(B), "is not JSON: ", "trailing characters", "correct the API"),
    no_envelope(
        f"an envelope with {DEEP:,} levels of nesting",
        envelope(event(Description="[" * DEEP + "]" * DEEP)),
        "is nested too deeply",
        "next: correct the API",
    ),
    Case(
        "an envelope with its list twice",
        (answer(b'{"data":[],' + envelope(A, B)[1:]),),
        SourceBodyInvalid,
        ("transform: ", "page-00001.json: Object", 'has duplicate key "data" in record/value 1'),
        source="envelope",
    ),
    Case(
        "an envelope over 16 MiB",
        (lambda: answer(envelope(event(Description=f'"{"x" * 16 * MIB}"'))),),
        SourceBodyInvalid,
        ("an envelope page over 16,777,216 bytes", "next: request smaller pages"),
        source="envelope",
    ),
    fine(
        "an envelope with a null and a number among 200 records",
        envelope(*good(198), "null", "5"),
        Counts(raw=200, curated=198, rejected={"record_not_object": 2}),
        "envelope",
    ),
    fine(
        "an envelope with a second list whose name differs in case",
        b'{"Data":[5],' + envelope(A, B)[1:],
        source="envelope",
    ),
)


def _sized(name: str, bad: int, sent: int, *, fails: bool = False) -> Case:
    records = [event(f"bad-{number}", Price='"n/a"') for number in range(bad)]
    counts = Counts(sent, sent - bad, rejected={"price_not_numeric": bad} if bad else {})
    says = (
        "transform: events_reject_share_within_limit: 1 failing rows",
        f"raw_rows={sent}, rejected_rows={bad}, limit_share=0.01",
        f"events rejected for price_not_numeric: {bad} of {sent} rows",
        '"Price":"n/a"',
        "kept: branch etl-",
    )
    body = answer(array(*records, *good(sent - bad)))
    return Case(name, (body,), DataFailed, says, counts) if fails else Case(name, (body,), counts=counts)


_NOTHING = ("transform: events_has_rows: 1 failing rows", "raw_rows=0", "kept: branch etl-")

SIZES = (
    Case(
        "an array without records, although a day must not be empty",
        (answer(array()),),
        DataFailed,
        _NOTHING,
        Counts(0, 0),
    ),
    Case("NDJSON without lines", (answer(b"", length=0),), DataFailed, _NOTHING, Counts(0, 0), source="ndjson"),
    Case("an envelope without records", (answer(envelope()),), DataFailed, _NOTHING, Counts(0, 0), source="envelope"),
    _sized("a day of one record", 0, 1),
    _sized("exactly 1 % of the rows rejected", 2, 200),
    _sized("one row over 1 % rejected", 3, 299, fails=True),
    _sized("all rows rejected", 20, 20, fails=True),
    Case(
        "an array of arrays",
        (answer(f"[[{A}],[{B}]]"),),
        DataFailed,
        ("events rejected for record_not_object: 2 of 2 rows", f"[{A}]"),
        Counts(2, 0, rejected={"record_not_object": 2}),
    ),
)
