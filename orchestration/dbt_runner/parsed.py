"""The parsed dbt project: what a run must know of it before dbt is imported, and the manifest when it is needed.

A plan needs the code digest and the keys of the outputs, which are saved beside the manifest. dbt and the manifest take
1.5 s to load, and the first step of a run mostly waits for an API, so they load beside it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING

from orchestration.dbt_runner.manifest import (
    DATE_SELECTOR,
    MARTS_SELECTOR,
    code_digest,
    expand,
    load_manifest,
    models_of,
    published_models,
    read_manifest,
    saved_manifest,
)
from orchestration.dbt_runner.session import Project
from orchestration.errors import PlatformFailed
from orchestration.imports import heavy_imports
from orchestration.log import SILENT, Log
from orchestration.settings import ENGINES, EngineName
from orchestration.workdir import replace_file

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

_SWITCH_INTERVAL = 0.0001
"""Seconds. With Python's 5 ms, each piece of a download would wait that long for the thread that imports."""


@dataclass(frozen=True)
class Selected:
    """What a selector builds.

    Attributes:
        codes: The digest of its SQL and macros on each engine: see `manifest.code_digest`.
        keys: The keys of its Parquet, as `manifest.expand` takes them.
    """

    codes: Mapping[EngineName, str]
    keys: tuple[str, ...]

    def outputs(self, execution_date: str = "", files: Iterable[str] = ()) -> frozenset[str]:
        """Return the keys of its Parquet for a date, or for marts that have these files by date."""
        names = tuple(files)
        return frozenset(key for template in self.keys for key in expand(template, execution_date, names))


class ParsedProject:
    """A parsed project.

    Args:
        saved: The file of its manifest.
        selected: What each selector builds.
        manifest: The manifest, if it is loaded.
        adapter: The module of the target's dbt adapter.
    """

    def __init__(
        self,
        saved: Path,
        selected: Mapping[str, Selected],
        manifest: Manifest | None = None,
        adapter: str = "dbt.adapters.duckdb",
    ) -> None:
        self.selected = selected
        self._saved = saved
        self._adapter = adapter
        self._lock = Lock()
        self._manifest: Future[Manifest] | None = None
        if manifest is not None:
            self._manifest = Future()
            self._manifest.set_result(manifest)

    @property
    def manifest(self) -> Manifest:
        """Return the manifest, loading it unless that has begun.

        Raises:
            PlatformFailed: Its file was removed since it was saved.
        """
        return self.load_ahead().result()

    def load_ahead(self) -> Future[Manifest]:
        """Begin to load dbt and the manifest in a thread, and return what `manifest` waits for."""
        with self._lock:
            if self._manifest is None:
                self._manifest = Future()
                Thread(target=self._load, args=(self._manifest,), name="load-dbt").start()
            return self._manifest

    def _load(self, future: Future[Manifest]) -> None:
        try:
            with _quick_switches(), heavy_imports():
                for module in (self._adapter, "dbt.cli.main"):
                    import_module(module)
                future.set_result(read_manifest(self._saved))
        except FileNotFoundError as error:
            failed = PlatformFailed(f"{self._saved} was removed during the run", remedy="run again")
            failed.__cause__ = error
            future.set_exception(failed)
        except BaseException as error:
            future.set_exception(error)


def parsed_project(
    project: Project,
    *,
    state_dir: Path,
    environment: Mapping[str, str],
    log: Log = SILENT,
    adapter: str = "dbt.adapters.duckdb",
) -> ParsedProject:
    """Return the parsed project, as it was saved in `state_dir`; else parse it. The arguments are `load_manifest`'s.

    `adapter` is the module of the target's dbt adapter.

    Raises:
        UsageError: The project does not parse, or has no selector for its dates.
        DiskFailed: Files could not be written.
    """
    saved = saved_manifest(project, state_dir, environment)
    summary = saved.with_suffix(".json")
    if saved.exists() and (selected := _read(summary)):
        return ParsedProject(saved, selected, adapter=adapter)
    manifest = load_manifest(project, state_dir=state_dir, environment=environment, log=log)
    selected = {
        selector: Selected(
            {engine: code_digest(manifest, models_of(manifest, selector), engine) for engine in ENGINES},
            tuple(sorted(published_models(manifest, selector, "{date}", ["{file}"]))),
        )
        for selector in (DATE_SELECTOR, MARTS_SELECTOR)
    }
    text = json.dumps({selector: asdict(found) for selector, found in selected.items()})
    replace_file(summary, text.encode())
    return ParsedProject(saved, selected, manifest, adapter)


def _read(summary: Path) -> dict[str, Selected]:
    try:
        found = json.loads(summary.read_bytes())
        return {selector: Selected(one["codes"], tuple(one["keys"])) for selector, one in found.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


@contextmanager
def _quick_switches() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
