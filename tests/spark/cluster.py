"""A real Spark cluster on this machine, master and workers from the pyspark wheel, and runs that use it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from orchestration.servers.ports import free_port
from orchestration.settings import PROJECT_DIR

_HOST = "127.0.0.1"
_UP = 60.0
_LIMIT = 900.0


@dataclass
class Cluster:
    """A master and its workers, each a process of its own.

    Attributes:
        folder: Their logs, and the work folders of the executors.
        url: The master's URL.
        pages: The address of the master's web pages.
        workers: The processes of the workers.
    """

    folder: Path
    url: str
    pages: str
    workers: list[psutil.Process] = field(default_factory=list)

    def status(self) -> dict[str, Any]:
        """Return the status as the master reports it: workers, applications."""
        with urllib.request.urlopen(f"{self.pages}/json/", timeout=10) as response:
            found: dict[str, Any] = json.load(response)
            return found

    def alive(self) -> int:
        """Return the number of workers that the master counts as alive."""
        return sum(worker["state"] == "ALIVE" for worker in self.status()["workers"])

    def kill(self, worker: psutil.Process) -> None:
        """Kill a worker and the executors that it started."""
        for process in [worker, *worker.children(recursive=True)]:
            process.kill()
        self.workers.remove(worker)


@contextmanager
def running_cluster(folder: Path, workers: int = 2, memory: str = "1g") -> Iterator[Cluster]:
    """Start a master and workers with one core each, and stop them at the end."""
    started: list[subprocess.Popen[bytes]] = []
    port, web = free_port(()), free_port(())

    def start(name: str, *arguments: str) -> psutil.Process:
        log = (folder / f"{name}.log").open("wb")
        command = [str(_home() / "bin" / "spark-class"), *arguments]
        started.append(subprocess.Popen(command, env=_environment(), cwd=folder, stdout=log, stderr=log))
        log.close()
        return psutil.Process(started[-1].pid)

    cluster = Cluster(folder, f"spark://{_HOST}:{port}", f"http://{_HOST}:{web}")
    try:
        package = "org.apache.spark.deploy"
        start("master", f"{package}.master.Master", "--host", _HOST, "--port", str(port), "--webui-port", str(web))
        _until(lambda: cluster.status() is not None)
        for number in range(workers):
            options = ("--host", _HOST, "--cores", "1", "--memory", memory, "--webui-port", str(free_port(())))
            work = ("--work-dir", str(folder / f"work-{number}"))
            cluster.workers.append(start(f"worker-{number}", f"{package}.worker.Worker", *options, *work, cluster.url))
        _until(lambda: cluster.alive() == workers)
        yield cluster
    finally:
        for process in started:
            for child in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else ():
                child.kill()
            process.kill()
            process.wait()


def _home() -> Path:
    import pyspark

    return Path(pyspark.__file__).parent


def _environment() -> dict[str, str]:
    return {**os.environ, "SPARK_HOME": str(_home()), "SPARK_LOCAL_IP": _HOST}


def _until(holds: Any) -> None:
    end = time.monotonic() + _UP
    while True:
        try:
            if holds():
                return
        except OSError:
            pass
        if time.monotonic() > end:
            raise AssertionError("the cluster did not start")
        time.sleep(0.2)


@contextmanager
def publishing(dates: Sequence[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Publish dates one after the other in a process of their own, which is killed at the end."""
    command = [sys.executable, "-m", "tests.spark.publish", *dates]
    # Spark's driver must be reachable for the workers at the address where they are.
    variables = {**os.environ, "SPARK_LOCAL_IP": _HOST, "SPARK_LOCAL_HOSTNAME": _HOST, **environment}
    with subprocess.Popen(
        command, env=variables, cwd=PROJECT_DIR, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        try:
            yield running
        finally:
            for child in psutil.Process(running.pid).children(recursive=True) if running.poll() is None else ():
                child.kill()
            running.kill()


def publish(dates: Sequence[str], environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """Publish dates, and return the outcome of each: see `tests.spark.publish`."""
    with publishing(dates, environment) as running:
        return ended(running)


def ended(running: subprocess.Popen[str]) -> list[dict[str, Any]]:
    """Wait for the end of `publishing`, and return the outcomes."""
    out, err = running.communicate(timeout=_LIMIT)
    assert running.returncode == 0, err[-3_000:]
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]
