"""Small objects that this machine has read before, as files named by their checksum.

The checksum of an object is the MD5 of its bytes, so a file is checked when it is read, and it is right for every
commit and repository that lists the checksum. Files may be deleted at any time.
"""

from __future__ import annotations

import re
import tempfile
from contextlib import suppress
from pathlib import Path

from orchestration.lake.checksum import checksum_of
from orchestration.private import private_folder

_MD5 = re.compile(r"[0-9a-f]{32}")


class ObjectCache:
    """A folder of cached objects. A folder that cannot be read or written is no error: nothing is cached then."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, checksum: str) -> bytes | None:
        """Return the bytes with a checksum; None if they are not cached."""
        if not _MD5.fullmatch(checksum):
            return None
        try:
            body = (self.folder / checksum).read_bytes()
        except OSError:
            return None
        return body if checksum_of(body) == checksum else None

    def keep(self, checksum: str, body: bytes) -> None:
        """Cache the bytes of an object, unless its checksum is not their MD5."""
        if checksum_of(body) != checksum:
            return
        with suppress(OSError):
            private_folder(self.folder)
            # Another process may read or write the same file.
            with tempfile.NamedTemporaryFile(dir=self.folder, prefix=".", delete=False) as file:
                partial = Path(file.name)
                try:
                    file.write(body)
                    file.close()
                    partial.replace(self.folder / checksum)
                except OSError:
                    partial.unlink(missing_ok=True)
                    raise
