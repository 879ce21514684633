"""Decoding bodies in the stream, with a limit on what they expand to."""

from __future__ import annotations

import gzip
import os
import tracemalloc
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import brotli
import pytest
from backports import zstd

from orchestration.errors import SourceBodyInvalid, SourceRefused, SourceUnreachable, UsageError
from orchestration.source.decode import STEP, CutOffBody, Decoding, UndecodableBody, charset_of, codings_of
from tests.helpers.fetching import Api
from tests.malformed_responses.case import answer

BODY = b'[{"id": 1, "name": "x\xc3\xa9"}]'
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda body: gzip.compress(body, mtime=0),
    "deflate": zlib.compress,
    "br": lambda body: brotli.compress(body, quality=1),
    "zstd": zstd.compress,
}


def raw_deflate(body: bytes) -> bytes:
    return zlib.compress(body)[2:-4]


def decoded(body: bytes, *codings: str, size: int = 1 << 20, **further: Any) -> bytes:
    pieces = (body[at : at + size] for at in range(0, len(body), size))
    return b"".join(Decoding(codings, **further).decoded(pieces, lambda chunks: chunks))


@pytest.mark.parametrize("coding", COMPRESS)
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize("body", [BODY, b"", b"x" * STEP, b"ab" * STEP, os.urandom(3 * STEP)[: 2 * STEP + 5]], ids=len)
def test_each_coding_is_decoded_whatever_the_pieces(coding: str, size: int, body: bytes) -> None:
    if size == 1 and len(body) > STEP:
        body = body[:5000]
    assert decoded(COMPRESS[coding](body), coding, size=size) == body


@pytest.mark.parametrize("size", [1, 1 << 20])
def test_deflate_without_its_header_is_decoded(size: int) -> None:
    assert decoded(raw_deflate(BODY), "deflate", size=size) == BODY


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@pytest.mark.parametrize("size", [1, 11, 1 << 20])
def test_every_member_of_a_body_is_decoded(coding: str, size: int) -> None:
    compress = COMPRESS[coding]

    assert decoded(compress(BODY) + compress(b"") + compress(b"tail"), coding, size=size) == BODY + b"tail"


def test_zeros_after_gzip_are_padding() -> None:
    assert decoded(COMPRESS["gzip"](BODY) + bytes(512), "gzip", size=100) == BODY


def test_two_codings_are_undone_from_the_last_on() -> None:
    assert decoded(brotli.compress(gzip.compress(BODY)), "gzip", "br") == BODY


@pytest.mark.parametrize("coding", COMPRESS)
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_a_body_that_ends_too_early_is_cut_off(coding: str, size: int) -> None:
    whole = COMPRESS[coding](os.urandom(1000))

    for length in (1, 20, len(whole) - 5, len(whole) - 1):
        with pytest.raises(CutOffBody, match="ends too early"):
            decoded(whole[:length], coding, size=size)


@pytest.mark.parametrize("coding", COMPRESS)
def test_a_body_of_another_coding_is_refused(coding: str) -> None:
    for body in (b"nonsense, and not compressed at all" * 9, COMPRESS[coding](BODY) + b"more after the end"):
        with pytest.raises((UndecodableBody, CutOffBody)):
            decoded(body, coding)


@pytest.mark.parametrize("coding", COMPRESS)
def test_a_bomb_takes_no_memory_and_ends_at_the_limit(coding: str) -> None:
    bomb = COMPRESS[coding](bytes(64 * 1024 * 1024))
    limit, seen = 10 * 1024 * 1024, 0

    def counted(chunks: Iterable[bytes]) -> Iterator[bytes]:
        nonlocal seen
        for chunk in chunks:
            seen += len(chunk)
            if seen > limit:
                raise OverflowError
            yield chunk

    tracemalloc.start()
    with pytest.raises(OverflowError):
        for _ in Decoding((coding,)).decoded([bomb], counted):
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen <= limit + STEP + 65_536
    assert peak < 4 * 1024 * 1024


@pytest.mark.parametrize(
    ("header", "codings"),
    [("", ()), ("identity", ()), ("GZip", ("gzip",)), ("x-gzip, identity, br", ("gzip", "br")), (" zstd ", ("zstd",))],
)
def test_codings_are_read_from_the_header(header: str, codings: tuple[str, ...]) -> None:
    assert codings_of(header) == codings


@pytest.mark.parametrize("header", ["compress", "gzip, gzip, gzip", "gzip;q=1", "dcb"])
def test_an_unknown_coding_is_refused(header: str) -> None:
    with pytest.raises(ValueError, match="is not one of gzip, deflate, br, zstd"):
        codings_of(header)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        *(("UTF-8", "utf-8"), ("utf8", "utf-8"), ("us-ascii", "utf-8"), ("ISO-8859-1", "iso8859-1")),
        *(("latin1", "iso8859-1"), ("windows-1252", "cp1252"), ("Shift_JIS", "shift_jis"), ('"gb18030"', "gb18030")),
    ],
)
def test_charsets_are_known_by_all_their_names(name: str, found: str) -> None:
    assert charset_of(name) == found


