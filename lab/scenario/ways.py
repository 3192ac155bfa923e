"""Who asks whom over a network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, assert_never

from lab.scenario.components import Cache, Service
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


def ways(scenario: Scenario) -> tuple[tuple[str, str], ...]:
    """Return each service with each component that it asks, once: services, balancers, caches, databases, queues.

    A cache that lives in each process is asked over no network.
    """
    found = (
        (name, asked)
        for name, service in scenario.components.items()
        if isinstance(service, Service)
        for endpoint in service.endpoints.values()
        for step in walk(endpoint)
        for asked in _asked(step)
        if not _is_local(scenario, asked)
    )
    return tuple(dict.fromkeys(found))


def _is_local(scenario: Scenario, name: str) -> bool:
    component = scenario.components.get(name)
    return isinstance(component, Cache) and component.scope == "replica"


def _asked(step: StepSpec) -> Iterator[str]:
    match step:
        case CallStep():
            yield step.target
        case QueryStep() | TransactionStep():
            yield step.database
        case CachedStep() | InvalidateStep():
            yield step.cache
        case PublishStep():
            yield step.queue
        case CpuStep() | WaitStep() | ThreadStep() | ParallelStep():
            return
        case _:
            assert_never(step)
