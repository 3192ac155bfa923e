"""Who asks whom over a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.scenario.components import Cache, Cdn, Database, Service
from lab.scenario.service import every_step
from lab.scenario.steps import asked

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario


def ways(scenario: Scenario) -> tuple[tuple[str, str], ...]:
    """Return each service with each component that it asks, once, and each cdn with what is behind it.

    A cache that lives in each process is asked over no network, and neither is a file.
    """
    found = (
        (name, other)
        for name, service in scenario.components.items()
        if isinstance(service, Service)
        for step in every_step(service)
        if (other := asked(step)) is not None and not _is_local(scenario, other)
    )
    fetched = ((name, cdn.targets) for name, cdn in scenario.components.items() if isinstance(cdn, Cdn))
    return (*dict.fromkeys(found), *fetched)


def _is_local(scenario: Scenario, name: str) -> bool:
    component = scenario.components.get(name)
    match component:
        case Cache(scope="replica") | Database(engine="sqlite"):
            return True
        case _:
            return False
