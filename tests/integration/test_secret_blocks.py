"""Secret blocks on a real Prefect server, and the errors of prefect.yaml that `elt deploy` reports."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prefect.blocks.system import Secret
from prefect.client.orchestration import get_client
from prefect.context import refresh_global_settings_context
from prefect.exceptions import ObjectNotFound
from pydantic import SecretStr

from orchestration.endpoints import use_prefect
from orchestration.errors import PlatformFailed, UsageError
from orchestration.flows.deploy import deploy
from orchestration.flows.secrets import LAKE, NOTIFY, load, notify_url, save, source_block, with_secrets
from orchestration.log import SILENT
from orchestration.servers.background import LocalServer
from orchestration.servers.prefect import read_login
from orchestration.settings import (
    EltSettings,
    LakeSettings,
    PrefectSettings,
    Settings,
    SourceSettings,
    read_settings,
)
from tests.helpers.elt_runs import CLOSED, eventually
from tests.helpers.isolation import ENVIRONMENT, PROJECT

ACCESS, SESAM = "ELTKEY", "sesam+of/the-blocks="
TOKEN = "till-api-token"
MINE = (LAKE, NOTIFY, TOKEN, "city-till-api-token")
JSON_FORM = json.dumps({"access_key": ACCESS, "secret_key": SESAM})
LAKEFS = LakeSettings(endpoint="http://lake.example")


@pytest.fixture
def api(prefect_server: LocalServer) -> Iterator[str]:
    """Connects this process to the session's server, and deletes the project's blocks before and after the test."""
    url = str(prefect_server.running_url)
    login = read_login(prefect_server.data)
    with pytest.MonkeyPatch.context() as monkeypatch:
        # Restore what `use_prefect` sets in the environment.
        for name in ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "PREFECT_CLIENT_MAX_RETRIES"):
            monkeypatch.setenv(name, "")
            monkeypatch.delenv(name)
        try:
            use_prefect(replace(read_settings(), prefect=PrefectSettings(api_url=url, api_auth_string=login)))
            remove_blocks()
            yield url
            remove_blocks()
        finally:
            monkeypatch.undo()
            refresh_global_settings_context()


@contextmanager
def prefect_down() -> Iterator[str]:
    """Connects this process to a closed port, without retries."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("PREFECT_API_URL", f"{CLOSED}/api")
        monkeypatch.setenv("PREFECT_CLIENT_MAX_RETRIES", "0")
        try:
            yield use_prefect(read_settings())
        finally:
            # Also after a failed test: the teardown of `api` needs the session's server again.
            monkeypatch.undo()
            refresh_global_settings_context()


def remove_blocks() -> None:
    with get_client(sync_client=True) as client:
        for name in MINE:
            try:
                client.delete_block_document(client.read_block_document_by_name(name, "secret").id)
            except ObjectNotFound:
                continue


def settings(lake: LakeSettings = LAKEFS, elt: EltSettings | None = None, **sources: SourceSettings) -> Settings:
    return replace(read_settings(), elt=elt or EltSettings(), lake=lake, sources=sources)


def keys_of(lake: LakeSettings) -> tuple[str | None, str | None]:
    return plain(lake.access_key), plain(lake.secret_key)


def token_of(source: SourceSettings) -> str | None:
    return plain(source.token)


