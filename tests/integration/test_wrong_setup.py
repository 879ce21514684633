"""A wrong setup ends in one clear line that names the error and the remedy, and nothing is written."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from examples.events_api import Options, create_app, serving
from orchestration import transform
from orchestration.context import DateRun
from orchestration.dbt_runner.results import BuildResult
from orchestration.errors import error_class
from orchestration.lake import keys
from orchestration.lake.access import LakeAccess
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.gate import gate_file
from orchestration.lake.s3 import gateway_of
from orchestration.lake.setup import ensure_gate, ensure_repository, set_protection_rules
from orchestration.land import Landed
from orchestration.log import SILENT
from orchestration.plan import Plan
from orchestration.run import DateSteps
from tests.helpers.gate_versions import version_with_gate
from tests.helpers.matrix import LONG_TIMEOUT, Bench, open_bench
from tests.helpers.own_lake import repository_of
from tests.helpers.pipeline import Ended, objects_of
from tests.helpers.projects import copy_project, keys_of

ANY = "/{path:path}"
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE"]
CHECK_KEYS = "check LAKEFS_ACCESS_KEY and LAKEFS_SECRET_KEY against the lakeFS at LAKEFS_ENDPOINT"
NO_LAKE = "correct LAKEFS_ENDPOINT: the server there is not lakeFS"

_numbers = count()


@pytest.fixture(scope="module")
def bench(access: LakeAccess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    project = copy_project(tmp_path_factory.mktemp("project"))
    with (
        serving(create_app(Options(rows=100))) as shop,
        repository_of(access, "wrong") as lake,
        open_bench(lake, project, shop, date(2017, 1, 1)) as bench,
    ):
        yield bench


def require_refused_in_extract(bench: Bench, says: str, remedy: str, **environment: str) -> None:
    """Runs a date with a wrong environment, which must fail in `extract` with these lines and write nothing."""
    execution_date = next(bench.dates)
    head = bench.lake.head(MAIN)

    ended = bench.pipeline.run(execution_date, **environment)

    cause, *further = ended.report.splitlines()
    assert (ended.step, ended.outcome, error_class(ended.outcome).exit_code) == ("extract", "PlatformFailed", 5)
    assert cause.startswith(f"{execution_date} extract: ")
    assert says in cause
    assert further == ["main: untouched", f"next: {remedy}, then elt run {execution_date}"]
    assert bench.lake.head(MAIN) == head
    assert list(bench.lake.branches(f"etl-{execution_date}-")) == []


# Wrong settings.


def test_wrong_and_swapped_keys_are_named(bench: Bench) -> None:
    right = bench.pipeline.environment
    swapped = {"LAKEFS_ACCESS_KEY": right["LAKEFS_SECRET_KEY"], "LAKEFS_SECRET_KEY": right["LAKEFS_ACCESS_KEY"]}
    for wrong in ({"LAKEFS_SECRET_KEY": "sesam"}, {"LAKEFS_ACCESS_KEY": "NOBODY"}, swapped):
        require_refused_in_extract(bench, "lakeFS answered 401: error authenticating request", CHECK_KEYS, **wrong)


@pytest.mark.parametrize(
    ("missing", "given"),
    [
        (["LAKEFS_SECRET_KEY"], "LAKEFS_ENDPOINT and LAKEFS_ACCESS_KEY"),
        (["LAKEFS_ACCESS_KEY", "LAKEFS_SECRET_KEY"], "LAKEFS_ENDPOINT"),
        (["LAKEFS_ENDPOINT"], "LAKEFS_ACCESS_KEY and LAKEFS_SECRET_KEY"),
    ],
)
def test_missing_settings_are_named(bench: Bench, missing: list[str], given: str) -> None:
    ended = bench.pipeline.run(next(bench.dates), **dict.fromkeys(missing, ""))

    names = " and ".join(missing)
    assert error_class(ended.outcome).exit_code == 2
    assert ended.report == (
        f"{given} set without {names}: set {names} too in the environment or .env, or unset all to use the local lakeFS"
    )


def test_https_on_an_http_port_is_named(bench: Bench, access: LakeAccess) -> None:
    endpoint = access.endpoint.replace("http:", "https:")
    trusted = "correct LAKEFS_ENDPOINT: https:// requires TLS with a certificate that this machine trusts"
    require_refused_in_extract(bench, f"no secure connection to {endpoint}: ", trusted, LAKEFS_ENDPOINT=endpoint)


@pytest.mark.parametrize("status", [200, 404])
def test_a_web_server_instead_of_lakefs_is_named(bench: Bench, status: int) -> None:
    async def page(request: Request) -> Response:
        return HTMLResponse("<!doctype html><title>Welcome</title>", status)

    with serving(Starlette(routes=[Route(ANY, page)])) as url:
        require_refused_in_extract(bench, f"read repository wrong: {url} ", NO_LAKE, LAKEFS_ENDPOINT=url)


def test_another_api_is_named(bench: Bench) -> None:
    shop = bench.pipeline.environment["SHOP_API_URL"]
    require_refused_in_extract(
        bench, f"{shop} answers 404, in a form that is not lakeFS's", NO_LAKE, LAKEFS_ENDPOINT=shop
    )


def test_a_wrong_bucket_and_a_wrong_repository_are_named(bench: Bench) -> None:
    remedy = "set ELT_BUCKET to its bucket, or ELT_REPOSITORY to another name and run elt init"
    require_refused_in_extract(
        bench, "repository wrong is in local://lakefs/wrong, not in the bucket other", remedy, ELT_BUCKET="other"
    )
    require_refused_in_extract(bench, "there is no repository nowhere", "elt init", ELT_REPOSITORY="nowhere")


# Wrong state of the lake.


@pytest.fixture
def bare(bench: Bench, open_repository: Callable[..., Lake]) -> Bench:
    """Returns the bench on a new repository without gate and protection."""
    lake = open_repository(f"wrong-{next(_numbers)}")
    ensure_repository(lake, "lakefs", SILENT)
    return bench.switch_to(lake, ELT_REPOSITORY=lake.repository)


def test_a_missing_gate_is_named(bare: Bench) -> None:
    set_protection_rules(bare.lake, [MAIN])

    require_refused_in_extract(bare, f"gate check failed: {keys.GATE} is missing in ", "elt init")


def test_the_gate_of_another_version_is_named(bare: Bench) -> None:
    with version_with_gate(gate_file() + b"# an older version\n"):
        ensure_gate(bare.lake, SILENT)
    set_protection_rules(bare.lake, [MAIN])

    require_refused_in_extract(bare, " is not this version's (checksum ", "elt init")


def test_a_lifted_protection_is_named(bare: Bench) -> None:
    ensure_gate(bare.lake, SILENT)
    set_protection_rules(bare.lake, ["release-*"])

    require_refused_in_extract(bare, f"main of {bare.lake.repository} is not protected from writes", "elt init")


def test_a_stray_write_on_main_is_named_before_the_fetch(bare: Bench) -> None:
    ensure_gate(bare.lake, SILENT)
    bare.lake.put(MAIN, "raw/stray.json", b"[]", keys.RAW_CONTENT_TYPE)
    set_protection_rules(bare.lake, [MAIN])

    says = "1 uncommitted writes on main block every merge: raw/stray.json"
    require_refused_in_extract(bare, says, "elt init --discard-stray removes them from main")


# Errors that only DuckDB sees.


def transform_with(run: DateRun, plan: Plan, landed: Landed, folder: Path, **wrong: Any) -> BuildResult:
    """Runs the step with a gateway that is wrong for DuckDB only; changes the process it runs in."""
    vars(transform)["gateway_of"] = lambda lake: replace(gateway_of(lake), **wrong)
    return transform.transform(run, plan, landed, folder)


def require_refused_in_transform(bench: Bench, ended: Ended, execution_date: str, says: str, following: str) -> None:
    cause, main, kept, remedy = ended.report.splitlines()
    assert (ended.step, ended.outcome, error_class(ended.outcome).exit_code) == ("transform", "PlatformFailed", 5)
    assert says in cause
    assert main == "main: untouched"
    assert kept.startswith(f"kept: branch etl-{execution_date}-")
    assert remedy == f"next: {following}elt run {execution_date}"
    (branch,) = bench.lake.branches(f"etl-{execution_date}-")
    assert not [key for key in keys_of(bench.lake, branch, execution_date) if key.startswith("curated/")]
    assert objects_of(bench.lake, execution_date) == {}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"secret_key": "sesam"}, "SignatureDoesNotMatch: "), ({"access_key": "NOBODY"}, "AccessDenied: ")],
    ids=["secret key", "access key"],
)
def test_keys_that_are_wrong_for_duckdb_only_fail_the_run(bench: Bench, wrong: dict[str, Any], says: str) -> None:
    execution_date = next(bench.dates)

    ended = bench.pipeline.run(execution_date, DateSteps(transform=partial(transform_with, **wrong)), **LONG_TIMEOUT)

    refused = "lakeFS's S3 gateway refuses DuckDB's keys, LAKEFS_ACCESS_KEY and LAKEFS_SECRET_KEY: "
    require_refused_in_transform(bench, ended, execution_date, refused + says, "")


def test_missing_keys_for_duckdb_fail_the_run(bench: Bench) -> None:
    """lakeFS answers an unsigned request with an HTML page, which would look like malformed raw."""
    execution_date = next(bench.dates)

    ended = bench.pipeline.run(
        execution_date, DateSteps(transform=partial(transform_with, access_key="", secret_key=""))
    )

    assert error_class(ended.outcome).exit_code == 2
    assert ended.report.startswith("DuckDB has no keys for lakeFS's S3 gateway: ")
    assert objects_of(bench.lake, execution_date) == {}


def signed_at(request: Request, body: bytes, access: LakeAccess, when: datetime) -> dict[str, str]:
    """Returns the headers of a request, signed as by a client with this clock (AWS Signature Version 4)."""
    stamp = when.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/us-east-1/s3/aws4_request"
    headers = {**request.headers, "x-amz-date": stamp}
    names = headers["authorization"].split("SignedHeaders=")[1].split(",")[0]
    path, query = request.scope["raw_path"].decode(), request.scope["query_string"].decode()
    signed = [f"{name}:{headers[name]}" for name in names.split(";")]
    canonical = "\n".join([request.method, path, query, *signed, "", names, headers["x-amz-content-sha256"]])
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{access.secret_key.get_secret_value()}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    credential = f"{access.access_key.get_secret_value()}/{scope}"
    value = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={key.hex()}"
    return {**headers, "authorization": value}


def clock_before(access: LakeAccess, off: timedelta) -> Starlette:
    """A proxy in front of lakeFS that signs DuckDB's requests again, with a wrong time."""

    async def forward(request: Request) -> Response:
        body = await request.body()
        headers = dict(request.headers)
        if headers["authorization"].startswith("AWS4"):
            headers = signed_at(request, body, access, datetime.now(UTC) + off)
        url = f"{access.endpoint}{request.scope['raw_path'].decode()}?{request.scope['query_string'].decode()}"
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.request(request.method, url.rstrip("?"), content=body, headers=headers)
        return Response(answer.content, answer.status_code, dict(answer.headers))

    return Starlette(routes=[Route(ANY, forward, methods=METHODS)])


