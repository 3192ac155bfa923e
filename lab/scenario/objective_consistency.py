"""Whether objectives are about something that the scenario has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lab.scenario.components import Cache, Service
from lab.scenario.mix import named_endpoints
from lab.scenario.objectives import CostObjective, RatioObjective, RecoveryTimeObjective, ReplicaSecondsObjective
from lab.scenario.problems import Path, Problem, shown
from lab.scenario.service import fan_outs

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario


def objective_problems(scenario: Scenario) -> Iterator[Problem]:
    """Yield what is wrong with the objectives of a scenario."""
    endpoints = named_endpoints(scenario.workload)
    for number, objective in enumerate(scenario.objectives):
        where: Path = ("objectives", number)
        if isinstance(objective, ReplicaSecondsObjective):
            yield from _unless(scenario, objective.component, Service, where)
            continue
        if isinstance(objective, CostObjective):
            continue  # judged with the prices
        if objective.endpoint is not None and endpoints and objective.endpoint not in endpoints:
            message = f"clients never call {shown(objective.endpoint)} (they call: {', '.join(endpoints)})"
            yield Problem(path=(*where, "endpoint"), message=message)
        if isinstance(objective, RatioObjective) and objective.component is not None:
            yield from _of_component(scenario, objective, objective.component, where)
        if isinstance(objective, RecoveryTimeObjective) and objective.after >= scenario.run.duration:
            message = f"the run is over at {scenario.run.duration:g} s, so there is nothing to time"
            yield Problem(path=(*where, "after"), message=message)


def _of_component(scenario: Scenario, objective: RatioObjective, name: str, where: Path) -> Iterator[Problem]:
    if objective.metric == "hit_ratio":
        yield from _unless(scenario, name, Cache, where)
        return
    yield from _unless(scenario, name, Service, where)
    service = scenario.components.get(name)
    if isinstance(service, Service) and not fan_outs(service):
        message = (
            f"{shown(name)} has no parallel step that could get less than all: none has a wait_for, a timeout or "
            "on_failure: partial"
        )
        yield Problem(path=(*where, "component"), message=message)


def _unless(scenario: Scenario, name: str, kind: type[Cache | Service], where: Path) -> Iterator[Problem]:
    if not isinstance(scenario.components.get(name), kind):
        known = [each for each, component in scenario.components.items() if isinstance(component, kind)]
        word = kind.__name__.lower()
        message = f"{shown(name)} is not a {word} ({word}s: {', '.join(known) or 'none'})"
        yield Problem(path=(*where, "component"), message=message)
