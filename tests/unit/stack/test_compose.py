"""docker-compose.yml and the Dockerfiles: what is published, what is demanded, what is pinned."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.servers.build import LAKEFS_VERSION, MODULE
from orchestration.servers.lakefs import configuration
from orchestration.settings import PROJECT_DIR
from orchestration.stack.settings import StackSettings
from tests.helpers.stack import VARIABLES

FILE = PROJECT_DIR / "docker-compose.yml"
TEXT = FILE.read_text(encoding="utf-8")
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
ONCE = {"check", "prepare", "init"}


def test_the_services() -> None:
    servers = {"postgres", "object-store", "lakefs", "prefect-server", "lakefs-port", "dbt-docs"}
    workers = {"prefect-worker", "check-worker"}
    assert set(SERVICES) == servers | workers | ONCE


def test_the_override_gives_the_source_to_what_asks_it_and_its_token_to_init_only() -> None:
    text = (PROJECT_DIR / "docker-compose.override.yml").read_text(encoding="utf-8")
    own = {name: set(service["environment"]) for name, service in yaml.safe_load(text)["services"].items()}

    assert own == {"init": {"SHOP_API_URL", "SHOP_API_TOKEN"}, "prefect-worker": {"SHOP_API_URL"}}
    assert own.keys() <= SERVICES.keys()


def test_every_secret_is_demanded_and_checked() -> None:
    demanded = set(re.findall(r"\$\{(STACK_\w+):\?", TEXT))
    assert demanded == set(VARIABLES)
    assert {name.removeprefix("STACK_").lower() for name in demanded} <= set(StackSettings.model_fields)
    for service in ONCE:
        assert demanded <= set(SERVICES[service]["environment"])
    # Nothing that is demanded is also used without the demand, which would be an empty secret.
    for name in demanded:
        assert len(re.findall(rf"\$\{{?{name}\b", TEXT)) == len(re.findall(rf"\$\{{{name}:\?[^}}]+\}}", TEXT))


@pytest.mark.parametrize("path", sorted(PROJECT_DIR.glob("docker-compose*.yml")), ids=lambda path: str(path.name))
def test_every_variable_is_in_the_example(path: Any) -> None:
    example = (PROJECT_DIR / ".env.example").read_text(encoding="utf-8")
    for name in set(re.findall(r"\$\{(\w+)", path.read_text(encoding="utf-8"))):
        assert re.search(rf"^#{name}=", example, re.MULTILINE), name


def test_ports_are_published_on_loopback_only_and_only_those_of_pages() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"lakefs-port", "prefect-server", "dbt-docs"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert SERVICES["lakefs-port"]["depends_on"] == {"init": {"condition": "service_completed_successfully"}}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["restart"] == ("no" if name in ONCE else "unless-stopped")
    assert ("healthcheck" in service) == (name not in ONCE)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_image_has_a_fixed_version(name: str) -> None:
    image = SERVICES[name]["image"].removesuffix("}")
    assert re.search(r":v?\d+\.\d+[\w.-]*$", image), image


def test_workers_reach_neither_the_databases_nor_the_store() -> None:
    assert SERVICES["prefect-worker"]["networks"] == ["pipeline"]
    assert {name for name, service in SERVICES.items() if "stores" in service.get("networks", ())} == {
        *("postgres", "object-store", "prepare", "lakefs", "prefect-server")
    }
    assert yaml.safe_load(TEXT)["networks"]["stores"] == {"internal": True}


def test_the_check_has_a_worker_of_its_own_with_the_same_lake_and_prefect() -> None:
    check, worker = SERVICES["check-worker"], SERVICES["prefect-worker"]
    deployed = yaml.safe_load((PROJECT_DIR / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    (queue,) = (one["work_pool"]["work_queue_name"] for one in deployed if one["name"] == "nightly-check")
    command = ["prefect", "worker", "start", "--pool", "etl-pool", "--work-queue", queue, "--limit", "1"]
    assert check["command"] == [*command, "--with-healthcheck"]
    assert [one["name"] for one in deployed if one["work_pool"]["work_queue_name"] == queue] == ["nightly-check"]
    assert check["environment"].items() <= worker["environment"].items()
    assert (check["networks"], check["depends_on"]) == (worker["networks"], worker["depends_on"])


def test_workers_can_be_scaled() -> None:
    worker = SERVICES["prefect-worker"]
    assert not {"container_name", "hostname", "ports"} & set(worker)
    # A named volume would be shared, and a worker deletes the work directories of processes that it does not see.
    assert worker["volumes"] == ["/var/lib/elt"]


def test_prefect_requires_its_login_and_answers_its_own_pages_only() -> None:
    server = SERVICES["prefect-server"]["environment"]
    assert (
        server["PREFECT_SERVER_API_AUTH_STRING"] == SERVICES["prefect-worker"]["environment"]["PREFECT_API_AUTH_STRING"]
    )
    assert server["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"] == "${STACK_PREFECT_URL:-http://127.0.0.1:4200}"
    assert server["PREFECT_SERVER_CSRF_PROTECTION_ENABLED"] == "true"


def test_links_to_runs_lead_to_the_published_pages() -> None:
    # Without it Prefect derives the address from that of the API, which only containers can reach.
    worker = SERVICES["prefect-worker"]["environment"]
    assert worker["PREFECT_UI_URL"] == "${STACK_PREFECT_URL:-http://127.0.0.1:4200}"


def test_lakefs_is_the_pinned_one_wherever_it_is_built() -> None:
    assert f"treeverse/lakefs:{LAKEFS_VERSION}" in SERVICES["lakefs"]["image"]
    built = (MODULE / "Dockerfile").read_text(encoding="utf-8")
    assert set(re.findall(r"1\.\d+\.\d+", built)) == {
        LAKEFS_VERSION,
        re.findall(r"^go (\S+)$", (MODULE / "go.mod").read_text(), re.MULTILINE)[0],
    }


def test_lakefs_sends_nothing_home_and_owns_branches_and_writes_small_listings() -> None:
    config = yaml.safe_load((PROJECT_DIR / "deploy" / "lakefs.yaml").read_text(encoding="utf-8"))
    local: Any = configuration(Path("data"), 8000)
    assert config["committed"]["permanent"] == local["committed"]["permanent"] == {"range_raggedness_entries": 500}
    assert config["security"] == {"check_latest_version": False, "audit_check_url": ""}
    assert config["stats"] == {"enabled": False}
    assert config["graveler"]["branch_ownership"]["enabled"]
    assert "KEY" not in str(config).upper()


def test_the_image_runs_without_root_and_installs_hashed_packages() -> None:
    dockerfile = (PROJECT_DIR / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"^USER (.+)$", dockerfile, re.MULTILINE) == ["10001"]
    assert "--require-hashes --only-binary :all: -r tools/uv.txt" in dockerfile
    assert dockerfile.count("uv sync --quiet --locked --no-default-groups --group stack") == 2
    assert "HEALTHCHECK" in dockerfile
    ignored = (PROJECT_DIR / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored
    assert not [line for line in ignored if line.startswith(("!.env", "!.git"))]


def test_the_tmpfs_of_a_service_is_writable_with_a_runc_that_keeps_the_mode_of_the_folder() -> None:
    dockerfile = (PROJECT_DIR / "Dockerfile").read_text(encoding="utf-8")
    assert SERVICES["prefect-server"]["tmpfs"][0] == "/var/lib/elt:mode=1777"
    assert "-m 1777 /var/lib/elt " in dockerfile
