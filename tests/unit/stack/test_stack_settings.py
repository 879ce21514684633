"""The stack's secrets: each bad one is named, with a remedy, and never shown."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from orchestration.cli.app import app
from orchestration.errors import UsageError
from orchestration.stack.settings import read_stack_settings
from tests.helpers.stack import VARIABLES, stack_settings

REQUIRED = [name for name in VARIABLES if name != "STACK_POSTGRES_PASSWORD"]


@pytest.fixture(autouse=True)
def _variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)


def refusal() -> UsageError:
    with pytest.raises(UsageError) as refused:
        read_stack_settings()
    return refused.value


def test_generated_secrets_are_valid_and_not_shown() -> None:
    shown = repr(read_stack_settings())
    assert all(value not in shown for value in VARIABLES.values())


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("empty", [True, False])
def test_a_missing_secret_is_named(monkeypatch: pytest.MonkeyPatch, name: str, empty: bool) -> None:
    if empty:
        monkeypatch.setenv(name, "")
    else:
        monkeypatch.delenv(name)
    assert refusal().describe() == (
        f"{name} is not set; generate it: openssl rand -hex 24: "
        "correct it in .env (see .env.example), then docker compose up again"
    )


def test_all_bad_secrets_are_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STACK_LAKEFS_SECRET_KEY")
    monkeypatch.setenv("STACK_PREFECT_PASSWORD", "short")
    described = refusal().describe()
    assert "STACK_LAKEFS_SECRET_KEY is not set" in described
    assert "STACK_PREFECT_PASSWORD has 5 characters, and needs 16" in described
    assert "\n" not in described


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("STACK_POSTGRES_PASSWORD", "0123456789abcde", "has 15 characters, and needs 16"),
        ("STACK_POSTGRES_PASSWORD", "correct horse/battery", "may consist of letters, digits and _ . ~ - only"),
        ("STACK_LAKEFS_DB_PASSWORD", "abababababababababab", "repeats 2 different characters"),
        ("STACK_PREFECT_DB_PASSWORD", "please-change-this-one", "is a value from an example"),
        ("STACK_PREFECT_PASSWORD", "MyPassword12345678", "is a value from an example"),
        ("STACK_STORE_ACCESS_KEY", "minioadmin", "is a value from an example"),
        ("STACK_STORE_SECRET_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "is a value from an example"),
        ("STACK_LAKEFS_ACCESS_KEY", "AKIAIOSFODNN7EXAMPLE", "is a value from an example"),
        ("STACK_LAKEFS_ACCESS_KEY", "ab", "has 2 characters, and lakeFS accepts 3 to 20"),
        ("STACK_LAKEFS_ACCESS_KEY", "0123456789abcdef01234", "has 21 characters, and lakeFS accepts 3 to 20"),
        ("STACK_LAKEFS_ENCRYPT_KEY", "THIS_MUST_BE_CHANGED_IN_PRODUCTION", "is a value from an example"),
        ("STACK_LAKEFS_SIGNING_KEY", "OVERRIDE", "has 8 characters, and needs 16"),
    ],
)
def test_a_bad_secret_is_named_with_its_problem_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, problem: str
) -> None:
    monkeypatch.setenv(name, value)
    described = refusal().describe()
    assert f"{name} {problem}" in described
    assert value not in described


@pytest.mark.parametrize("key_id", ["abc", "0123456789abcdef0123"])
def test_lakefs_accepts_key_ids_of_3_to_20_characters(monkeypatch: pytest.MonkeyPatch, key_id: str) -> None:
    monkeypatch.setenv("STACK_LAKEFS_ACCESS_KEY", key_id)
    assert read_stack_settings().lakefs_access_key.get_secret_value() == key_id


@pytest.mark.parametrize("name", ["STACK_STORE_ENDPOINT", "STACK_PREFECT_API_URL"])
def test_an_address_with_a_login_is_not_shown(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "https://user:sesam@host")
    described = refusal().describe()
    assert name in described
    assert "sesam" not in described


def test_addresses_are_built_from_the_parts() -> None:
    settings = stack_settings(postgres_host="db.example", postgres_ssl="require")
    assert settings.postgres_url("lakefs", settings.lakefs_db_password, "lakefs") == (
        "postgresql://lakefs:1f83ad90c47be2650a7d@db.example:5432/lakefs?sslmode=require"
    )
    assert settings.prefect_login.get_secret_value() == f"elt:{VARIABLES['STACK_PREFECT_PASSWORD']}"


def test_the_command_checks_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert CliRunner().invoke(app, ["stack", "check"]).stdout == f"{len(VARIABLES)} settings are valid\n"
    monkeypatch.setenv("STACK_POSTGRES_PASSWORD", "short")
    assert isinstance(CliRunner().invoke(app, ["stack", "check"]).exception, UsageError)
