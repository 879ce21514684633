"""Settings of the stack: `STACK_…`, with rules for secrets that the services themselves do not check."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import quote

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from orchestration.errors import UsageError
from orchestration.stack.remedies import AGAIN

PREFIX = "STACK_"
PREFECT_USER = "elt"

_SHORTEST = 16
_DISTINCT = 5
"""Different characters in a secret; fewer is a pattern such as `aaaa…`."""

_EXAMPLES = ("change", "example", "minioadmin", "password", "secret", "unused", "your-")
_GENERATE = "generate it: openssl rand -hex 24"


def _hard_to_guess(secret: SecretStr) -> SecretStr:
    value = secret.get_secret_value()
    _not_from_an_example(value)
    if len(value) < _SHORTEST:
        raise ValueError(f"has {len(value)} characters, and needs {_SHORTEST}; {_GENERATE}")
    if len(set(value)) < _DISTINCT:
        raise ValueError(f"repeats {len(set(value))} different characters; {_GENERATE}")
    return secret


def _plain(secret: SecretStr) -> SecretStr:
    # It becomes a part of a connection string or of a login.
    if not re.fullmatch(r"[A-Za-z0-9_.~-]+", secret.get_secret_value()):
        raise ValueError(f"may consist of letters, digits and _ . ~ - only; {_GENERATE}")
    return secret


def _key_id(secret: SecretStr) -> SecretStr:
    value = secret.get_secret_value()
    _not_from_an_example(value)
    if not 3 <= len(value) <= 20:
        raise ValueError(f"has {len(value)} characters, and lakeFS accepts 3 to 20; generate it: openssl rand -hex 10")
    return secret


def _store_key_id(secret: SecretStr) -> SecretStr:
    _not_from_an_example(secret.get_secret_value())
    return secret


def _not_from_an_example(value: str) -> None:
    if any(word in value.lower() for word in _EXAMPLES):
        raise ValueError(f"is a value from an example, which everyone knows; {_GENERATE}")


Secret = Annotated[SecretStr, AfterValidator(_hard_to_guess)]
Password = Annotated[SecretStr, AfterValidator(_hard_to_guess), AfterValidator(_plain)]


class StackSettings(BaseSettings):
    """Secrets and addresses of the stack's services. `docker-compose.yml` passes them to its one-shot services."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True, frozen=True, env_prefix=PREFIX)

    postgres_host: str = "postgres"
    postgres_port: int = Field(5432, ge=1, le=65535)
    postgres_ssl: str = Field("disable", pattern="^(disable|require|verify-full)$")
    postgres_password: Password | None = Field(
        None, description="PostgreSQL's administrator. Without it, the databases and their users must exist."
    )
    lakefs_db_password: Password
    prefect_db_password: Password

    store_endpoint: str = Field("http://object-store:7070", pattern=r"^https?://[^\s@?#]+$")
    store_region: str = "us-east-1"
    store_access_key: Annotated[SecretStr, AfterValidator(_store_key_id)]
    store_secret_key: Secret

    lakefs_endpoint: str = Field("http://lakefs:8000", pattern=r"^https?://[^/\s@?#]+$")
    lakefs_access_key: Annotated[SecretStr, AfterValidator(_key_id)]
    lakefs_secret_key: Secret
    lakefs_encrypt_key: Secret
    lakefs_signing_key: Secret

    prefect_api_url: str = Field("http://prefect-server:4200/api", pattern=r"^https?://[^\s@?#]+$")
    prefect_password: Password

    def postgres_url(self, user: str, password: SecretStr, database: str) -> str:
        """Return the connection string of a database."""
        login = f"{quote(user, safe='')}:{quote(password.get_secret_value(), safe='')}"
        where = f"{self.postgres_host}:{self.postgres_port}/{database}"
        return f"postgresql://{login}@{where}?sslmode={self.postgres_ssl}"

    @property
    def prefect_login(self) -> SecretStr:
        """Return the auth string of the Prefect API."""
        return SecretStr(f"{PREFECT_USER}:{self.prefect_password.get_secret_value()}")


def read_stack_settings() -> StackSettings:
    """Return the stack's settings from the environment.

    Raises:
        UsageError: A variable is missing or not valid; the message names each of them, and shows no value.
    """
    try:
        return StackSettings()
    except ValidationError as invalid:
        problems = [_problem(str(error["loc"][0]), error["type"], error["msg"]) for error in invalid.errors()]
        raise UsageError("; ".join(problems), remedy=f"correct it in .env (see .env.example), {AGAIN}") from None


def _problem(field: str, kind: str, message: str) -> str:
    name = f"{PREFIX}{field}".upper()
    if kind == "missing":
        return f"{name} is not set; {_GENERATE}"
    return f"{name} {message.removeprefix('Value error, ')}"
