"""The bucket of the lake in the S3 store: created unless it exists, and the keys to it checked."""

from __future__ import annotations

from typing import Any, Literal

from orchestration.errors import PlatformFailed, UsageError
from orchestration.log import Log
from orchestration.stack.remedies import AGAIN, see_log
from orchestration.stack.settings import StackSettings
from orchestration.stack.wait import wait_for

_LOGS = see_log("object-store")
_REMEDIES = {
    "InvalidAccessKeyId": "STACK_STORE_ACCESS_KEY",
    # Versity's code for the same, with status 404.
    "XAdminUserNotFound": "STACK_STORE_ACCESS_KEY",
    "SignatureDoesNotMatch": "STACK_STORE_SECRET_KEY",
    "AccessDenied": "STACK_STORE_ACCESS_KEY, or the rights of that key to the bucket in ELT_BUCKET",
}


def ensure_bucket(settings: StackSettings, bucket: str, log: Log) -> Literal["created", "unchanged"]:
    """Wait for the store, and create the bucket unless it exists.

    Raises:
        UsageError: The store refuses the keys, or the bucket is not theirs; the message names the variable.
        PlatformFailed: The store answers with another error.
        ServerFailed: The store does not answer.
    """
    from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

    client = _client(settings)
    wait_for(f"object-store at {settings.store_endpoint}", lambda: _problem(client), log)
    try:
        if _exists(client, bucket):
            return "unchanged"
        client.create_bucket(Bucket=bucket, **_location(settings.store_region))
    except ClientError as error:
        if _code(error) == "BucketAlreadyOwnedByYou":
            return "unchanged"
        raise _refused(settings, bucket, error) from error
    except ParamValidationError as error:
        raise UsageError(
            f"ELT_BUCKET={bucket}: {error}", remedy="name a bucket by 3 to 63 of a-z, 0-9 and -"
        ) from error
    except BotoCoreError as error:
        raise PlatformFailed(f"the store at {settings.store_endpoint}: {error}", remedy=_LOGS) from error
    log.info(f"created bucket {bucket} at {settings.store_endpoint}")
    return "created"


def _client(settings: StackSettings) -> Any:
    import botocore.session
    from botocore.config import Config

    return botocore.session.Session().create_client(
        "s3",
        endpoint_url=settings.store_endpoint,
        region_name=settings.store_region,
        aws_access_key_id=settings.store_access_key.get_secret_value(),
        aws_secret_access_key=settings.store_secret_key.get_secret_value(),
        config=Config(
            connect_timeout=5,
            read_timeout=10,
            retries={"total_max_attempts": 1},
            # As lakeFS: a host per bucket needs DNS, and stores other than AWS lack the newer checksums.
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def _problem(client: Any) -> str:
    """Return why the store does not answer yet; an answer that refuses is an answer."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client.list_buckets()
    except BotoCoreError as error:
        return str(error)
    except ClientError as error:
        return str(error) if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500 else ""
    return ""


def _exists(client: Any, bucket: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        # Not HeadBucket: an error of it has no body, so it does not say which key is wrong.
        client.list_objects_v2(Bucket=bucket, MaxKeys=1)
    except ClientError as error:
        if _code(error) == "NoSuchBucket":
            return False
        raise
    return True


def _location(region: str) -> dict[str, Any]:
    # AWS refuses the name of its default region here.
    return {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}


def _refused(settings: StackSettings, bucket: str, error: Any) -> UsageError | PlatformFailed:
    code = _code(error)
    cause = f"the store at {settings.store_endpoint} answered {code}: {error.response['Error'].get('Message', '')}"
    if code in _REMEDIES:
        return UsageError(f"{_REMEDIES[code].split(',')[0]}: {cause}", remedy=f"correct {_REMEDIES[code]}, {AGAIN}")
    if code == "BucketAlreadyExists":
        return UsageError(
            f"ELT_BUCKET={bucket}: {cause}", remedy=f"it belongs to another account: name another, {AGAIN}"
        )
    if error.response["ResponseMetadata"]["HTTPStatusCode"] in (401, 403):
        both = "STACK_STORE_ACCESS_KEY, STACK_STORE_SECRET_KEY"
        return UsageError(f"{both}: {cause}", remedy=f"correct {both}, {AGAIN}")
    return PlatformFailed(f"bucket {bucket}: {cause}", remedy=_LOGS)


def _code(error: Any) -> str:
    return str(error.response["Error"].get("Code", ""))
