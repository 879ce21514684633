"""Target `dev`, the default: the commands of an analyst after setup, without server and network."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from pathlib import Path

import duckdb
import httpx
import pytest

from orchestration.servers.ports import free_port
from tests.helpers.dbt_runs import DBT, dbt
from tests.helpers.elt_runs import eventually
from tests.helpers.projects import MACROS, copy_project


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project after its first build."""
    project = copy_project(tmp_path_factory.mktemp("built"))
    ended = dbt(project, "build")
    assert ended.code == 0, ended.out
    return project


@pytest.fixture
def project(built: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may break."""
    return Path(shutil.copytree(built, tmp_path / "project"))


def counted(project: Path, table: str) -> int:
    with duckdb.connect(project / "dev.duckdb", read_only=True) as connection:
        (row,) = connection.execute(f"select count(*) from {table}").fetchall()
    return int(row[0])


def test_a_build_leaves_a_file_that_an_analyst_can_open(built: Path) -> None:
    with duckdb.connect(built / "dev.duckdb", read_only=True) as connection:
        tables = {name for (name,) in connection.execute("select table_name from information_schema.tables").fetchall()}
        (row,) = connection.execute("select sum(sales + returns + other_events) from daily_sales").fetchall()

    with duckdb.connect(built / "dev.duckdb", read_only=True) as connection:
        parts = connection.execute("select part, sum(row_count)::int from events_accounting group by part").fetchall()
    assert dict(parts) == {
        "raw": 123,
        "curated": 119,
        "accepted_keys": 119,
        "curated_keys": 119,
        "identical": 2,
        "conflicting": 1,
        "rejected": 1,
    }
    assert {"events", "events_rejected", "events_accounting", "daily_sales", "customer_features"} <= tables
    assert row[0] == counted(built, "events") > 0


def test_the_network_is_not_used(project: Path) -> None:
    alone = ["unshare", "--user", "--map-root-user", "--net"]
    if subprocess.run([*alone, "true"], check=False, capture_output=True).returncode:
        # If the kernel allows no network namespace, use names that do not resolve.
        alone = ["env", "http_proxy=http://127.0.0.1:9", "https_proxy=http://127.0.0.1:9"]

    ended = dbt(project, "build", within=alone)

    assert ended.code == 0, ended.out


def test_one_setting_selects_the_date(project: Path) -> None:
    sample = project / "examples" / "raw_sample" / "raw" / "shop"
    for table in ("events", "products"):
        page = sample / table / "date=2025-05-19" / "page-00001.json"
        page.parent.mkdir()
        shutil.copy(sample / table / "date=2025-05-20" / "page-00001.json", page)

    ended = dbt(project, "run", environment={"ELT_DEV_DATE": "2025-05-19"})
    refused = dbt(project, "run", environment={"ELT_DEV_DATE": "2025-05-18"})

    assert ended.code == 0, ended.out
    with duckdb.connect(project / "dev.duckdb", read_only=True) as connection:
        dates = connection.execute("select distinct execution_date::varchar from all_events order by 1").fetchall()
        (counts,) = connection.execute("select repeated_rows from events_across_dates").fetchall()
    assert [date for (date,) in dates] == ["2025-05-19", "2025-05-20"]
    assert counts[0] == counted(project, "events")
    assert refused.code == 2
    assert "set one of 2025-05-19, 2025-05-20" in refused.out


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (("build", "--select", "events+"), "Completed successfully"),
        (("test",), "Completed successfully"),
        (("show", "--select", "events", "--limit", "2"), "| event_id "),
        (("show", "--inline", "select count(*) as n from {{ ref('products') }}"), "|  n |"),
        (("ls", "--resource-type", "source"), "source:ingest_clean.shop.events"),
        (("compile", "--select", "events"), "row_number() over"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, tuple) else "",
)
def test_every_command_works(project: Path, command: tuple[str, ...], shown: str) -> None:
    ended = dbt(project, *command)

    assert ended.code == 0, ended.out
    assert shown in ended.out


def test_a_build_after_an_empty_run_is_complete(project: Path) -> None:
    before = counted(project, "events")
    assert dbt(project, "run", "--empty").code == 0
    assert counted(project, "events") == 0

    assert dbt(project, "build").code == 0
    assert counted(project, "events") == before


def test_retry_builds_a_failed_model_after_its_correction(project: Path) -> None:
    model = project / "models" / "marts" / "by_date" / "daily_sales.sql"
    right = model.read_text()
    model.write_text(right.replace("group by", "group bye"))
    assert dbt(project, "build").code == 1

    model.write_text(right)
    ended = dbt(project, "retry")

    assert ended.code == 0, ended.out
    assert "daily_sales" in ended.out
    assert "created sql lake_parquet model main.events " not in ended.out


def test_docs_are_served(project: Path) -> None:
    assert dbt(project, "docs", "generate").code == 0
    port = free_port(())
    with subprocess.Popen(
        [DBT, "docs", "serve", "--no-browser", "--host", "127.0.0.1", "--port", str(port)],
        env={"HOME": str(project), "PATH": "/usr/bin:/bin", "DBT_PROFILES_DIR": "profiles"},
        cwd=project,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as serving:
        try:
            answers = eventually(lambda: listens(port))
            manifest = httpx.get(f"http://127.0.0.1:{port}/manifest.json", trust_env=False)
        finally:
            serving.kill()

    assert answers
    assert "model.ingest_clean.daily_sales" in manifest.json()["nodes"]


def listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def test_a_removed_price_rule_fails_a_unit_test_and_a_data_test(project: Path) -> None:
    macro = project / MACROS / "rows" / "to_double.sql"
    right = macro.read_text()
    macro.write_text(right.replace("([0-9]+|[1-9][0-9]{0,2}(' ~ thousands ~ '[0-9]{3})+)", "[0-9]+"))
    assert macro.read_text() != right

    ended = dbt(project, "build", "--no-fail-fast")
    assert ended.code == 1
    results = json.loads((project / "target" / "run_results.json").read_text())["results"]
    failed = {one["unique_id"].split(".")[0] for one in results if one["status"] == "fail"}
    assert "unit_test" in failed

    # dbt skips a model whose unit test fails, so the data tests run separately.
    ended = dbt(project, "build", "--exclude", "test_type:unit")
    results = json.loads((project / "target" / "run_results.json").read_text())["results"]
    assert ended.code == 1
    assert [one["unique_id"].split(".")[2] for one in results if one["status"] == "fail"] == [
        "events_reject_share_within_limit",
    ]


def test_a_failed_build_names_column_reason_and_an_example(project: Path) -> None:
    page = project / "examples/raw_sample/raw/shop/events/date=2025-05-20/page-00001.json"
    records = json.loads(page.read_text())
    records[0] |= {"Description": "x" * 1_000, "Price": "twelve \x1b[31m"}
    page.write_text(json.dumps(records))

    ended = dbt(project, "build", "--select", "+events_accounting", "--exclude", "test_type:unit")

    assert ended.code == 1
    assert "events_reject_share_within_limit: 1 failing rows" in ended.out
    assert "raw_rows=123, rejected_rows=2, limit_share=0.01" in ended.out
    assert "events rejected for price_not_numeric: 2 rows" in ended.out
    # The example is the value, and the part of a long record around it.
    (example,) = (line for line in ended.out.splitlines() if "value=" in line)
    assert 'page="raw/shop/events/date=2025-05-20/page-00001.json", value="twelve \\u001b[31m"' in example
    assert example.count("x") < 200
    assert '\\"Price\\": \\"twelve ' in example


def test_the_error_for_a_locked_file_names_the_process(project: Path) -> None:
    with duckdb.connect(project / "dev.duckdb"):
        locked = dbt(project, "build")

    assert locked.code == 2
    assert "dev.duckdb is open in another process, " in locked.out
    assert "set ELT_DUCKDB_PATH to another file" in locked.out
    assert "Traceback" not in locked.out


@pytest.mark.parametrize(
    ("file", "right", "wrong", "says"),
    [
        ("models/staging/shop/_shop__sources.yml", "              form: array", "", "missing required field `form`"),
        (
            "models/staging/shop/_shop__sources.yml",
            "key: [Event ID]",
            "key: [Event No]",
            "'Event No' is not among the fields",
        ),
        (
            "models/staging/shop/_shop__sources.yml",
            "              form: array\n",
            "              form: array\n              paging: {style: pages}\n",
            "config.meta.fetch.paging.style: Invalid value 'pages'; allowed: none, page, offset, next_link, cursor",
        ),
        (
            "models/staging/shop/_shop__sources.yml",
            "          - name: Event Type\n",
            "          - name: event-id\n          - name: Event Type\n",
            "both become the column name",
        ),
        (
            "models/staging/shop/_shop__sources.yml",
            "key: [Event ID]",
            "key: [Invoice No]",
            "stg_shop__events.sql was not generated from what",
        ),
        (
            "models/staging/shop/_shop__sources.yml",
            "          - name: Country\n",
            "          - name: Land\n",
            "stg_shop__events.sql was not generated from what",
        ),
    ],
)
def test_a_wrong_declaration_is_named_before_the_build(
    project: Path, file: str, right: str, wrong: str, says: str
) -> None:
    path = project / file
    content = path.read_text()
    assert right in content
    path.write_text(content.replace(right, wrong, 1))

    ended = dbt(project, "run")

    assert ended.code in (1, 2)
    assert says in ended.out
    assert Path(file).name in ended.out
    assert "OK created sql lake_parquet model main.events " not in ended.out


def test_source_freshness_is_that_of_the_built_date(project: Path) -> None:
    stale = dbt(project, "source", "freshness")

    sample = project / "examples" / "raw_sample" / "raw" / "shop"
    with duckdb.connect() as connection:
        (row,) = connection.execute("select (current_date - 1)::varchar").fetchall()
    for table in ("events", "products"):
        shutil.copytree(sample / table / "date=2025-05-20", sample / table / f"date={row[0]}")
    fresh = dbt(project, "source", "freshness")

    assert stale.code == 1
    assert "ERROR STALE freshness of shop.events" in stale.out
    assert fresh.code == 0, fresh.out
