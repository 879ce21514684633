"""The stack of docker-compose.yml in containers: started in its order, killed, stopped, and looked into."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from prefect.client.orchestration import SyncPrefectClient
from pydantic import SecretStr

from orchestration.lake.access import LakeAccess
from orchestration.lake.client import Lake
from orchestration.lake.connection import LakeConnection
from orchestration.servers.ports import free_port
from tests.helpers.isolation import CHECKOUT
from tests.helpers.projects import RETAIL
from tests.helpers.stack import VARIABLES
from tests.stack.engine import podman, run

ONCE = ("check", "prepare", "init")
PORTS = ("STACK_LAKEFS_PORT", "STACK_PREFECT_PORT", "STACK_DOCS_PORT")
OVERRIDE = Path(__file__).with_name("override.yml")

_HEALTHY_LIMIT = 180.0
_PAUSE = 0.5


class ServiceFailed(AssertionError):
    """A one-shot service ended with an error, or a server did not become healthy."""

    def __init__(self, service: str, text: str) -> None:
        super().__init__(f"{service}: {text}")
        self.service = service
        self.text = text


@dataclass
class Deployment:
    """One stack: a name for its containers and volumes, the variables of its `.env`, and its compose files.

    Attributes:
        name: Compose's project name.
        folder: Where its `.env` is written.
        variables: The variables of the `.env`.
        files: The compose files after those of the project and before the tests' own.
    """

    name: str
    folder: Path
    variables: dict[str, str] = field(default_factory=dict, repr=False)
    files: Sequence[str] = ()

    def __post_init__(self) -> None:
        ports = {name: str(free_port(())) for name in PORTS}
        prefect = {"STACK_PREFECT_URL": f"http://127.0.0.1:{ports['STACK_PREFECT_PORT']}"}
        shop = {"SHOP_API_URL": "http://shop:8900", "TESTS_RETAIL": str(RETAIL.resolve())}
        self.variables = {**VARIABLES, **ports, **prefect, **shop, "ELT_RETRY_WAIT": "1", **self.variables}

    @property
    def services(self) -> dict[str, Any]:
        """The services of docker-compose.yml."""
        text = (CHECKOUT / "docker-compose.yml").read_text(encoding="utf-8")
        found: dict[str, Any] = yaml.safe_load(text)["services"]
        return found

    def compose(self, *arguments: str, check: bool = True) -> str:
        """Run podman-compose with the project's files, and return all that it writes."""
        file = self.folder / ".env"
        file.write_text("".join(f"{name}={value}\n" for name, value in self.variables.items()))
        file.chmod(0o600)
        files = [
            str(CHECKOUT / name) for name in ("docker-compose.yml", "docker-compose.override.yml", *self.files)
        ] + [str(OVERRIDE)]
        options = [part for name in files for part in ("--file", name)]
        ended = run(
            *(sys.executable, "-m", "podman_compose", "--project-name", self.name, "--in-pod", "false"),
            *("--env-file", str(file), *options, *arguments),
            check=check,
            folder=CHECKOUT,
        )
        return ended.stdout + ended.stderr

    def levels(self) -> Iterator[list[str]]:
        """Yield the services in groups, each of which depends on earlier groups only."""
        waiting = {name: set(service.get("depends_on", ())) for name, service in self.services.items()}
        waiting["shop"] = set()
        while waiting:
            ready = sorted(name for name, needs in waiting.items() if not needs & waiting.keys())
            yield ready
            for name in ready:
                del waiting[name]

    def up(self, *, workers: int = 1, until: str = "", note: Callable[[str], None] = print) -> None:
        """Start the services as `docker compose up` does, each when those that it depends on are ready.

        Args:
            workers: The number of workers.
            until: The last service to start; all unless given.
            note: Takes a line for each group of services.

        Raises:
            ServiceFailed: A service ended with an error, or did not become healthy.
        """
        for names in self.levels():
            begun = time.monotonic()
            self.start(*names, workers=workers)
            note(f"{', '.join(names)}: ready {time.monotonic() - begun:.1f} s after being started")
            if until in names:
                return

    def start(self, *names: str, workers: int = 1) -> None:
        """Start services, and wait until the one-shot ones have ended and the others are healthy."""
        scale = ("--scale", f"prefect-worker={workers}") if "prefect-worker" in names else ()
        said = self.compose("up", "--detach", "--no-build", "--no-deps", *scale, *names, check=False)
        for name in names:
            if name in ONCE:
                self._ended(name, said)
            else:
                self.healthy(name, said)

    def _ended(self, name: str, said: str) -> None:
        if not self.containers(name):
            raise ServiceFailed(name, f"not created: {said}")
        code = podman("wait", self.containers(name)[0], limit=_HEALTHY_LIMIT)
        if code != "0":
            raise ServiceFailed(name, self.logs(name))

    def healthy(self, name: str, said: str = "") -> None:
        """Wait until all containers of a service are healthy by their health check."""
        names = self.containers(name)
        if not names:
            raise ServiceFailed(name, f"not created: {said}")
        for container in names:
            try:
                eventually(partial(self._is_healthy, container), _HEALTHY_LIMIT)
            except TimeoutError as late:
                raise ServiceFailed(name, f"not healthy: {said}\n{podman('logs', container)}") from late

    def _is_healthy(self, container: str) -> bool:
        return run("podman", "healthcheck", "run", container, check=False, limit=60).returncode == 0

    def containers(self, name: str) -> list[str]:
        """Return the names of a service's containers, the first first."""
        labels = (f"label=com.docker.compose.project={self.name}", f"label=com.docker.compose.service={name}")
        filters = [part for label in labels for part in ("--filter", label)]
        return sorted(podman("ps", "--all", *filters, "--format", "{{.Names}}").split())

    def logs(self, name: str) -> str:
        """Return what the last start of a service wrote."""
        container = self.containers(name)[0]
        since = podman("inspect", "--format", '{{.State.StartedAt.Format "2006-01-02T15:04:05Z07:00"}}', container)
        ended = run("podman", "logs", "--since", since, container, check=False)
        return ended.stdout + ended.stderr

    def kill(self, name: str) -> None:
        """Crash a service: send SIGKILL to the first process of each container, without the knowledge of podman."""
        for container in self.containers(name):
            os.kill(int(podman("inspect", "--format", "{{.State.Pid}}", container)), signal.SIGKILL)

    def restarted(self, name: str) -> None:
        """Wait until a killed service is up again, by its restart policy or else by being started."""
        for container in self.containers(name):
            try:
                eventually(partial(self._is_running, container), 10)
            except TimeoutError:
                podman("start", container)
        self.healthy(name)

    def _is_running(self, container: str) -> bool:
        return podman("inspect", "--format", "{{.State.Running}}", container) == "true"

    def execute(self, name: str, *command: str, text: str | None = None, index: int = 0, limit: float = 300) -> str:
        """Run a command in a container of a service."""
        interactive = ("--interactive",) if text is not None else ()
        return podman("exec", *interactive, self.containers(name)[index], *command, text=text, limit=limit)

    def down(self, *, volumes: bool = False) -> None:
        """Stop and remove the containers and networks, and with `volumes` the volumes."""
        # podman-compose stops the first container of each service only.
        for container in self.containers("prefect-worker")[1:]:
            podman("rm", "--force", "--time", "20", container)
        self.compose("down", "--timeout", "20", *(("--volumes",) if volumes else ()), check=False)

    @contextmanager
    def lake(self) -> Iterator[Lake]:
        """Open the stack's repository through the published port."""
        keys = (SecretStr(self.variables[f"STACK_LAKEFS_{part}_KEY"]) for part in ("ACCESS", "SECRET"))
        access = LakeAccess(f"http://127.0.0.1:{self.variables['STACK_LAKEFS_PORT']}", *keys)
        connection = LakeConnection(access, timeout=60)
        try:
            yield Lake(connection, "project")
        finally:
            connection.close()

    @contextmanager
    def prefect(self) -> Iterator[SyncPrefectClient]:
        """Open Prefect's API through the published port."""
        url = f"{self.variables['STACK_PREFECT_URL']}/api"
        with SyncPrefectClient(url, auth_string=f"elt:{self.variables['STACK_PREFECT_PASSWORD']}") as client:
            yield client


def eventually(holds: Callable[[], bool], limit: float) -> None:
    """Wait until a condition holds.

    Raises:
        TimeoutError: It does not within `limit` seconds.
    """
    end = time.monotonic() + limit
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(_PAUSE)


def inspected(container: str) -> Mapping[str, Any]:
    """Return what podman knows of a container."""
    found: list[Mapping[str, Any]] = json.loads(podman("inspect", container))
    return found[0]
