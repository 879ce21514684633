"""Secrets of a project's deployments, kept in Prefect's Secret blocks. The environment and `.env` take precedence.

In Prefect, a block's name begins with the project's: `<project>--lakefs-creds`. Commands take what follows.

lakefs-creds        {"access_key": …, "secret_key": …}, or access:secret
<source>-api-token  the token or key of a source, such as quakes-api-token; by its `fetch.auth` also <source>-api-user,
                    -api-password, -api-client-id and -api-client-secret
notify-url          the webhook that is notified of failed, crashed and cancelled runs
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orchestration.errors import PlatformFailed, UsageError
from orchestration.project import own_name

if TYPE_CHECKING:
    from orchestration.settings import Settings, SourceSettings

LAKE = "lakefs-creds"
NOTIFY = "notify-url"
_OF_A_SOURCE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*-api-(token|user|password|client-id|client-secret)")


def source_block(source: str, field: str = "token") -> str:
    """Return the name of a secret of a source. Prefect allows no `_` in block names."""
    return f"{source}-api-{field}".replace("_", "-")


def with_secrets(settings: Settings) -> Settings:
    """Return the settings, with missing secrets read from Secret blocks.

    lakeFS's keys are read if an endpoint is set and no key. The secrets that the auth of a source's tables needs are
    read if they are not set.

    Raises:
        UsageError: There is no block with lakeFS's keys, or it has neither of the two forms.
        PlatformFailed: Prefect does not answer.
    """
    from pydantic import SecretStr

    lake = settings.lake
    if lake.endpoint and not (lake.access_key or lake.secret_key):
        held = load(settings.project, LAKE)
        if held is None:
            block = own_name(settings.project, LAKE)
            raise UsageError(
                f"LAKEFS_ENDPOINT is set, the keys are not, and Prefect has no Secret block {block}",
                remedy=f"elt secrets set {LAKE}, or set LAKEFS_ACCESS_KEY and LAKEFS_SECRET_KEY",
            )
        access, secret = lake_keys(held)
        lake = lake.model_copy(update={"access_key": SecretStr(access), "secret_key": SecretStr(secret)})
    wanted = wanted_secrets(settings)
    sources = {name: _with_blocks(settings, name, source, wanted[name]) for name, source in settings.sources.items()}
    return replace(settings, lake=lake, sources=sources)


def wanted_secrets(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Return the secrets that the tables of each source need, and a token for one without a valid declaration.

    `make_plan` reports a declaration that is not valid.
    """
    from orchestration.source.auth import needed
    from orchestration.source.config import read_tables

    wanted: dict[str, tuple[str, ...]] = {}
    try:
        for table in read_tables(settings.project_dir):
            wanted[table.source] = tuple(dict.fromkeys((*wanted.get(table.source, ()), *needed(table.fetch.auth))))
    except UsageError:
        wanted = {}
    return {name: wanted.get(name, needed(None)) for name in settings.sources}


def _with_blocks(settings: Settings, name: str, source: SourceSettings, fields: tuple[str, ...]) -> SourceSettings:
    from pydantic import SecretStr

    missing = [field for field in fields if not getattr(source, field)]
    held = {field: load(settings.project, source_block(name, field)) for field in missing}
    return source.model_copy(update={field: SecretStr(str(text)) for field, text in held.items() if text})


def notify_url(settings: Settings) -> str | None:
    """Return the URL of the webhook for notifications, or None."""
    if settings.elt.notify_url:
        return settings.elt.notify_url.get_secret_value()
    held = load(settings.project, NOTIFY)
    return str(held) if held else None


def lake_keys(held: Any) -> tuple[str, str]:
    """Return the access key and secret key in a block, which holds text or, if created in Prefect's UI, JSON.

    Raises:
        UsageError: The block has neither of the two forms. The message does not contain its content.
    """
    if isinstance(held, str):
        held = _parsed(held)
    keys: tuple[Any, Any] = None, None
    if isinstance(held, dict):
        keys = held.get("access_key"), held.get("secret_key")
    elif isinstance(held, str) and not held.startswith(("{", "[")):
        access, _, secret = held.partition(":")
        keys = access.strip(), secret.strip()
    if not all(isinstance(key, str) and key.strip() for key in keys):
        raise UsageError(
            f'{LAKE} holds neither {{"access_key": …, "secret_key": …}} nor access:secret',
            remedy=f"elt secrets set {LAKE}",
        )
    return str(keys[0]), str(keys[1])


def load(project: str, name: str) -> Any | None:
    """Return the content of a project's Secret block; None if there is no such block.

    Raises:
        UsageError: The block cannot be read.
        PlatformFailed: Prefect does not answer.
    """
    return _load(own_name(project, name))


def is_of_an_earlier_version(name: str) -> bool:
    """Return whether there is a block without a project in its name, which is not read."""
    return _load(name) is not None


def _load(block: str) -> Any | None:
    from prefect.blocks.system import Secret

    try:
        # Not get(): it parses any text that is JSON, so a token of digits would become a number.
        return Secret.load(block).value.get_secret_value()  # type: ignore[union-attr]
    except ValueError as error:
        if "Unable to find block document" in str(error):
            return None
        raise UsageError(f"the Secret block {block} can't be read: {type(error).__name__}") from None
    except Exception as error:
        raise PlatformFailed(f"cannot read Secret block from Prefect: {error}", remedy="elt status") from error


def save(project: str, name: str, text: str) -> None:
    """Create a project's Secret block, or replace its content.

    Raises:
        UsageError: The name is not a secret of this project, or the text is not valid for the block.
        PlatformFailed: Prefect does not answer.
    """
    text = text.strip()
    if name not in (LAKE, NOTIFY) and not _OF_A_SOURCE.fullmatch(name):
        raise UsageError(
            f"{name!r} is not a secret of this project",
            remedy=f"set {LAKE}, <source>-api-token (quakes-api-token) or another -api- secret, or {NOTIFY}",
        )
    if not text:
        raise UsageError(f"no value was given for {name}", remedy="type it at the prompt, or pipe it in")
    if name == LAKE:
        lake_keys(text)
    from prefect.blocks.system import Secret

    try:
        Secret(value=text).save(own_name(project, name), overwrite=True)
    except Exception as error:
        raise PlatformFailed(f"cannot write Secret block to Prefect: {error}", remedy="elt status") from error


def _parsed(text: str) -> Any:
    """Return the object in a JSON text; any other text unchanged."""
    try:
        parsed = json.loads(text)
    except ValueError:
        return text
    return parsed if isinstance(parsed, dict) else text
