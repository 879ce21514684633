"""The checksum that lakeFS lists for an object, computed from its bytes.

It is the MD5 of the bytes, or of the MD5s of the parts if the object was uploaded in several, as S3 defines it.
"""

from __future__ import annotations

from hashlib import md5
from typing import IO

_BLOCK, _BLOCKS = 262_136, 306

PART_BYTES = _BLOCKS * _BLOCK
"""The parts in which DuckDB uploads a larger file: a 10,000th of its `s3_uploader_max_filesize`, in whole blocks."""


def checksum_of(body: bytes) -> str:
    """Return the checksum of an object that was uploaded in one request."""
    return md5(body, usedforsecurity=False).hexdigest()


def checksum_of_parts(file: IO[bytes]) -> str:
    """Return the checksum of an object that was uploaded in parts of `PART_BYTES`. The file is read to its end."""
    parts = md5(usedforsecurity=False)
    while block := file.read(_BLOCK):
        part = md5(block, usedforsecurity=False)
        for _ in range(_BLOCKS - 1):
            part.update(file.read(_BLOCK))
        parts.update(part.digest())
    return parts.hexdigest()
