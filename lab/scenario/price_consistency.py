"""Whether prices are of something that the scenario has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lab.scenario.components import Component, Service
from lab.scenario.fronts import found_behind
from lab.scenario.objectives import CostObjective
from lab.scenario.problems import Path, Problem, shown
from lab.scenario.serverless import ServerlessAutoscaler

if TYPE_CHECKING:
    from lab.scenario.prices import Price
    from lab.scenario.scenario import Scenario


def price_problems(scenario: Scenario) -> Iterator[Problem]:
    """Yield prices of what is not there, and objectives on costs without a price."""
    for name, price in scenario.prices.of.items() if scenario.prices else ():
        where: Path = ("prices", "of", name)
        if name not in scenario.components:
            message = f"{shown(name)} is not a component of this scenario (there are: {', '.join(scenario.components)})"
            yield Problem(path=where, message=message)
            continue
        yield from _unfit(scenario, name, price, where)
    for number, objective in enumerate(scenario.objectives):
        if isinstance(objective, CostObjective):
            yield from _unpriced(scenario, objective, ("objectives", number))


def _unfit(scenario: Scenario, name: str, price: Price, where: Path) -> Iterator[Problem]:
    if price.per_replica_hour is not None and not isinstance(scenario.components[name], Service):
        message = "only a service has replicas that are counted; give per_hour for what is there all the time"
        yield Problem(path=(*where, "per_replica_hour"), message=message)
    if price.per_gb_second is not None and not _is_serverless(scenario.components[name]):
        message = "only a service with a serverless autoscaler is charged by what its invocations take"
        yield Problem(path=(*where, "per_gb_second"), message=message)
    if price.per_gib is None:
        return
    service = found_behind(scenario, scenario.entry)
    if name != scenario.entry:
        message = f"only what goes to the clients is counted in bytes, and it leaves through {scenario.entry!r}"
        yield Problem(path=(*where, "per_gib"), message=message)
    elif service is not None and not any(payload.response for payload in service.payloads.values()):
        message = "has no effect, as no answer has a size; give the service behind it payloads with a response"
        yield Problem(path=(*where, "per_gib"), message=message)


def _is_serverless(component: Component) -> bool:
    return isinstance(component, Service) and isinstance(component.autoscaler, ServerlessAutoscaler)


def _unpriced(scenario: Scenario, objective: CostObjective, where: Path) -> Iterator[Problem]:
    if scenario.prices is None:
        yield Problem(path=where, message="nothing has a price; add prices to the scenario")
    elif objective.component is not None and objective.component not in scenario.prices.of:
        message = f"{shown(objective.component)} has no price (these have: {', '.join(scenario.prices.of)})"
        yield Problem(path=(*where, "component"), message=message)
