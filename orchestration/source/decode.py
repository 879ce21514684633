"""Decode a response's body in the stream: compression, character set and byte order mark.

No step gives more than `STEP` bytes at once, so that a few compressed bytes which expand to gigabytes take no memory
before the size limit stops them.
"""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

ACCEPTED = "gzip, deflate, br, zstd"
STEP = 256 * 1024

_BOM = codecs.BOM_UTF8
_CHARSETS = re.compile(
    r"ascii|utf-(8|8-sig|16|16-le|16-be|32|32-le|32-be)|iso8859-\d+|cp\d+|koi8-[rtu]|mac-\w+|tis-620"
    r"|shift_jis\w*|euc_\w+|gb\w+|big5\w*|johab|iso2022_\w+"
)


class UndecodableBody(ValueError):
    """A body is not what its headers say."""


class CutOffBody(ValueError):
    """A compressed body ends too early."""


@dataclass
class Decoding:
    """How one body is decoded. `done` lists what was done, once the body is read."""

    codings: tuple[str, ...] = ()
    charset: str = "utf-8"
    is_guessed: bool = True
    done: list[str] = field(default_factory=list)

    def decoded(
        self, chunks: Iterable[bytes], counted: Callable[[Iterable[bytes]], Iterable[bytes]]
    ) -> Iterator[bytes]:
        """Yield the body as UTF-8 without a byte order mark. `counted` limits the size of each stage.

        Raises:
            UndecodableBody: The body is not of the announced coding or character set.
            CutOffBody: It ends too early.
        """
        for coding in reversed(self.codings):
            chunks = counted(_STAGES[coding](chunks))
            self.done.append(coding)
        if self.charset not in ("utf-8", "ascii"):
            self.done.append(self.charset)
            chunks = _transcoded(chunks, self.charset, strict=self.is_guessed)
        yield from self._without_bom(chunks)

    def _without_bom(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        begin, rest = b"", iter(chunks)
        for chunk in rest:
            begin += chunk
            if len(begin) >= len(_BOM):
                break
        if begin.startswith(_BOM):
            self.done.append("byte order mark")
            begin = begin[len(_BOM) :]
        if begin:
            yield begin
        yield from rest


def codings_of(header: str) -> tuple[str, ...]:
    """Return the content codings of a header, in the order in which they were applied.

    Raises:
        ValueError: One of them is unknown, or there are more than two.
    """
    names = [name.strip().lower().removeprefix("x-") for name in header.split(",")]
    codings = tuple(name for name in names if name not in ("", "identity"))
    if len(codings) > 2 or any(coding not in _STAGES for coding in codings):
        raise ValueError(f"content encoding {header!r} is not one of {ACCEPTED}")
    return codings


def charset_of(name: str) -> str:
    """Return the usual name of a character set.

    Raises:
        ValueError: It is unknown, or not one in which JSON is sent.
    """
    try:
        found = codecs.lookup(name.strip().strip("\"'")).name
    except (LookupError, ValueError):
        found = ""
    if not _CHARSETS.fullmatch(found):
        raise ValueError(f"character set {name!r} is unknown")
    return "utf-8" if found in ("utf-8-sig", "ascii") else found


def _transcoded(chunks: Iterable[bytes], charset: str, *, strict: bool) -> Iterator[bytes]:
    """Yield a body as UTF-8. With `strict`, refuse one that is UTF-8 already: its header is probably a default."""
    decoder = codecs.getincrementaldecoder(charset)()
    utf8 = codecs.getincrementaldecoder("utf-8")()
    is_ascii, is_utf8 = True, strict

    def remains_utf8(chunk: bytes, *, final: bool = False) -> bool:
        try:
            utf8.decode(chunk, final)
        except UnicodeDecodeError:
            return False
        return True

    try:
        for chunk in chunks:
            is_ascii = is_ascii and chunk.isascii()
            is_utf8 = is_utf8 and remains_utf8(chunk)
            yield decoder.decode(chunk).encode()
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError as error:
        raise UndecodableBody(f"the body is not {charset}, which Content-Type declares: {error}") from None
    if not is_ascii and is_utf8 and remains_utf8(b"", final=True):
        raise UndecodableBody(f"Content-Type declares {charset}, and the body is UTF-8 as well")


def _zlib(chunks: Iterable[bytes], wbits: int, name: str) -> Iterator[bytes]:
    """Yield what one or several streams of zlib's formats hold."""
    stream, is_past_one = None, False
    for chunk in chunks:
        data = chunk.lstrip(b"\0") if stream is None and is_past_one else chunk
        while data:
            stream = stream or zlib.decompressobj(wbits)
            try:
                found = stream.decompress(data, STEP)
                if found:
                    yield found
                data = stream.unconsumed_tail
                while not data and len(found) == STEP:
                    found = stream.decompress(b"", STEP)
                    if found:
                        yield found
            except zlib.error as error:
                raise UndecodableBody(f"the body is not {name}: {error}") from None
            if stream.eof:
                # A file may be padded with zeros.
                data, stream, is_past_one = stream.unused_data.lstrip(b"\0"), None, True
    if stream is not None:
        raise CutOffBody(f"the {name} body ends too early")


def _gzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    return _zlib(chunks, 16 + zlib.MAX_WBITS, "gzip")


def _deflate(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a deflate body. By the standard it has zlib's header, and some servers leave it out."""
    rest = iter(chunks)
    begin = b""
    for chunk in rest:
        begin += chunk
        if len(begin) >= 2:
            break
    has_header = len(begin) >= 2 and begin[0] & 0x0F == 8 and (begin[0] << 8 | begin[1]) % 31 == 0

    def whole() -> Iterator[bytes]:
        yield begin
        yield from rest

    yield from _zlib(whole(), zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS, "deflate")


def _br(chunks: Iterable[bytes]) -> Iterator[bytes]:
    import brotli

    stream, is_empty = brotli.Decompressor(), True
    try:
        for chunk in chunks:
            is_empty = is_empty and not chunk
            found = stream.process(chunk, output_buffer_limit=STEP)
            while found or not stream.can_accept_more_data():
                yield found
                found = stream.process(b"", output_buffer_limit=STEP)
    except brotli.error as error:
        raise UndecodableBody(f"the body is not br: {error}") from None
    if not (is_empty or stream.is_finished()):
        raise CutOffBody("the br body ends too early")


def _zstd(chunks: Iterable[bytes]) -> Iterator[bytes]:
    from backports import zstd

    stream = None
    for chunk in chunks:
        data = chunk
        while data:
            stream = stream or zstd.ZstdDecompressor()
            try:
                found = stream.decompress(data, STEP)
                while found or not (stream.needs_input or stream.eof):
                    yield found
                    found = b"" if stream.eof else stream.decompress(b"", STEP)
            except zstd.ZstdError as error:
                raise UndecodableBody(f"the body is not zstd: {error}") from None
            data, stream = (stream.unused_data, None) if stream.eof else (b"", stream)
    if stream is not None:
        raise CutOffBody("the zstd body ends too early")


_STAGES: dict[str, Callable[[Iterable[bytes]], Iterator[bytes]]] = {
    "gzip": _gzip,
    "deflate": _deflate,
    "br": _br,
    "zstd": _zstd,
}