def plain(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


# The content of a block.


def test_a_saved_block_is_loaded_and_replaced(api: str) -> None:
    assert load(TOKEN) is None

    save(TOKEN, f"  {SESAM}\n")
    assert load(TOKEN) == SESAM

    save(TOKEN, "another")
    assert load(TOKEN) == "another"


def test_prefect_does_not_show_the_content_of_a_block(api: str) -> None:
    save(LAKE, JSON_FORM)

    with get_client(sync_client=True) as client:
        shown = client.read_block_document_by_name(LAKE, "secret", include_secrets=False)

    assert SESAM not in shown.model_dump_json()
    assert SESAM not in repr(Secret.load(LAKE))


@pytest.mark.parametrize(
    "held",
    [JSON_FORM, f"{ACCESS}:{SESAM}", f" {ACCESS} : {SESAM} \n", json.loads(JSON_FORM)],
    ids=["JSON", "access:secret", "with spaces", "JSON of Prefect's UI"],
)
def test_lakefs_keys_are_read_from_each_form_of_the_block(api: str, held: Any) -> None:
    if isinstance(held, str):
        save(LAKE, held)
    else:
        Secret(value=held).save(LAKE)

    assert keys_of(with_secrets(settings()).lake) == (ACCESS, SESAM)


def test_a_secret_key_may_have_a_colon(api: str) -> None:
    save(LAKE, f"{ACCESS}:a:b")

    assert keys_of(with_secrets(settings()).lake) == (ACCESS, "a:b")


# Precedence.


def test_the_environment_takes_precedence_over_the_block(api: str) -> None:
    save(LAKE, JSON_FORM)
    save(TOKEN, "token of the block")
    save(NOTIFY, "http://block.example/hook")
    lake = LakeSettings(endpoint="http://lake.example", access_key=SecretStr("env"), secret_key=SecretStr("own"))
    till = SourceSettings(url="http://till.example", token=SecretStr("token of the environment"))
    elt = EltSettings(notify_url=SecretStr("http://environment.example/hook"))

    found = with_secrets(settings(lake, elt, till=till))

    assert keys_of(found.lake) == ("env", "own")
    assert token_of(found.sources["till"]) == "token of the environment"
    assert notify_url(found) == "http://environment.example/hook"


def test_one_key_is_not_completed_from_the_block(api: str) -> None:
    save(LAKE, JSON_FORM)

    found = with_secrets(settings(LakeSettings(endpoint="http://lake.example", access_key=SecretStr("env"))))

    assert keys_of(found.lake) == ("env", None)


def test_the_local_lakefs_needs_no_block(api: str) -> None:
    save(LAKE, JSON_FORM)

    assert keys_of(with_secrets(settings(LakeSettings())).lake) == (None, None)


def test_each_source_has_its_own_block(api: str) -> None:
    save(TOKEN, "for till")
    save("city-till-api-token", "for city_till")
    source = SourceSettings(url="http://till.example")

    found = with_secrets(settings(LakeSettings(), till=source, city_till=source, open_data=source)).sources

    assert {name: token_of(one) for name, one in found.items()} == {
        "till": "for till",
        "city_till": "for city_till",
        "open_data": None,
    }
    assert {one.url for one in found.values()} == {"http://till.example"}
    assert source_block("city_till") == "city-till-api-token"
    assert source_block("city_till", "client_id") == "city-till-api-client-id"


def test_the_webhook_is_read_from_the_block(api: str) -> None:
    assert notify_url(settings()) is None

    save(NOTIFY, "http://block.example/hook")

    assert notify_url(settings()) == "http://block.example/hook"


@pytest.mark.parametrize("token", ["12345", "007", "0x1"])
def test_a_token_of_digits_remains_text(api: str, token: str) -> None:
    save(TOKEN, token)

    found = with_secrets(settings(LakeSettings(), till=SourceSettings(url="http://till.example")))

    assert token_of(found.sources["till"]) == token


@pytest.mark.parametrize("token", ["84e10", "1.50", "true", "null", '"quoted"', "12345678e999"])
def test_a_token_that_is_valid_json_is_unchanged(api: str, token: str) -> None:
    save(TOKEN, token)

    found = with_secrets(settings(LakeSettings(), till=SourceSettings(url="http://till.example")))

    assert token_of(found.sources["till"]) == token


# Errors.


def test_the_error_for_a_missing_block_has_the_remedy(api: str) -> None:
    with pytest.raises(UsageError) as missing:
        with_secrets(settings())

    assert missing.value.describe().splitlines() == [
        "LAKEFS_ENDPOINT is set, the keys are not, and Prefect has no Secret block lakefs-creds: "
        "elt secrets set lakefs-creds, or set LAKEFS_ACCESS_KEY and LAKEFS_SECRET_KEY"
    ]


BAD = (
    SESAM,
    f":{SESAM}",
    f"{SESAM}:",
    json.dumps({"access_key": ACCESS, "secret": SESAM}),
    json.dumps({"access_key": "", "secret_key": SESAM}),
    json.dumps({"access_key": 7, "secret_key": SESAM}),
    JSON_FORM[:-1],
    json.dumps([f"{ACCESS}:{SESAM}"]),
)


@pytest.mark.parametrize("held", BAD)
def test_the_error_for_an_invalid_block_does_not_contain_its_content(api: str, held: str) -> None:
    # As a user writes it in Prefect's UI.
    Secret(value=held).save(LAKE)

    with pytest.raises(UsageError, match="holds neither") as bad:
        with_secrets(settings())

    assert SESAM not in bad.value.describe()
    assert "elt secrets set lakefs-creds" in bad.value.remedy


@pytest.mark.parametrize("held", BAD)
def test_invalid_keys_are_not_saved(api: str, held: str) -> None:
    with pytest.raises(UsageError, match="holds neither") as bad:
        save(LAKE, held)

    assert SESAM not in bad.value.describe()
    assert load(LAKE) is None


@pytest.mark.parametrize(
    "name", ["lakefs-cred", "shop", "api-token", "-api-token", "shop_api-token", "Shop-api-token", "a/b-api-token", ""]
)
def test_an_unknown_name_is_refused(api: str, name: str) -> None:
    with pytest.raises(UsageError, match="is not a secret of this project") as unknown:
        save(name, SESAM)

    assert SESAM not in unknown.value.describe()


@pytest.mark.parametrize("text", ["", " \n"])
@pytest.mark.parametrize("name", MINE)
def test_an_empty_secret_is_refused(api: str, name: str, text: str) -> None:
    with pytest.raises(UsageError, match="no value was given"):
        save(name, text)

    assert load(name) is None


def test_the_error_names_a_prefect_that_does_not_respond(api: str) -> None:
    with prefect_down():
        with pytest.raises(PlatformFailed, match="cannot read Secret block from Prefect"):
            with_secrets(settings())
        with pytest.raises(PlatformFailed, match="cannot write Secret block to Prefect") as untaken:
            save(TOKEN, SESAM)

    assert SESAM not in untaken.value.describe()


# elt secrets set.


def environment(api: str, folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "DO_NOT_TRACK": "1",
        **ENVIRONMENT,
        "PREFECT_API_URL": api,
        "PREFECT_API_AUTH_STRING": os.environ["PREFECT_API_AUTH_STRING"],
        "ELT_STATE_DIR": str(folder / "state"),
    }


def elt(api: str, folder: Path, *arguments: str, given: str) -> subprocess.CompletedProcess[str]:
    """Runs `elt` with this text as its stdin."""
    return subprocess.run(
        [sys.executable, "-m", "orchestration", *arguments],
        env=environment(api, folder),
        cwd=PROJECT,
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_secret_is_read_from_stdin_and_not_printed(api: str, tmp_path: Path) -> None:
    done = elt(api, tmp_path, "secrets", "set", LAKE, given=f"{ACCESS}:{SESAM}\n")
    as_json = elt(api, tmp_path, "secrets", "set", TOKEN, "--json", given=SESAM)

    assert (done.returncode, done.stdout) == (0, f"{LAKE} is set at {api}\n")
    assert (as_json.returncode, json.loads(as_json.stdout)) == (0, {"set": TOKEN})
    assert SESAM not in done.stdout + done.stderr + as_json.stdout + as_json.stderr
    assert keys_of(with_secrets(settings()).lake) == (ACCESS, SESAM)
    assert load(TOKEN) == SESAM


def test_a_typed_secret_is_not_shown(api: str, tmp_path: Path) -> None:
    screen, keyboard = pty.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "orchestration", "secrets", "set", TOKEN],
            env=environment(api, tmp_path),
            cwd=PROJECT,
            stdin=keyboard,
            stdout=keyboard,
            stderr=keyboard,
            # Without its own session it would ask at the terminal of the tests.
            start_new_session=True,
        ) as process:
            shown = read_until(screen, b": ")
            os.write(screen, f"{SESAM}\n".encode())
            shown += read_until(screen, b"is set at")
            assert process.wait(timeout=60) == 0
    finally:
        os.close(screen)
        os.close(keyboard)

    assert shown.startswith(TOKEN.encode())
    assert SESAM.encode() not in shown
    assert load(TOKEN) == SESAM


