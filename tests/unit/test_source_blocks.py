"""Which Secret blocks a flow reads for the auth of its sources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestration.flows import secrets
from tests.helpers.projects import NAME, events_only, name_project, settings_of, write_sources


@pytest.mark.parametrize(
    ("auth", "fields"),
    [
        (None, ["token"]),
        ({"type": "header", "name": "X-Key"}, ["token"]),
        ({"type": "basic"}, ["user", "password"]),
        ({"type": "oauth2", "token_url": "/token"}, ["client_id", "client_secret"]),
    ],
)
def test_the_secrets_that_an_auth_needs_are_read_from_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, auth: Any, fields: list[str]
) -> None:
    events_only(name_project(tmp_path), **({"auth": auth} if auth else {}))
    asked: list[str] = []

    def load(project: str, block: str) -> str:
        assert project == NAME
        asked.append(block)
        return f"from {block}"

    monkeypatch.setattr(secrets, "load", load)
    found = secrets.with_secrets(settings_of(monkeypatch, tmp_path, SHOP_API_URL="http://h")).sources["shop"]

    blocks = {field: f"shop-api-{field.replace('_', '-')}" for field in fields}
    assert asked == list(blocks.values())
    assert {field: getattr(found, field).get_secret_value() for field in fields} == {
        field: f"from {block}" for field, block in blocks.items()
    }


def test_a_secret_in_the_environment_is_not_read_from_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events_only(name_project(tmp_path), auth={"type": "basic"})
    asked: list[str] = []
    monkeypatch.setattr(secrets, "load", lambda project, block: asked.append(block))
    secrets.with_secrets(settings_of(monkeypatch, tmp_path, SHOP_API_URL="http://h", SHOP_API_USER="me"))

    assert asked == ["shop-api-password"]


def test_a_declaration_that_is_not_valid_is_left_to_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_sources(name_project(tmp_path), {"events": {}})
    asked: list[str] = []
    monkeypatch.setattr(secrets, "load", lambda project, block: asked.append(block))
    secrets.with_secrets(settings_of(monkeypatch, tmp_path, SHOP_API_URL="http://h"))

    assert asked == ["shop-api-token"]
