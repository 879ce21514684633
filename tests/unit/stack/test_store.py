"""The bucket in the S3 store, on a server that answers as such a store does."""

from __future__ import annotations

import pytest

from orchestration.errors import IngestCleanError, PlatformFailed, ServerFailed, UsageError
from orchestration.log import SILENT
from orchestration.stack import wait
from orchestration.stack.store import ensure_bucket
from tests.helpers.stack import VARIABLES, Answer, Request, answering, stack_settings

BUCKETS = (200, "<ListAllMyBucketsResult/>")
LISTED = (200, "<ListBucketResult/>")


def error(status: int, code: str) -> Answer:
    return status, f"<Error><Code>{code}</Code><Message>text</Message></Error>"


def run(listed: Answer, created: Answer = (200, ""), region: str = "us-east-1") -> tuple[str, list[Request]]:
    def answer(request: Request) -> Answer:
        if request.path == "/":
            return BUCKETS
        return created if request.method == "PUT" else listed

    with answering(answer) as server:
        done = ensure_bucket(stack_settings(store_endpoint=server.url, store_region=region), "lakefs", SILENT)
    return done, server.requests


def test_an_existing_bucket_is_left_unchanged() -> None:
    done, requests = run(LISTED)
    assert done == "unchanged"
    assert [request.method for request in requests] == ["GET", "GET"]


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_a_missing_bucket_is_created_in_the_region(region: str) -> None:
    done, requests = run(error(404, "NoSuchBucket"), region=region)
    assert done == "created"
    assert (requests[-1].method, requests[-1].path) == ("PUT", "/lakefs")
    assert (region.encode() in requests[-1].body) == (region != "us-east-1")
    assert f"/{region}/s3/aws4_request" in requests[-1].authorization


def test_a_bucket_that_another_init_created_is_unchanged() -> None:
    assert run(error(404, "NoSuchBucket"), error(409, "BucketAlreadyOwnedByYou"))[0] == "unchanged"


@pytest.mark.parametrize(
    ("listed", "created", "kind", "begins", "remedy"),
    [
        (error(403, "InvalidAccessKeyId"), LISTED, UsageError, "STACK_STORE_ACCESS_KEY: ", "STACK_STORE_ACCESS_KEY"),
        (error(404, "XAdminUserNotFound"), LISTED, UsageError, "STACK_STORE_ACCESS_KEY: ", "STACK_STORE_ACCESS_KEY"),
        (error(403, "SignatureDoesNotMatch"), LISTED, UsageError, "STACK_STORE_SECRET_KEY: ", "STACK_STORE_SECRET_KEY"),
        (error(403, "AccessDenied"), LISTED, UsageError, "STACK_STORE_ACCESS_KEY: ", "ELT_BUCKET"),
        (
            error(404, "NoSuchBucket"),
            error(409, "BucketAlreadyExists"),
            UsageError,
            "ELT_BUCKET=lakefs: ",
            "another account",
        ),
        (error(404, "NoSuchBucket"), error(403, "AccessDenied"), UsageError, "STACK_STORE_ACCESS_KEY", "the rights"),
        (
            error(403, "InvalidClientTokenId"),
            LISTED,
            UsageError,
            "STACK_STORE_ACCESS_KEY, STACK_STORE_SECRET_KEY: ",
            "correct",
        ),
        (error(500, "InternalError"), LISTED, PlatformFailed, "bucket lakefs: ", "logs object-store"),
    ],
)
def test_a_refusal_names_the_variable(
    listed: Answer, created: Answer, kind: type[IngestCleanError], begins: str, remedy: str
) -> None:
    with pytest.raises(kind) as failed:
        run(listed, created)
    assert failed.value.cause.startswith(begins)
    assert remedy in failed.value.remedy
    assert VARIABLES["STACK_STORE_SECRET_KEY"] not in failed.value.describe()


def test_a_name_that_is_no_bucket_is_refused_before_a_request() -> None:
    with answering(lambda _: BUCKETS) as server, pytest.raises(UsageError, match="ELT_BUCKET=no bucket"):
        ensure_bucket(stack_settings(store_endpoint=server.url), "no bucket", SILENT)
    assert server.lines == ["GET /"]


def test_a_store_that_never_answers_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wait, "LIMIT", 0.05)
    monkeypatch.setattr(wait, "PAUSE", 0.01)
    with pytest.raises(ServerFailed, match=r"^object-store at http://127[.]0[.]0[.]1:9 cannot be used") as failed:
        ensure_bucket(stack_settings(store_endpoint="http://127.0.0.1:9"), "lakefs", SILENT)
    assert failed.value.remedy == "see its log: docker compose logs object-store"
