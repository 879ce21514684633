"""How requests prove who sends them, as `fetch.auth` declares it. The secrets come from the settings of the source."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_plus, urlencode

from pydantic import SecretStr

from orchestration.errors import UsageError
from orchestration.settings import SourceSettings
from orchestration.source.schema import Auth, Basic, Bearer, KeyInHeader, KeyInQuery, OAuth2
from orchestration.source.secrets import Secrets

OAuth2Credentials = tuple[OAuth2, str, str]
"""The declaration, and the id and the secret of the client."""


@dataclass(frozen=True)
class Credentials:
    """What is sent with each request.

    Attributes:
        settings: The variables that they come from, for messages.
        headers: Request headers.
        query: The name and value of a query parameter; None without one.
        oauth2: The declaration, and id and secret of the client, if a token is asked for; else None.
    """

    settings: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: tuple[str, str] | None = field(default=None, repr=False)
    oauth2: OAuth2Credentials | None = field(default=None, repr=False)

    def address(self, address: str) -> str:
        """Return an address with the key in its query. One that the API has repeated in a link is replaced."""
        if self.query is None:
            return address
        # A fragment is not sent, and would hide what follows it.
        clean = self.without_key(address.partition("#")[0])
        return f"{clean}{'&' if '?' in clean else '?'}{urlencode([self.query])}"

    def without_key(self, address: str) -> str:
        """Return an address as messages and the next request have it: without the key."""
        if self.query is None or "?" not in address:
            return address
        url, _, query = address.partition("?")
        kept = [part for part in query.split("&") if unquote_plus(part.partition("=")[0]) != self.query[0]]
        return f"{url}?{'&'.join(kept)}" if kept else url


def variables(source: str, auth: Auth | None) -> tuple[str, ...]:
    """Return the environment variables with the secrets that an auth needs."""
    return tuple(f"{source.upper()}_API_{field.upper()}" for field in needed(auth))


def needed(auth: Auth | None) -> tuple[str, ...]:
    """Return the settings of a source that an auth needs, as fields of `SourceSettings`."""
    match auth:
        case Basic():
            return ("user", "password")
        case OAuth2():
            return ("client_id", "client_secret")
    return ("token",)


def credentials(source: str, label: str, auth: Auth | None, settings: SourceSettings, secrets: Secrets) -> Credentials:
    """Return what a table's requests send, and add its secrets to those that are hidden.

    Without a declared auth, a token that is set is sent as a bearer token.

    Raises:
        UsageError: A secret that the auth needs is not set, or cannot be sent.
    """
    names = variables(source, auth)

    def value(field: str, *, optional: bool = False, header: bool = True) -> str:
        name = f"{source.upper()}_API_{field.upper()}"
        found: SecretStr | None = getattr(settings, field)
        if found is None and not optional:
            block = f"{source.replace('_', '-')}-api-{field.replace('_', '-')}"
            raise UsageError(
                f"{name} is not set, and auth of {label} needs it",
                remedy=f"set {name} in the environment or .env, or elt secrets set {block}",
            )
        text = found.get_secret_value() if found else ""
        # The HTTP library's own error would show the token.
        if header and not (text.isascii() and text.isprintable()):
            raise UsageError(
                f"{name} has a character that is invalid in an HTTP header, such as a line break", remedy="set it again"
            )
        if field not in ("user", "client_id"):
            secrets.add(text)
        return text

    match auth:
        case None:
            token = value("token", optional=True)
            return Credentials(names, {"Authorization": f"Bearer {token}"}) if token else Credentials()
        case Bearer():
            return Credentials(names, {"Authorization": f"Bearer {value('token')}"})
        case KeyInHeader():
            return Credentials(names, {auth.name: f"{auth.prefix}{value('token')}"})
        case KeyInQuery():
            return Credentials(names, query=(auth.name, value("token", header=False)))
        case Basic():
            user, password = value("user", header=False), value("password", optional=True, header=False)
            if ":" in user:
                raise UsageError(f"{names[0]} has a colon, which ends a user name", remedy="set it again")
            if not password:
                # Some APIs take a key as the user, and no password.
                secrets.add(user)
            pair = b64encode(f"{user}:{password}".encode()).decode()
            secrets.add(pair)
            return Credentials(names, {"Authorization": f"Basic {pair}"})
        case OAuth2():
            return Credentials(
                names, oauth2=(auth, value("client_id", header=False), value("client_secret", header=False))
            )