def read_until(screen: int, sign: bytes) -> bytes:
    """Reads a terminal up to a text, for at most 60 s."""
    os.set_blocking(screen, False)
    shown = bytearray()

    def ask() -> bool:
        try:
            shown.extend(os.read(screen, 1_000))
        except BlockingIOError:
            time.sleep(0.05)
        return sign in shown

    assert eventually(ask), bytes(shown)
    return bytes(shown)


@pytest.mark.parametrize(
    ("name", "given", "problem"),
    [
        ("shop-token", SESAM, "'shop-token' is not a secret of this project"),
        (TOKEN, " \n", f"no value was given for {TOKEN}"),
        (LAKE, SESAM, "lakefs-creds holds neither"),
    ],
)
def test_an_invalid_secret_is_refused_in_one_line(
    api: str, tmp_path: Path, name: str, given: str, problem: str
) -> None:
    refused = elt(api, tmp_path, "secrets", "set", name, given=given)

    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith(f"UsageError: {problem}")
    assert len(refused.stderr.splitlines()) == 1
    assert SESAM not in refused.stderr
    assert load(LAKE) is None
    assert load(TOKEN) is None


def test_a_secret_cannot_be_an_argument(api: str, tmp_path: Path) -> None:
    refused = elt(api, tmp_path, "secrets", "set", TOKEN, "as-an-argument", given=SESAM)

    assert refused.returncode == 2
    assert load(TOKEN) is None


