"""Invalid input to the stack: each stops with one clear line, and the stack starts after it is corrected."""

from __future__ import annotations

import socket

import pytest

from tests.helpers.stack import VARIABLES
from tests.stack.deployment import Deployment, ServiceFailed
from tests.stack.engine import podman
from tests.stack.images import POSTGRES
from tests.stack.runs import require_published_once


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_compose_does_not_start_without_a_secret(empty: Deployment, name: str) -> None:
    del empty.variables[name]
    said = empty.compose("up", "--detach", "--no-build", "--no-deps", "check", check=False)
    assert not empty.containers("check")
    (line,) = [line for line in said.splitlines() if name in line][-1:]
    assert "set it in .env" in line


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("STACK_PREFECT_PASSWORD", "short", "has 5 characters, and needs 16"),
        ("STACK_STORE_SECRET_KEY", "minioadmin-minioadmin", "is a value from an example"),
        ("STACK_LAKEFS_ACCESS_KEY", "ab", "has 2 characters, and lakeFS accepts 3 to 20"),
        ("STACK_LAKEFS_ACCESS_KEY", "A1B2C3D4E5F6G7H8I9J0K", "has 21 characters, and lakeFS accepts 3 to 20"),
    ],
)
def test_check_stops_at_a_weak_secret_before_a_volume_exists(
    empty: Deployment, name: str, value: str, words: str
) -> None:
    good = empty.variables[name]
    empty.variables[name] = value
    line = last_line_of_failure(empty, "check")
    assert f"{name} {words}" in line
    assert "correct it in .env" in line
    assert not podman("volume", "ls", "-q", "--filter", f"name={empty.name}_")
    empty.variables[name] = good
    empty.start("check")


def test_a_taken_port_is_named_and_another_one_works(empty: Deployment) -> None:
    with socket.create_server(("127.0.0.1", int(empty.variables["STACK_DOCS_PORT"]))):
        said = empty.compose("up", "--detach", "--no-build", "--no-deps", "dbt-docs", check=False)
        assert "address already in use" in said
        assert empty.variables["STACK_DOCS_PORT"] in said
    empty.down()
    empty.start("dbt-docs")


def test_a_volume_that_postgres_began_to_fill_is_named(empty: Deployment) -> None:
    volume = f"{empty.name}_postgres-data"
    empty.compose("up", "--no-start", "--no-build", "--no-deps", "postgres")
    # As an entry point that was killed after `initdb`, before it let other hosts in.
    command = "initdb --username postgres --pwfile=<(echo $P) --auth-host=scram-sha-256 --data-checksums >/dev/null"
    podman(
        *("run", "--rm", "--ulimit", "host", "--user", "postgres", "--volume", f"{volume}:/var/lib/postgresql/data"),
        *("--env", f"P={empty.variables['STACK_POSTGRES_PASSWORD']}", "--entrypoint", "bash", POSTGRES, "-c", command),
    )
    empty.start("postgres", "object-store")
    line = last_line_of_failure(empty, "prepare")
    assert "STACK_POSTGRES_PASSWORD: " in line
    assert "docker volume rm ingest-clean_postgres-data" in line
    empty.down(volumes=True)
    empty.up(until="prepare")


def test_wrong_store_keys_are_named(empty: Deployment) -> None:
    empty.start("postgres", "object-store")
    for name, wrong in (("STACK_STORE_SECRET_KEY", "0123456789abcdef0123"), ("STACK_STORE_ACCESS_KEY", "f00dbeef1234")):
        good = empty.variables[name]
        empty.variables[name] = wrong
        line = last_line_of_failure(empty, "prepare")
        assert line.startswith(f"UsageError: {name}: "), line
        assert f"correct {name}" in line
        empty.variables[name] = good
    empty.start("prepare")


def test_other_keys_than_those_that_lakefs_was_set_up_with_are_named(stack: Deployment) -> None:
    for name, wrong in (
        ("STACK_LAKEFS_ACCESS_KEY", "ANOTHERKEY12"),
        ("STACK_LAKEFS_SECRET_KEY", "0123456789abcdef0123"),
    ):
        good = stack.variables[name]
        stack.variables[name] = wrong
        line = last_line_of_failure(stack, "init")
        assert "STACK_LAKEFS_ACCESS_KEY, STACK_LAKEFS_SECRET_KEY: lakeFS was set up before with other keys" in line
        assert "docs/operations.md#keys-of-the-stack" in line
        stack.variables[name] = good
    stack.start("init")
    require_published_once(stack, ())


def last_line_of_failure(stack: Deployment, service: str) -> str:
    """Start a one-shot service that must fail, and return the last line that it wrote: its error and the remedy."""
    with pytest.raises(ServiceFailed) as failed:
        stack.start(service)
    assert failed.value.service == service
    return failed.value.text.strip().splitlines()[-1]
