"""Fronts: parts that pass a request on to one other component, their ``targets``. Which part leads where."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

from lab.errors import ScenarioError
from lab.scenario.components import Cdn, Component, Envoy, LoadBalancer, Nginx, RateLimiter, Service, WaitingRoom
from lab.scenario.problems import listed_names

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario

Balancer = LoadBalancer | Nginx | Envoy  # chooses between the replicas of a service
Front = Balancer | Cdn | RateLimiter | WaitingRoom  # or passes on to one callable component
Callable = Front | Service  # whom clients and `call` steps may ask


def leads_to(scenario: Scenario, name: str) -> tuple[str, ...]:
    """Return the names from this one on, each the target of the one before it, as far as they lead.

    The last one is no front, or stands in the list already (fronts in a circle), or is no name of a component.
    """
    way = [name]
    component = scenario.components.get(name)
    while isinstance(component, Front):
        way.append(component.targets)
        if component.targets in way[:-1]:
            break
        component = scenario.components.get(component.targets)
    return tuple(way)


def found_behind(scenario: Scenario, name: str) -> Service | None:
    """Return the service that a component leads to: itself, or the one behind it; None if it leads to none."""
    component = scenario.components.get(leads_to(scenario, name)[-1])
    return component if isinstance(component, Service) else None


def service_name_behind(scenario: Scenario, name: str) -> str:
    """Return the name of the service that a component leads to: its own, or that of the one behind it.

    Raises:
        ScenarioError: the component leads to no service, or there is none of this name.
    """
    last = leads_to(scenario, name)[-1]
    if isinstance(scenario.components.get(last), Service):
        return last
    known = listed_names(scenario.components, Front, Service)
    raise ScenarioError(f"components.{name}: not a load balancer or service of this scenario (there are: {known})")


def service_behind(scenario: Scenario, name: str) -> Service:
    """Return the service that a component leads to: itself, or the one behind it.

    Raises:
        ScenarioError: the component leads to no service, or there is none of this name.
    """
    service = scenario.components[service_name_behind(scenario, name)]
    assert isinstance(service, Service)  # what the name was looked up for
    return service


def is_callable(component: Component | None) -> TypeGuard[Callable]:
    """Whether clients and ``call`` steps may ask this component."""
    return isinstance(component, Callable)