# elt deploy.

DEPLOYMENT = {
    "name": "refused",
    "entrypoint": "orchestration.flows.ingest.ingest_clean",
    "work_pool": {"name": "etl-pool", "work_queue_name": "nightly"},
}


@pytest.mark.parametrize(
    ("described", "words"),
    [
        ({"deployments": [{**DEPLOYMENT, "entrypoint": "orchestration.flows.ingest.no_flow"}]}, "'no_flow' not found"),
        ({"deployments": [{**DEPLOYMENT, "work_pool": {"name": "no-pool"}}]}, "work pool 'no-pool'"),
    ],
    ids=["no flow", "no pool"],
)
def test_the_error_for_an_invalid_prefect_yaml_has_the_message_of_prefect(
    api: str, tmp_path: Path, described: Any, words: str
) -> None:
    (tmp_path / "prefect.yaml").write_text(json.dumps({"name": "x", "pull": [], **described}))

    with pytest.raises(PlatformFailed) as refused:
        deploy(api, tmp_path, SILENT)

    assert refused.value.cause.startswith("prefect deploy failed:\n")
    assert words in " ".join(refused.value.cause.split())
    assert refused.value.remedy == "correct prefect.yaml"
    with get_client(sync_client=True) as client, pytest.raises(ObjectNotFound):
        client.read_deployment_by_name("ingest-clean/refused")


def test_deploy_fails_if_prefect_does_not_respond(api: str, tmp_path: Path) -> None:
    (tmp_path / "prefect.yaml").write_text("deployments: []")

    with prefect_down() as url, pytest.raises(PlatformFailed, match="cannot create the work pool in Prefect"):
        deploy(url, tmp_path, SILENT)
