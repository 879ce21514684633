"""Access tokens by OAuth 2 client credentials, asked for and renewed by authlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from threading import Lock
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec

from orchestration.errors import SourceBodyInvalid, SourceBusy, SourceRefused, SourceUnreachable
from orchestration.source.address import resolve
from orchestration.source.auth import OAuth2Credentials
from orchestration.source.deadline import Deadline, watch
from orchestration.source.rate_limit import retry_after
from orchestration.source.secrets import Secrets
from orchestration.text import FOREIGN_LIMIT, quoted

if TYPE_CHECKING:
    import httpx

_LEEWAY = 30
"""Seconds before its end at which a token is renewed."""
_LIMIT = 1024 * 1024


class TokenSource:
    """Gives the access token of a source, and asks for a new one when it ends or is refused."""

    def __init__(
        self, http: httpx.Client, base_url: str, client: OAuth2Credentials, settings: Sequence[str], secrets: Secrets
    ) -> None:
        from authlib.oauth2.client import OAuth2Client

        declared, client_id, client_secret = client
        self._http, self._secrets, self._settings = http, secrets, settings
        self._url = resolve(base_url, declared.token_url)
        self._parameters = dict(declared.parameters)
        self._lock = Lock()
        # Set for each request, before authlib calls `_post`.
        self._deadline = Deadline("", 0, 0)
        self._client = OAuth2Client(
            session=SimpleNamespace(post=self._post),
            client_id=client_id,
            client_secret=client_secret,
            token_endpoint_auth_method=f"client_secret_{'post' if declared.client == 'body' else 'basic'}",
            scope=declared.scope or None,
        )

    def headers(self, deadline: Deadline, *, refused: Mapping[str, str] | None = None) -> Mapping[str, str]:
        """Return the header with a token that is valid now, and another one than the API has `refused`.

        Raises:
            SourceUnreachable: The token endpoint does not answer.
            SourceBusy: It asks to wait.
            SourceRefused: It refuses the client.
            SourceBodyInvalid: It answers without a bearer token.
        """
        with self._lock:
            token = self._client.token
            if token is None or token.is_expired(_LEEWAY) or self._headers() == refused:
                self._deadline = deadline
                self._fetch()
            return self._headers()

    def _headers(self) -> Mapping[str, str]:
        from authlib.oauth2.auth import TokenAuth

        try:
            return dict(TokenAuth(self._client.token).prepare("", {}, "")[1])
        except KeyError as error:
            raise SourceBodyInvalid(
                f"POST {self._url}: the token is of type {quoted(str(error.args[0]))}, not bearer",
                remedy="correct the API",
            ) from None

    def _fetch(self) -> None:
        from authlib.oauth2.base import OAuth2Error

        try:
            token = self._client.fetch_token(self._url, grant_type="client_credentials", **self._parameters)
        except OAuth2Error as error:
            raise self._refused(f"POST {self._url} refused the client: {quoted(str(error), FOREIGN_LIMIT)}") from error
        except ValueError as error:
            raise SourceBodyInvalid(
                f"POST {self._url}: {quoted(str(error), FOREIGN_LIMIT)}", remedy="check auth.token_url"
            ) from error
        if not isinstance(token.get("access_token"), str) or not token["access_token"]:
            self._client.token = None
            raise SourceBodyInvalid(f"POST {self._url} answered without an access_token", remedy="check auth.token_url")
        self._secrets.add(token["access_token"])

    def _refused(self, cause: str, status: int | None = None) -> SourceRefused:
        return SourceRefused(cause, status=status, remedy=f"check {' and '.join(self._settings)}")

    def _post(self, url: str, *, data: Mapping[str, str], headers: Mapping[str, str], auth: Any, **_: Any) -> Any:
        """Send authlib's request, and return the response with the two methods that it calls."""
        import httpx

        deadline = self._deadline
        url, signed, body = auth.prepare("POST", url, dict(headers), urlencode(dict(data)))
        request = self._http.build_request(
            "POST", url, headers={**signed, "Accept-Encoding": "identity"}, content=body,
            timeout=deadline.limited(self._http.timeout), extensions={"trace": watch},
        )  # fmt: skip
        asked = f"POST {url}"
        try:
            with deadline.applied():
                response = self._http.send(request, stream=True)
                try:
                    text = _read(response)
                finally:
                    response.close()
        except httpx.HTTPError as error:
            raise SourceUnreachable(f"{asked}: no token: {error or type(error).__name__}") from error
        status = response.status_code
        if status == 429:
            after = retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
            raise SourceBusy(f"{asked} answered 429", retry_after=after)
        if status >= 500:
            raise SourceUnreachable(f"{asked} answered {status}")
        if status >= 300 and b'"error"' not in text:
            raise self._refused(
                f"{asked} answered {status}: {quoted(text[:200].decode(errors='replace'), 200)}", status
            )
        return SimpleNamespace(
            status_code=status, json=lambda: msgspec.json.decode(text), raise_for_status=lambda: None
        )


def _read(response: httpx.Response) -> bytes:
    text = b""
    for chunk in response.iter_raw():
        text += chunk
        if len(text) > _LIMIT:
            raise SourceBodyInvalid(f"a token over {_LIMIT:,} bytes", remedy="check auth.token_url")
    return text
