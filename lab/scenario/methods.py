"""Which endpoints change something, so that what stands before them may not send a request twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from lab.scenario.components import Database
from lab.scenario.fronts import service_behind
from lab.scenario.steps import (
    CachedStep,
    CallStep,
    CpuStep,
    InvalidateStep,
    ParallelStep,
    PublishStep,
    QueryStep,
    StepSpec,
    ThreadStep,
    TransactionStep,
    WaitStep,
    walk,
)

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario


def changes_something(scenario: Scenario, target: str, endpoint: str) -> bool:
    """Return whether an endpoint, or one that it calls, inserts, publishes or invalidates: then it is a POST.

    Args:
        scenario: whose calls end.
        target: a service, or what leads to one.
        endpoint: of that service.
    """
    steps = service_behind(scenario, target).endpoints[endpoint]
    return any(_changes(scenario, step) for step in walk(steps))


def _changes(scenario: Scenario, step: StepSpec) -> bool:
    match step:
        case QueryStep():
            database = scenario.components[step.database]
            return isinstance(database, Database) and database.queries[step.query].statement == "insert"
        case PublishStep() | InvalidateStep():
            return True
        case CallStep():
            return changes_something(scenario, step.target, step.endpoint)
        case CpuStep() | WaitStep():
            return False
        case CachedStep() | TransactionStep() | ThreadStep() | ParallelStep():
            return False  # `walk` yields what is nested in them
        case _:
            assert_never(step)
