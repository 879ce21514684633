"""The databases of lakeFS and Prefect: the statements, and refused logins."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from orchestration.errors import IngestCleanError, PlatformFailed, ServerFailed, UsageError
from orchestration.log import SILENT
from orchestration.stack import postgres, wait
from orchestration.stack.postgres import create, databases, ensure_databases
from tests.helpers.stack import VARIABLES, stack_settings

LAKEFS, PREFECT = databases(stack_settings())


class Connection:
    """A connection to a PostgreSQL with these roles and databases."""

    def __init__(self, roles: tuple[str, ...] = (), found: tuple[str, ...] = ()) -> None:
        self.held = {"pg_roles": roles, "pg_database": found}
        self.statements: list[str] = []

    async def fetchval(self, query: str, value: str) -> Any:
        if "quote_literal" in query:
            return f"'{value}'"
        return next((1 for table, names in self.held.items() if table in query and value in names), None)

    async def execute(self, statement: str) -> None:
        self.statements.append(statement)

    async def close(self) -> None:
        pass


def test_what_is_missing_is_created_with_its_owner() -> None:
    connection = Connection()
    asyncio.run(create(connection, LAKEFS, SILENT))
    assert connection.statements == [
        "create role lakefs login",
        f"alter role lakefs login password '{VARIABLES['STACK_LAKEFS_DB_PASSWORD']}'",
        "create database lakefs owner lakefs",
        "revoke connect on database lakefs from public",
    ]


@pytest.mark.parametrize(("roles", "found"), [(("prefect",), ()), (("prefect",), ("prefect",))])
def test_a_half_initialised_volume_is_completed(roles: tuple[str, ...], found: tuple[str, ...]) -> None:
    connection = Connection(roles, found)
    asyncio.run(create(connection, PREFECT, SILENT))
    assert not any(statement.startswith("create role") for statement in connection.statements)
    assert any(statement.startswith("create database") for statement in connection.statements) == (not found)
    assert any(statement.startswith("alter role prefect") for statement in connection.statements)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> dict[str, Exception]:
    """Errors of a login by the user's name; others succeed."""
    refused: dict[str, Exception] = {}

    async def open_one(settings: object, database: postgres.Database) -> Connection:
        if database.name in refused:
            raise refused[database.name]
        return Connection(("lakefs", "prefect"), ("lakefs", "prefect"))

    monkeypatch.setattr(postgres, "_open", open_one)
    monkeypatch.setattr(wait, "LIMIT", 0.05)
    monkeypatch.setattr(wait, "PAUSE", 0.01)
    return refused


@pytest.mark.parametrize(
    ("user", "error", "kind", "begins", "remedy"),
    [
        (
            "postgres",
            asyncpg.InvalidPasswordError("no"),
            UsageError,
            "STACK_POSTGRES_PASSWORD: ",
            "its volume was created with another password",
        ),
        (
            "prefect",
            asyncpg.InvalidPasswordError("no"),
            UsageError,
            "STACK_PREFECT_DB_PASSWORD: ",
            "set STACK_PREFECT_DB_PASSWORD to the password of prefect",
        ),
        (
            "postgres",
            asyncpg.InvalidAuthorizationSpecificationError('no pg_hba.conf entry for host "10.89.0.7"'),
            UsageError,
            "STACK_POSTGRES_PASSWORD: ",
            "at its very first start, nothing is stored yet: docker compose rm --stop --force postgres",
        ),
        (
            "lakefs",
            asyncpg.InvalidCatalogNameError("no"),
            UsageError,
            "PostgreSQL at postgres:5432 has no database lakefs",
            "create it with the owner lakefs and the password in STACK_LAKEFS_DB_PASSWORD",
        ),
        ("prefect", asyncpg.TooManyConnectionsError("no"), PlatformFailed, "PostgreSQL at", "logs postgres"),
    ],
)
def test_a_refused_login_names_the_variable(
    opened: dict[str, Exception],
    user: str,
    error: Exception,
    kind: type[IngestCleanError],
    begins: str,
    remedy: str,
) -> None:
    opened[user] = error
    with pytest.raises(kind) as failed:
        ensure_databases(stack_settings(), SILENT)
    assert failed.value.cause.startswith(begins)
    assert remedy in failed.value.remedy


def test_without_an_administrator_the_logins_are_only_checked(opened: dict[str, Exception]) -> None:
    opened["postgres"] = asyncpg.InvalidPasswordError("no")
    ensure_databases(stack_settings(postgres_password=None), SILENT)


@pytest.mark.parametrize("error", [ConnectionRefusedError("refused"), asyncpg.CannotConnectNowError("starting up")])
def test_a_postgres_that_never_answers_ends_the_wait(opened: dict[str, Exception], error: Exception) -> None:
    opened["lakefs"] = error
    with pytest.raises(ServerFailed, match=str(error)) as failed:
        ensure_databases(stack_settings(), SILENT)
    assert failed.value.remedy == "see its log: docker compose logs postgres"
