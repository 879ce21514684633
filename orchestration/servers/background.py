"""One local server: start it in the background, wait until it answers, stop it, remove its data."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.errors import ServerFailed
from orchestration.servers import ports, process
from orchestration.servers.files import last_lines
from orchestration.servers.health import Answers, health_checks
from orchestration.servers.model import Server, ServerSpec, State

if TYPE_CHECKING:
    from orchestration.log import Log
    from orchestration.settings import Settings

_POLL = 0.1
_REPORT_EVERY = 5.0
_CHECK_TIMEOUT = 2.0
_STOP_WAIT = 15.0
_PORT_TRIES = 3


class LocalServer:
    """The local server of a spec, with its data in the state folder of these settings."""

    def __init__(self, spec: ServerSpec, settings: Settings) -> None:
        self.spec = spec
        self.settings = settings
        self.data = settings.state_dir / spec.name
        self.log = settings.state_dir / "logs" / f"{spec.name}.log"
        self.pid_file = settings.state_dir / "run" / f"{spec.name}.json"

    @property
    def last_url(self) -> str | None:
        """Return its current or last endpoint."""
        last = process.read(self.pid_file)
        return last.url if last else None

    @property
    def running_url(self) -> str | None:
        """Return the endpoint of its process if that is alive, whether or not it answers."""
        running = process.running(self.pid_file)
        return running.url if running else None

    def status(self) -> Server:
        """Return its current state; takes up to 2 s if it does not answer."""
        running = process.running(self.pid_file)
        if not running:
            return Server(self.spec.name, self.last_url, "stopped", log=self._log())
        with health_checks(timeout=_CHECK_TIMEOUT, proxies=False) as answers:
            return self._server(running, "running" if self._serves(running, answers) else "unhealthy")

    def start(self, log: Log) -> None:
        """Start it unless its process is alive, without waiting until it answers.

        Raises:
            ServerFailed: It cannot be built or run.
        """
        if process.running(self.pid_file):
            return
        launch = self.spec.prepare(self.settings, self.data, log)
        last = process.read(self.pid_file)
        port = ports.free_port([last.port, self.spec.port] if last else [self.spec.port])
        url = f"http://{ports.HOST}:{port}{self.spec.path}"
        log.info(f"starting {self.spec.title} at {url}")
        how = launch(port)
        process.start(
            how.arguments, env=how.env, cwd=self.data, log=self.log, pid_file=self.pid_file, port=port, url=url
        )

    def wait(self, log: Log) -> Server:
        """Wait until it answers. Start it again if another program took its port, or if its spec can repair it.

        Raises:
            ServerFailed: It ended, or did not answer in time; in the latter case it is left running.
        """
        begun = reported = time.monotonic()
        tries = _PORT_TRIES
        with health_checks(timeout=_CHECK_TIMEOUT, proxies=False) as answers:
            while True:
                running = process.running(self.pid_file)
                waited = time.monotonic() - begun
                if running and self._serves(running, answers):
                    log.info(f"{self.spec.title} is up at {running.url}")
                    return self._server(running, "running")
                if running and waited > self.spec.limit:
                    raise ServerFailed(
                        f"{self.spec.title} at {running.url} does not answer after {waited:.0f} s; "
                        f"the end of {self.log}:\n{last_lines(self.log)}",
                        remedy="wait for it again with `elt up`, or stop it with `elt down`",
                    )
                if running and tries and self._has_lost_its_port(running, answers):
                    process.stop(running, _STOP_WAIT)
                    continue
                if not running:
                    tries -= 1
                    self._restart(log, tries)
                    begun = time.monotonic()
                elif time.monotonic() - reported > _REPORT_EVERY:
                    reported = time.monotonic()
                    log.info(f"waiting for {self.spec.title}, {waited:.0f} s")
                time.sleep(_POLL)

    def stop(self, log: Log) -> None:
        """Stop it if it runs.

        Raises:
            ServerFailed: It cannot be stopped.
        """
        running = process.running(self.pid_file)
        if not running:
            log.info(f"{self.spec.title} is not running")
            return
        process.stop(running, _STOP_WAIT)
        log.info(f"stopped {self.spec.title} (process {running.pid})")

    def purge(self, log: Log) -> None:
        """Remove its data, keys, logs and pid file. It must be stopped."""
        if self.data.exists():
            shutil.rmtree(self.data)
            log.info(f"removed {self.data}")
        for path in (self.pid_file, self.log, process.previous_log(self.log)):
            path.unlink(missing_ok=True)

    def _restart(self, log: Log, tries: int) -> None:
        last = process.read(self.pid_file)
        if tries and last and not ports.is_free(last.port):
            log.info(f"port {last.port} has been taken by another program")
            self.start(log)
            return
        if tries and self.spec.repair(self.data, self.log):
            log.info(f"{self.spec.title} was interrupted during its first start; starting again")
            self.start(log)
            return
        raise ServerFailed(
            f"{self.spec.title} ended while starting; the end of {self.log}:\n{last_lines(self.log)}",
            remedy=f"see the log, {self.log}, then `elt up`",
        )

    def _has_lost_its_port(self, running: process.Process, answers: Answers) -> bool:
        """Return whether another process answers at its address: a worker still runs then, without a health page."""
        return answers(f"{running.url}{self.spec.health}") and not process.listens(running)

    def _serves(self, running: process.Process, answers: Answers) -> bool:
        return answers(f"{running.url}{self.spec.health}") and process.listens(running)

    def _server(self, running: process.Process, state: State) -> Server:
        return Server(self.spec.name, running.url, state, running.pid, self._log())

    def _log(self) -> Path | None:
        return self.log if self.log.exists() else None
