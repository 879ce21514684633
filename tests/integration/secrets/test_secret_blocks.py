"""Secret blocks on a real Prefect server: forms, precedence and errors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from prefect.blocks.system import Secret
from prefect.client.orchestration import get_client
from pydantic import SecretStr

from orchestration.errors import PlatformFailed, UsageError
from orchestration.flows.secrets import LAKE, NOTIFY, load, notify_url, save, source_block, with_secrets
from orchestration.project import own_name
from orchestration.settings import (
    EltSettings,
    LakeSettings,
    SourceSettings,
)
from tests.helpers.blocks import (
    ACCESS,
    JSON_FORM,
    MINE,
    SESAM,
    TOKEN,
    keys_of,
    prefect_down,
    settings,
    token_of,
)
from tests.helpers.projects import NAME

# The content of a block.


def test_a_saved_block_is_loaded_and_replaced(api: str) -> None:
    assert load(NAME, TOKEN) is None

    save(NAME, TOKEN, f"  {SESAM}\n")
    assert load(NAME, TOKEN) == SESAM

    save(NAME, TOKEN, "another")
    assert load(NAME, TOKEN) == "another"


def test_prefect_does_not_show_the_content_of_a_block(api: str) -> None:
    save(NAME, LAKE, JSON_FORM)

    with get_client(sync_client=True) as client:
        shown = client.read_block_document_by_name(own_name(NAME, LAKE), "secret", include_secrets=False)

    assert SESAM not in shown.model_dump_json()
    assert SESAM not in repr(Secret.load(own_name(NAME, LAKE)))


@pytest.mark.parametrize(
    "held",
    [JSON_FORM, f"{ACCESS}:{SESAM}", f" {ACCESS} : {SESAM} \n", json.loads(JSON_FORM)],
    ids=["JSON", "access:secret", "with spaces", "JSON of Prefect's UI"],
)
def test_lakefs_keys_are_read_from_each_form_of_the_block(api: str, held: Any) -> None:
    if isinstance(held, str):
        save(NAME, LAKE, held)
    else:
        Secret(value=held).save(own_name(NAME, LAKE))

    assert keys_of(with_secrets(settings()).lake) == (ACCESS, SESAM)


def test_a_secret_key_may_have_a_colon(api: str) -> None:
    save(NAME, LAKE, f"{ACCESS}:a:b")

    assert keys_of(with_secrets(settings()).lake) == (ACCESS, "a:b")


# Precedence.


def test_the_environment_takes_precedence_over_the_block(api: str) -> None:
    save(NAME, LAKE, JSON_FORM)
    save(NAME, TOKEN, "token of the block")
    save(NAME, NOTIFY, "http://block.example/hook")
    lake = LakeSettings(endpoint="http://lake.example", access_key=SecretStr("env"), secret_key=SecretStr("own"))
    till = SourceSettings(url="http://till.example", token=SecretStr("token of the environment"))
    elt = EltSettings(notify_url=SecretStr("http://environment.example/hook"))

    found = with_secrets(settings(lake, elt, till=till))

    assert keys_of(found.lake) == ("env", "own")
    assert token_of(found.sources["till"]) == "token of the environment"
    assert notify_url(found) == "http://environment.example/hook"


def test_one_key_is_not_completed_from_the_block(api: str) -> None:
    save(NAME, LAKE, JSON_FORM)

    found = with_secrets(settings(LakeSettings(endpoint="http://lake.example", access_key=SecretStr("env"))))

    assert keys_of(found.lake) == ("env", None)


def test_the_local_lakefs_needs_no_block(api: str) -> None:
    save(NAME, LAKE, JSON_FORM)

    assert keys_of(with_secrets(settings(LakeSettings())).lake) == (None, None)


def test_each_source_has_its_own_block(api: str) -> None:
    save(NAME, TOKEN, "for till")
    save(NAME, "city-till-api-token", "for city_till")
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

    save(NAME, NOTIFY, "http://block.example/hook")

    assert notify_url(settings()) == "http://block.example/hook"


@pytest.mark.parametrize("token", ["12345", "007", "0x1"])
def test_a_token_of_digits_remains_text(api: str, token: str) -> None:
    save(NAME, TOKEN, token)

    found = with_secrets(settings(LakeSettings(), till=SourceSettings(url="http://till.example")))

    assert token_of(found.sources["till"]) == token


@pytest.mark.parametrize("token", ["84e10", "1.50", "true", "null", '"quoted"', "12345678e999"])
def test_a_token_that_is_valid_json_is_unchanged(api: str, token: str) -> None:
    save(NAME, TOKEN, token)

    found = with_secrets(settings(LakeSettings(), till=SourceSettings(url="http://till.example")))

    assert token_of(found.sources["till"]) == token


# Errors.


def test_the_error_for_a_missing_block_has_the_remedy(api: str) -> None:
    with pytest.raises(UsageError) as missing:
        with_secrets(settings())

    assert missing.value.describe().splitlines() == [
        "LAKEFS_ENDPOINT is set, the keys are not, and Prefect has no Secret block ingest-clean--lakefs-creds: "
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
    Secret(value=held).save(own_name(NAME, LAKE))

    with pytest.raises(UsageError, match="holds neither") as bad:
        with_secrets(settings())

    assert SESAM not in bad.value.describe()
    assert "elt secrets set lakefs-creds" in bad.value.remedy


@pytest.mark.parametrize("held", BAD)
def test_invalid_keys_are_not_saved(api: str, held: str) -> None:
    with pytest.raises(UsageError, match="holds neither") as bad:
        save(NAME, LAKE, held)

    assert SESAM not in bad.value.describe()
    assert load(NAME, LAKE) is None


@pytest.mark.parametrize(
    "name", ["lakefs-cred", "shop", "api-token", "-api-token", "shop_api-token", "Shop-api-token", "a/b-api-token", ""]
)
def test_an_unknown_name_is_refused(api: str, name: str) -> None:
    with pytest.raises(UsageError, match="is not a secret of this project") as unknown:
        save(NAME, name, SESAM)

    assert SESAM not in unknown.value.describe()


@pytest.mark.parametrize("text", ["", " \n"])
@pytest.mark.parametrize("name", MINE)
def test_an_empty_secret_is_refused(api: str, name: str, text: str) -> None:
    with pytest.raises(UsageError, match="no value was given"):
        save(NAME, name, text)

    assert load(NAME, name) is None


def test_the_error_names_a_prefect_that_does_not_respond(api: str) -> None:
    with prefect_down():
        with pytest.raises(PlatformFailed, match="cannot read Secret block from Prefect"):
            with_secrets(settings())
        with pytest.raises(PlatformFailed, match="cannot write Secret block to Prefect") as untaken:
            save(NAME, TOKEN, SESAM)

    assert SESAM not in untaken.value.describe()
