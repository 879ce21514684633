"""The databases of lakeFS and Prefect, each with its own user.

They are created here and not by a script in PostgreSQL's image: that runs once, and never again if it was interrupted.
A password that was changed in `.env` reaches PostgreSQL here too.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from orchestration.errors import PlatformFailed, UsageError
from orchestration.log import Log
from orchestration.stack.remedies import AGAIN, see_log
from orchestration.stack.settings import StackSettings
from orchestration.stack.wait import wait_for

_ADMIN = "postgres"
_LOGS = see_log("postgres")
# The image lets other hosts in as the last step of creating its volume.
_INTERRUPTED = (
    "if the stack's PostgreSQL was interrupted at its very first start, nothing is stored yet: docker compose rm "
    f"--stop --force postgres, docker volume rm ingest-clean_postgres-data, {AGAIN}; "
    "in a PostgreSQL elsewhere, add this host to its pg_hba.conf"
)
_TIMEOUT = 10.0


@dataclass(frozen=True)
class Database:
    """A database and its owner, who has the same name.

    Attributes:
        name: The name of both.
        password: The owner's password.
        variable: The variable that holds it.
    """

    name: str
    password: SecretStr
    variable: str


def databases(settings: StackSettings) -> tuple[Database, ...]:
    """Return the databases of the stack."""
    return (
        Database("lakefs", settings.lakefs_db_password, "STACK_LAKEFS_DB_PASSWORD"),
        Database("prefect", settings.prefect_db_password, "STACK_PREFECT_DB_PASSWORD"),
    )


def ensure_databases(settings: StackSettings, log: Log) -> None:
    """Wait for PostgreSQL, create what is missing if its administrator's password is set, and check each login.

    Raises:
        UsageError: PostgreSQL refuses a login, or a database is missing; the message names the variable.
        PlatformFailed: PostgreSQL answers with another error.
        ServerFailed: PostgreSQL does not answer.
    """
    where = f"postgres at {settings.postgres_host}:{settings.postgres_port}"
    wait_for(where, lambda: asyncio.run(_problem(settings)), log)
    asyncio.run(_ensure(settings, log))


async def _ensure(settings: StackSettings, log: Log) -> None:
    if settings.postgres_password:
        admin = await _connect(settings, Database(_ADMIN, settings.postgres_password, "STACK_POSTGRES_PASSWORD"))
        try:
            for database in databases(settings):
                await create(admin, database, log)
        finally:
            await admin.close()
    for database in databases(settings):
        await (await _connect(settings, database)).close()


async def create(connection: Any, database: Database, log: Log) -> None:
    """Create a database and its owner unless they exist, and set the owner's password."""
    # A password cannot be a parameter of these statements. PostgreSQL itself quotes it.
    password = await connection.fetchval("select quote_literal($1::text)", database.password.get_secret_value())
    if not await connection.fetchval("select 1 from pg_roles where rolname = $1", database.name):
        await connection.execute(f"create role {database.name} login")
        log.info(f"created user {database.name} in PostgreSQL")
    await connection.execute(f"alter role {database.name} login password {password}")
    if not await connection.fetchval("select 1 from pg_database where datname = $1", database.name):
        await connection.execute(f"create database {database.name} owner {database.name}")
        log.info(f"created database {database.name}")
    # By default every user may connect to every database.
    await connection.execute(f"revoke connect on database {database.name} from public")


async def _problem(settings: StackSettings) -> str:
    """Return why PostgreSQL takes no connection yet; a refused login is an answer."""
    import asyncpg

    try:
        await (await _open(settings, databases(settings)[0])).close()
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError) as error:
        return str(error) or type(error).__name__
    except asyncpg.PostgresError:
        return ""
    return ""


async def _open(settings: StackSettings, database: Database) -> Any:
    import asyncpg

    url = settings.postgres_url(database.name, database.password, database.name)
    return await asyncpg.connect(url, timeout=_TIMEOUT)


async def _connect(settings: StackSettings, database: Database) -> Any:
    """Connect as the owner of a database.

    Raises:
        UsageError: The login is refused, or the database is missing.
        PlatformFailed: PostgreSQL answers with another error, or not any more.
    """
    import asyncpg

    where = f"PostgreSQL at {settings.postgres_host}:{settings.postgres_port}"
    try:
        return await _open(settings, database)
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidPasswordError) as error:
        remedy = _INTERRUPTED if "pg_hba.conf" in str(error) else _remedy(database)
        raise UsageError(
            f"{database.variable}: {where} refuses the user {database.name}: {error}", remedy=remedy
        ) from error
    except asyncpg.InvalidCatalogNameError as error:
        raise UsageError(
            f"{where} has no database {database.name}: {error}",
            remedy=f"create it with the owner {database.name} and the password in {database.variable}, {AGAIN}",
        ) from error
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise PlatformFailed(f"{where}, database {database.name}: {error}", remedy=_LOGS) from error


def _remedy(database: Database) -> str:
    if database.name != _ADMIN:
        return f"set {database.variable} to the password of {database.name}, {AGAIN}"
    return (
        "its volume was created with another password: set that one, or change it by docker compose exec postgres "
        f"psql --username postgres --command '\\password', {AGAIN}"
    )