@pytest.mark.parametrize(
    ("off", "says"),
    [
        (timedelta(minutes=-16), "RequestTimeTooSkewed: The difference between the request time and the server's time"),
        (timedelta(minutes=16), "AccessDenied: Request is not valid yet"),
    ],
    ids=["slow", "fast"],
)
def test_a_wrong_clock_is_named(bench: Bench, access: LakeAccess, off: timedelta, says: str) -> None:
    """lakeFS itself checks the time: the requests are signed as by a machine with such a clock."""
    execution_date = next(bench.dates)
    with serving(clock_before(access, off)) as url:
        ended = bench.pipeline.run(execution_date, LAKEFS_ENDPOINT=url, **LONG_TIMEOUT)

    apart = f"the clocks of lakeFS and of this machine are more than 15 minutes apart: {says}"
    require_refused_in_transform(bench, ended, execution_date, apart, "synchronise both clocks, then ")


def test_a_right_clock_succeeds_through_the_same_proxy(bench: Bench, access: LakeAccess) -> None:
    """The refusals above are therefore caused by the time, not by the new signature."""
    with serving(clock_before(access, timedelta())) as url:
        ended = bench.pipeline.run(next(bench.dates), LAKEFS_ENDPOINT=url, **LONG_TIMEOUT)

    assert ended.outcome == "published"
