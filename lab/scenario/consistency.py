"""Whether the parts of a scenario fit together: names lead somewhere, calls end, nothing is without effect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, assert_never

from lab.scenario import (
    balancer_consistency,
    cdn_consistency,
    channel_consistency,
    database_consistency,
    envoy_consistency,
    front_consistency,
    nginx_consistency,
)
from lab.scenario.asking import client_problems
from lab.scenario.cache_consistency import cache_problems, looked_up_twice
from lab.scenario.channels import Channel
from lab.scenario.components import Cache, Cdn, Database, Envoy, LoadBalancer, Nginx, RateLimiter, Service, WaitingRoom
from lab.scenario.demand_counts import endpoint_demands
from lab.scenario.fault_consistency import fault_problems
from lab.scenario.fronts import Balancer, Front
from lab.scenario.mix import named_keys
from lab.scenario.names import CLIENT
from lab.scenario.network_consistency import network_problems
from lab.scenario.objective_consistency import objective_problems
from lab.scenario.price_consistency import price_problems
from lab.scenario.problems import Path, Problem
from lab.scenario.references import dangling
from lab.scenario.replicas import hands_out, most_replicas, replicas_text
from lab.scenario.scaling_consistency import scaling_problems
from lab.scenario.service import every_step
from lab.scenario.service_consistency import service_problems
from lab.scenario.steps import CallStep, PublishStep, asked

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario

MOST_COMPONENTS = 200
MOST_DEMANDS = 500  # they travel in one header, and HAProxy's buffer for all headers is 16 KiB


def inconsistencies(scenario: Scenario) -> tuple[Problem, ...]:
    """Return what is wrong between the parts of a scenario whose parts are each right."""
    if len(scenario.components) > MOST_COMPONENTS:
        count = len(scenario.components)
        message = f"{count} components are more than {MOST_COMPONENTS}; leave out what does not matter"
        return (Problem(path=("components",), message=message),)
    changing = (*scaling_problems(scenario), *fault_problems(scenario))
    own = (*_without_effect(scenario), *objective_problems(scenario), *price_problems(scenario), *changing)
    lost = tuple(dangling(scenario))
    # Calls can be followed only where every name leads somewhere, and counted only where they end.
    circles = () if lost else tuple(_circles(scenario))
    followed = () if lost or circles else (*_ambiguous_replicas(scenario), *_endless(scenario))
    return (*lost, *circles, *followed, *own)


def _callees(scenario: Scenario, name: str) -> list[str]:
    component = scenario.components[name]
    if isinstance(component, Front):
        return [component.targets]
    if isinstance(component, Channel):
        return [component.consumer]
    if isinstance(component, Service):
        called = (asked(step) for step in every_step(component) if isinstance(step, CallStep | PublishStep))
        return [name for name in dict.fromkeys(called) if name is not None]
    return []


def _circles(scenario: Scenario) -> Iterator[Problem]:
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> Iterator[Problem]:
        if name in path:
            ring = " -> ".join((*path[path.index(name) :], name))
            message = f"the calls go round in a circle ({ring}), so a request might never end; take one of them out"
            yield Problem(path=("components", name), message=message)
        elif name not in done:
            for callee in _callees(scenario, name):
                yield from visit(callee, (*path, name))
            done.add(name)

    for name in scenario.components:
        yield from visit(name, ())


def _ambiguous_replicas(scenario: Scenario) -> Iterator[Problem]:
    callers: dict[str, Path] = {scenario.entry: ("entry",)}
    for name, component in scenario.components.items():
        if isinstance(component, Service) or (isinstance(component, Front) and not isinstance(component, Balancer)):
            callers.update(dict.fromkeys(_callees(scenario, name), ("components", name)))
    for name, where in callers.items():
        component = scenario.components[name]
        if isinstance(component, Service) and not hands_out(component) and most_replicas(scenario, name) > 1:
            message = (
                f"calls {name!r} directly, which has {replicas_text(scenario, name)}; nobody would choose between "
                f"them: put a load_balancer with targets: {name} before it"
            )
            yield Problem(path=where, message=message)


def _endless(scenario: Scenario) -> Iterator[Problem]:
    for name, component in scenario.components.items():
        if isinstance(component, Service):
            for endpoint in component.endpoints:
                count = endpoint_demands(scenario, name, endpoint)
                if count > MOST_DEMANDS:
                    message = (
                        f"one request here leads to {count} timed steps (calls multiply), more than the {MOST_DEMANDS} "
                        "that can travel with a request; call less, or join steps into one"
                    )
                    yield Problem(path=("components", name, "endpoints", endpoint), message=message)


def _without_effect(scenario: Scenario) -> Iterator[Problem]:
    if CLIENT in scenario.components:
        message = "is what the lab calls whoever sends the requests; choose another name"
        yield Problem(path=("components", CLIENT), message=message)
    yield from client_problems(scenario)
    yield from network_problems(scenario)
    for name, component in scenario.components.items():
        if isinstance(component, Front):
            yield from _of_a_front(scenario, name, component)
        if isinstance(component, Channel):
            yield from channel_consistency.unfit(scenario, name, component)
        if isinstance(component, Service):
            yield from service_problems(scenario.components, name, component)
            for endpoint, steps in component.endpoints.items():
                yield from looked_up_twice(scenario.components, steps, ("components", name, "endpoints", endpoint))
        if isinstance(component, Cache):
            yield from cache_problems(component, ("components", name), keys=named_keys(scenario.workload))
        if isinstance(component, Database):
            yield from database_consistency.without_effect(scenario, name, component)
            yield from database_consistency.without_shards(scenario, name, component)


def _of_a_front(scenario: Scenario, name: str, front: Front) -> Iterator[Problem]:
    match front:
        case LoadBalancer():
            yield from balancer_consistency.without_effect(scenario, name, front)
        case Nginx():
            yield from nginx_consistency.without_effect(scenario, name, front)
        case Envoy():
            yield from envoy_consistency.without_effect(scenario, name, front)
        case Cdn():
            yield from cdn_consistency.without_effect(scenario, name, front)
        case RateLimiter():
            yield from front_consistency.limiter_problems(scenario, name, front)
        case WaitingRoom():
            yield from front_consistency.room_problems(scenario, name, front)
        case _:
            assert_never(front)
