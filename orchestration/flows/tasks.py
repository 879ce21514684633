"""Run steps of the run protocol as Prefect tasks."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State

from orchestration.errors import IngestCleanError
from orchestration.flows.states import failed_state

P = ParamSpec("P")
R = TypeVar("R")


def step_task(step: Callable[P, R], name: str) -> Callable[P, R]:
    """Return a function of the same signature that runs the step as a Prefect task.

    An error of this package becomes the task's state, named for its outcome, and is raised in the flow. Otherwise
    Prefect would log its text and traceback three times. The arguments are hidden from Prefect, which would walk
    through every object in them: a parsed dbt project has about 48,000.
    """

    @wraps(step)
    def run_step(*args: P.args, **kwargs: P.kwargs) -> R:
        # Steps hold connections and files of this run, so results are neither cached nor stored. Retries happen
        # inside.
        @task(name=name, cache_policy=NO_CACHE, persist_result=False)
        def as_task() -> Any:
            try:
                return step(*args, **kwargs)
            except IngestCleanError as error:
                # The flow run's state has the complete text.
                return failed_state(error, error.cause.partition("\n")[0], data=error)

        state: State[Any] = as_task(return_state=True)
        result = state.result(raise_on_failure=False)
        if isinstance(result, IngestCleanError):
            raise result
        if isinstance(result, BaseException):
            raise result
        return result  # type: ignore[no-any-return]

    return run_step
