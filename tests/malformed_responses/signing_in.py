"""Refused sign-ins, and invalid or unexpected responses of the endpoint that issues OAuth tokens."""

from __future__ import annotations

import json

from orchestration.errors import IngestCleanError, SourceBodyInvalid, SourceBusy, SourceRefused, SourceUnreachable
from tests.malformed_responses.case import Case, answer, array, event

CLIENT = {"SHOP_API_CLIENT_ID": "shop", "SHOP_API_CLIENT_SECRET": "s3cr3t"}
USER = {"SHOP_API_USER": "shop", "SHOP_API_PASSWORD": "s3cr3t"}
KEY = {"SHOP_API_TOKEN": "s3cr3t"}
OF_CLIENT = "next: check SHOP_API_CLIENT_ID and SHOP_API_CLIENT_SECRET"
UNAUTHORIZED = answer('{"message":"no s3cr3t"}', "401 Unauthorized")


def token(**fields: object) -> bytes:
    return answer(json.dumps({"access_token": "t1", "token_type": "bearer", "expires_in": 3600, **fields}))


def no_token(name: str, sent: bytes, fails: type[IngestCleanError], *says: str) -> Case:
    """A response of the token endpoint without a usable token."""
    return Case(name, (answer(array(event())),), fails, says, source="oauth2", token=sent, environment=CLIENT)


SIGNING_IN = (
    Case(
        "a user that is refused",
        (UNAUTHORIZED,),
        SourceRefused,
        ('answered 401 Unauthorized: \'{"message":"no ***"}\'', "next: check SHOP_API_USER and SHOP_API_PASSWORD"),
        source="basic",
        environment=USER,
    ),
    Case(
        "a key in the query that is refused, and repeated",
        (answer("no key s3cr3t", "403 Forbidden"),),
        SourceRefused,
        ("?date=2025-05-20 answered 403 Forbidden: 'no key ***'", "next: check SHOP_API_TOKEN"),
        source="key in the query",
        environment=KEY,
    ),
    Case(
        "an access token that is refused, and so is the next one",
        (UNAUTHORIZED,),
        SourceRefused,
        ("answered 401 Unauthorized: ", OF_CLIENT),
        source="oauth2",
        token=token(),
        environment=CLIENT,
    ),
    no_token(
        "a client that is refused",
        answer('{"error":"invalid_client","error_description":"no s3cr3t"}', "401 Unauthorized"),
        SourceRefused,
        "/token refused the client: 'invalid_client: no ***'",
        OF_CLIENT,
    ),
    no_token(
        "403 for the token", answer("<h1>no</h1>", "403 Forbidden"), SourceRefused, "/token answered 403: ", OF_CLIENT
    ),
    no_token(
        "a redirect for the token",
        answer("", "302 Found", "Location: https://elsewhere.example/token"),
        SourceRefused,
        "/token answered 302: ",
    ),
    no_token("500 for the token", answer("", "500 Internal Server Error"), SourceUnreachable, "/token answered 500"),
    no_token("no connection for the token", b"", SourceUnreachable, "/token: no token: "),
    no_token("429 for the token", answer("", "429 Too Many", "Retry-After: 0"), SourceBusy, "/token answered 429"),
    no_token(
        "an HTML page in place of the token", answer("<html>"), SourceBodyInvalid, "/token: ", "is not a JSON object"
    ),
    no_token(
        "a response without an access token",
        answer('{"token_type":"bearer"}'),
        SourceBodyInvalid,
        "/token answered without an access_token",
        "next: check auth.token_url",
    ),
    no_token("an access token that is null", token(access_token=None), SourceBodyInvalid, "without an access_token"),
    no_token(
        "a token of another type",
        token(token_type="mac"),
        SourceBodyInvalid,
        "/token: the token is of type 'mac', not bearer",
    ),
    no_token(
        "a token of 2 MiB", token(access_token="x" * 2 * 1024 * 1024), SourceBodyInvalid, "a token over 1,048,576 bytes"
    ),
)
