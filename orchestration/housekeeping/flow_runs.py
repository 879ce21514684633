"""Ask Prefect which flow runs have not ended, so that no branch of a live run is removed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from uuid import UUID

from orchestration.endpoints import use_prefect
from orchestration.errors import IngestCleanError
from orchestration.project import is_of_another
from orchestration.settings import Settings
from orchestration.text import one_line

_PAGE = 200
_STARTED = ("PENDING", "RUNNING", "CANCELLING", "PAUSED")


@dataclass(frozen=True)
class FlowRuns:
    """What Prefect says of flow runs.

    Attributes:
        unfinished: The ids, of those it was asked for, that have not ended. A run that it does not know has ended.
        any_started: Whether any other flow run of the project, or of an unknown one, has started and not ended.
        problem: Why Prefect did not say; empty if it did.
    """

    unfinished: frozenset[str] = frozenset()
    any_started: bool = False
    problem: str = ""


def read_flow_runs(ids: Collection[str], project: str, own: str = "") -> FlowRuns:
    """Return which flow runs have not ended, as the Prefect says that this process uses.

    Args:
        ids: The ids to ask for. Text that is not an id is ignored.
        project: The project that asks. Runs of others do not matter.
        own: The id of the flow run that asks.
    """
    try:
        return FlowRuns(frozenset(_unfinished(sorted(_uuids(ids), key=str))), _any_started(project, own))
    except Exception as error:
        return FlowRuns(problem=one_line(f"{type(error).__name__}: {error}"))


def configured_flow_runs(settings: Settings, ids: Collection[str]) -> FlowRuns:
    """Return the same from the Prefect that the settings select."""
    try:
        use_prefect(settings)
    except IngestCleanError as error:
        return FlowRuns(problem=one_line(error.cause))
    return read_flow_runs(ids, settings.project)


def _uuids(ids: Collection[str]) -> Iterator[UUID]:
    for text in set(ids):
        try:
            yield UUID(text)
        except ValueError:
            continue


def _unfinished(ids: list[UUID]) -> Iterator[str]:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    with get_client(sync_client=True) as client:
        for first in range(0, len(ids), _PAGE):
            wanted = FlowRunFilter(id=FlowRunFilterId(any_=ids[first : first + _PAGE]))
            for run in client.read_flow_runs(flow_run_filter=wanted, limit=_PAGE):
                if not (run.state and run.state.is_final()):
                    yield str(run.id)


def _any_started(project: str, own: str) -> bool:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
    from prefect.client.schemas.objects import StateType

    started = FlowRunFilterStateType(any_=[StateType(name) for name in _STARTED])
    with get_client(sync_client=True) as client:
        offset, more = 0, True
        while more:
            found = client.read_flow_runs(
                flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=started)), limit=_PAGE, offset=offset
            )
            if any(str(run.id) != own and not is_of_another(run.tags, project) for run in found):
                return True
            offset, more = offset + _PAGE, len(found) == _PAGE
    return False