@pytest.mark.parametrize("name", ["", "zlib", "hex", "rot13", "idna", "unicode_escape", "utf-7", "x\0", "none"])
def test_what_is_no_charset_of_json_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is unknown"):
        charset_of(name)


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize(
    ("charset", "text"), [("iso8859-1", "é"), ("utf-16", "é😀"), ("shift_jis", "日本"), ("cp1252", "€")]
)
def test_a_charset_becomes_utf8(charset: str, text: str, size: int) -> None:
    assert decoded(text.encode(charset), charset=charset, size=size) == text.encode()


@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_byte_order_mark_is_removed_once(size: int) -> None:
    mark = b"\xef\xbb\xbf"

    assert decoded(mark + BODY, size=size) == BODY
    assert decoded(mark + mark, size=size) == mark
    assert decoded(b"\xef\xbb", size=size) == b"\xef\xbb"


def test_a_body_that_its_charset_does_not_allow_is_refused() -> None:
    with pytest.raises(UndecodableBody, match="the body is not shift_jis, which Content-Type declares"):
        decoded(b"\x81", charset="shift_jis")


def test_utf8_that_is_declared_as_something_else_is_refused_unless_declared_in_the_yaml() -> None:
    with pytest.raises(UndecodableBody, match="Content-Type declares iso8859-1, and the body is UTF-8 as well"):
        decoded(BODY, charset="iso8859-1", size=22)
    assert decoded(BODY, charset="iso8859-1", is_guessed=False) == BODY.decode("latin-1").encode()
    assert decoded(b"[1]", charset="iso8859-1") == b"[1]"


# through a fetch


@pytest.mark.parametrize("coding", COMPRESS)
def test_raw_has_the_decoded_body_and_says_so(api: Api, coding: str) -> None:
    sent = answer(COMPRESS[coding](b"\xef\xbb\xbf \n" + BODY), "200 OK", f"Content-Encoding: {coding}")

    (page,) = api.fetch(sent)

    assert page.path.read_bytes() == b" \n" + BODY
    assert page.decoded == (coding, "byte order mark")


def test_the_declared_charset_is_used_whatever_the_header_says(api: Api) -> None:
    body = BODY.decode().encode("latin-1")
    sent = answer(body, content_type="application/json; charset=utf-8")

    (page,) = api.fetch(sent, charset="latin-1")
    assert (page.path.read_bytes(), page.decoded) == (BODY, ("iso8859-1",))
    (page,) = api.fetch(answer(body, content_type='application/json;v=1;CharSet="ISO-8859-1"'))
    assert (page.path.read_bytes(), page.decoded) == (BODY, ("iso8859-1",))
    (page,) = api.fetch(answer(BODY, content_type="application/json; charset=iso-8859-1"), charset="utf-8")
    assert (page.path.read_bytes(), page.decoded) == (BODY, ())


@pytest.mark.parametrize(
    ("sent", "error", "says"),
    [
        (answer(BODY, "200 OK", "Content-Encoding: compress"), SourceBodyInvalid, "'compress' is not one of gzip"),
        (answer(BODY, "200 OK", "Content-Encoding: gzip"), SourceBodyInvalid, "the body is not gzip"),
        (answer(gzip.compress(BODY)[:-4], "200 OK", "Content-Encoding: gzip"), SourceUnreachable, "was cut off: the g"),
        (answer(BODY, content_type="application/json; charset=klingon"), SourceBodyInvalid, "'klingon' is unknown"),
        (answer(BODY, content_type="application/json; charset=latin-1"), SourceBodyInvalid, "is UTF-8 as well"),
        (answer(gzip.compress(b"<html>"), "404 No", "Content-Encoding: gzip"), SourceRefused, "404 No: '<html>'"),
        (answer(b"<html>", "404 No", "Content-Encoding: gzip"), SourceRefused, "its body cannot be read: the body is"),
    ],
)
def test_a_body_that_cannot_be_decoded_is_an_error_with_the_reason(
    api: Api, sent: bytes, error: type[Exception], says: str
) -> None:
    with pytest.raises(error) as raised:
        api.fetch(sent)

    assert says in str(raised.value)


@pytest.mark.parametrize("codings", ["gzip", "br", "zstd", "gzip, gzip"])
def test_the_limit_of_a_page_counts_decoded_bytes(api: Api, codings: str) -> None:
    body = b"[" + b" " * 9_000_000 + b"]"
    for coding in codings.split(", "):
        body = COMPRESS[coding](body)
    limit: dict[str, object] = {"ELT_MAX_PAGE_BYTES": 1_000_000}

    with pytest.raises(SourceBodyInvalid, match=r"a page over 1,000,000 bytes: 1,\d+,\d+ bytes were received so far"):
        api.fetch(answer(body, "200 OK", f"Content-Encoding: {codings}"), environment=limit)


def test_an_unknown_charset_in_the_yaml_is_refused(api: Api) -> None:
    with pytest.raises(UsageError, match=r"fetch.charset: character set 'klingon' is unknown; allowed are names"):
        api.fetch(answer("[]"), charset="klingon")
