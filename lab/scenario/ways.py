"""Who asks whom over a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.scenario.components import Cache, Database, Service
from lab.scenario.service import every_step
from lab.scenario.steps import asked

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario


def ways(scenario: Scenario) -> tuple[tuple[str, str], ...]:
    """Return each service with each component that it asks, once: services, balancers, caches, databases, queues.

    A cache that lives in each process is asked over no network, and neither is a file.
    """
    found = (
        (name, other)
        for name, service in scenario.components.items()
        if isinstance(service, Service)
        for step in every_step(service)
        if (other := asked(step)) is not None and not _is_local(scenario, other)
    )
    return tuple(dict.fromkeys(found))


def _is_local(scenario: Scenario, name: str) -> bool:
    component = scenario.components.get(name)
    match component:
        case Cache(scope="replica") | Database(engine="sqlite"):
            return True
        case _:
            return False
