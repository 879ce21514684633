"""Keep the secrets of a source out of its messages."""

from __future__ import annotations

import json
import logging
from base64 import b64encode
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, quote_plus

from orchestration.errors import IngestCleanError
from orchestration.log import Log

HIDDEN = "***"
_ENDS = "…'\" "
_LEAST = 4
"""Characters of a secret at the end of a text that was cut: fewer may be there by chance."""


class Secrets:
    """The secrets that a fetch knows, in all forms in which a text may have them."""

    def __init__(self) -> None:
        self._forms: set[str] = set()

    def add(self, secret: str) -> None:
        """Hide a secret from now on, also where it is escaped as in a URL or as JSON, or is Base64."""
        if secret:
            text = secret.encode()
            self._forms |= {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), json.dumps(secret)[1:-1]}
            self._forms |= {b64encode(text).decode(), repr(secret)[1:-1]}

    def hidden(self, text: str) -> str:
        """Return a text without the secrets, and without the beginning of one where the text was cut."""
        for form in sorted(self._forms, key=len, reverse=True):
            text = text.replace(form, HIDDEN)
            ends = [at for at, sign in enumerate(text) if sign in _ENDS]
            for at in (len(text), *reversed(ends)):
                text = _without_beginning(text, at, form)
        return text

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Hide the secrets in errors of the block, and in the lines that httpx logs."""
        logger = logging.getLogger("httpx")
        logger.addFilter(self._filtered)
        try:
            yield
        except Exception as error:
            self._clean(error)
            raise
        finally:
            logger.removeFilter(self._filtered)

    def _filtered(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self.hidden(record.getMessage()), ()
        return True

    def _clean(self, error: BaseException | None) -> None:
        seen: set[int] = set()
        waiting = [error]
        while waiting:
            found = waiting.pop()
            if found is None or id(found) in seen:
                continue
            seen.add(id(found))
            found.args = tuple(self.hidden(part) if isinstance(part, str) else part for part in found.args)
            if isinstance(found, IngestCleanError):
                found.remedy = self.hidden(found.remedy)
            waiting += [found.__cause__, found.__context__]

    def log(self, log: Log) -> Log:
        """Return a logger that hides the secrets."""
        return _Hiding(log, self)


def _without_beginning(text: str, at: int, form: str) -> str:
    """Return a text without a beginning of a secret that ends at `at`. What comes before does not move."""
    for length in range(min(len(form) - 1, at), _LEAST - 1, -1):
        if text.endswith(form[:length], 0, at):
            return text[: at - length] + HIDDEN + text[at:]
    return text


class _Hiding(logging.LoggerAdapter[Any]):
    def __init__(self, log: Log, secrets: Secrets) -> None:
        super().__init__(log)
        self._secrets = secrets

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        return self._secrets.hidden(str(msg)), kwargs
