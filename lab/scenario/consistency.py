"""Whether the parts of a scenario fit together: names lead somewhere, calls end, nothing is without effect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lab.scenario import balancer_consistency, database_consistency, queue_consistency
from lab.scenario.asking import asked_problems, client_problems
from lab.scenario.cache_consistency import cache_problems, looked_up_twice
from lab.scenario.components import Cache, Database, Host, LoadBalancer, Queue, Service
from lab.scenario.demands import endpoint_demands
from lab.scenario.fault_consistency import fault_problems
from lab.scenario.mix import named_keys
from lab.scenario.names import CLIENT
from lab.scenario.objective_consistency import objective_problems
from lab.scenario.problems import Path, Problem, shown
from lab.scenario.replicas import most_replicas, replicas_text
from lab.scenario.scaling_consistency import scaling_problems
from lab.scenario.service_consistency import service_problems
from lab.scenario.steps import (
    CachedStep,
    CallStep,
    InvalidateStep,
    ParallelStep,
    PublishStep,
    QueryStep,
    StepSpec,
    ThreadStep,
    TransactionStep,
    walk,
)

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
    own = (*_without_effect(scenario), *objective_problems(scenario), *changing)
    dangling = tuple(_dangling(scenario))
    # Calls can be followed only where every name leads somewhere, and counted only where they end.
    circles = () if dangling else tuple(_circles(scenario))
    followed = () if dangling or circles else (*_ambiguous_replicas(scenario), *_endless(scenario))
    return (*dangling, *circles, *followed, *own)


def _known(scenario: Scenario, *kinds: type) -> str:
    names = [name for name, component in scenario.components.items() if isinstance(component, kinds)]
    return ", ".join(names) if names else "none"


def _service(scenario: Scenario, name: str) -> Service | None:
    component = scenario.components.get(name)
    if isinstance(component, LoadBalancer):
        component = scenario.components.get(component.targets)
    return component if isinstance(component, Service) else None


def _dangling(scenario: Scenario) -> Iterator[Problem]:
    entry = _service(scenario, scenario.entry)
    if not isinstance(scenario.components.get(scenario.entry), LoadBalancer | Service):
        known = _known(scenario, LoadBalancer, Service)
        message = f"{shown(scenario.entry)} is not a load balancer or service of this scenario (there are: {known})"
        yield Problem(path=("entry",), message=message)
    for name, component in scenario.components.items():
        match component:
            case LoadBalancer(targets=targets):
                if not isinstance(scenario.components.get(targets), Service):
                    known = _known(scenario, Service)
                    message = f"{shown(targets)} is not a service of this scenario (services: {known})"
                    yield Problem(path=("components", name, "targets"), message=message)
            case Service(endpoints=endpoints):
                yield from _dangling_hosts(scenario, name, component)
                for endpoint, steps in endpoints.items():
                    yield from _dangling_steps(scenario, steps, ("components", name, "endpoints", endpoint))
            case Queue():
                yield from queue_consistency.dangling(scenario, name, component)
            case Cache() | Database() | Host():
                pass
    yield from asked_problems(scenario, entry)


def _dangling_steps(scenario: Scenario, steps: tuple[StepSpec, ...], where: Path) -> Iterator[Problem]:
    for number, step in enumerate(steps):
        here = (*where, number)
        yield from _dangling_step(scenario, step, here)
        for place, nested in _nested(step):
            yield from _dangling_steps(scenario, nested, (*here, *place))


def _nested(step: StepSpec) -> Iterator[tuple[Path, tuple[StepSpec, ...]]]:
    match step:
        case CachedStep(miss=steps):
            yield ("miss",), steps
        case TransactionStep(steps=steps) | ThreadStep(steps=steps):
            yield ("steps",), steps
        case ParallelStep(branches=branches):
            yield from ((("branches", number), steps) for number, steps in enumerate(branches))
        case _:
            pass


def _dangling_step(scenario: Scenario, step: StepSpec, where: Path) -> Iterator[Problem]:
    match step:
        case CachedStep() | InvalidateStep():
            if not isinstance(scenario.components.get(step.cache), Cache):
                message = f"{shown(step.cache)} is not a cache (caches: {_known(scenario, Cache)})"
                yield Problem(path=(*where, "cache"), message=message)
        case QueryStep() | TransactionStep():
            yield from _dangling_database(scenario, step, where)
        case PublishStep():
            if not isinstance(scenario.components.get(step.queue), Queue):
                message = f"{shown(step.queue)} is not a queue (queues: {_known(scenario, Queue)})"
                yield Problem(path=(*where, "queue"), message=message)
        case CallStep():
            yield from _dangling_call(scenario, step, where)
        case _:
            pass


def _dangling_hosts(scenario: Scenario, name: str, service: Service) -> Iterator[Problem]:
    for number, host in enumerate(service.hosts):
        if not isinstance(scenario.components.get(host), Host):
            message = f"{shown(host)} is not a host (hosts: {_known(scenario, Host)})"
            yield Problem(path=("components", name, "hosts", number), message=message)


def _dangling_database(scenario: Scenario, step: QueryStep | TransactionStep, where: Path) -> Iterator[Problem]:
    database = scenario.components.get(step.database)
    if not isinstance(database, Database):
        message = f"{shown(step.database)} is not a database (databases: {_known(scenario, Database)})"
        yield Problem(path=(*where, "database"), message=message)
    elif isinstance(step, TransactionStep):
        yield from database_consistency.transaction(scenario, step, where)
    elif step.query not in database.queries:
        message = f"{step.database!r} has no query {shown(step.query)} (it has: {', '.join(database.queries)})"
        yield Problem(path=(*where, "query"), message=message)


def _dangling_call(scenario: Scenario, step: CallStep, where: Path) -> Iterator[Problem]:
    callee = _service(scenario, step.target)
    if not isinstance(scenario.components.get(step.target), LoadBalancer | Service):
        known = _known(scenario, LoadBalancer, Service)
        message = f"{shown(step.target)} is not a load balancer or service (there are: {known})"
        yield Problem(path=(*where, "target"), message=message)
    elif callee is not None and step.endpoint not in callee.endpoints:
        message = f"{step.target!r} has no endpoint {shown(step.endpoint)} (it has: {', '.join(callee.endpoints)})"
        yield Problem(path=(*where, "endpoint"), message=message)


def _callees(scenario: Scenario, name: str) -> list[str]:
    match scenario.components[name]:
        case LoadBalancer(targets=targets):
            return [targets]
        case Queue(consumer=consumer):
            return [consumer]
        case Service(endpoints=endpoints):
            every = (step for steps in endpoints.values() for step in walk(steps))
            called = (_target(step) for step in every if isinstance(step, CallStep | PublishStep))
            return list(dict.fromkeys(called))
        case _:
            return []


def _target(step: CallStep | PublishStep) -> str:
    return step.target if isinstance(step, CallStep) else step.queue


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
        if isinstance(component, Service):
            callers.update(dict.fromkeys(_callees(scenario, name), ("components", name)))
    for name, where in callers.items():
        component = scenario.components[name]
        if isinstance(component, Service) and most_replicas(component) > 1:
            message = (
                f"calls {name!r} directly, which has {replicas_text(component)}; nobody would choose between them: "
                f"put a load_balancer with targets: {name} before it"
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
    for name, component in scenario.components.items():
        if isinstance(component, LoadBalancer):
            yield from balancer_consistency.without_effect(scenario, name, component)
        if isinstance(component, Queue):
            yield from queue_consistency.without_effect(scenario, name, component)
        if isinstance(component, Service):
            yield from service_problems(scenario.components, name, component)
        if isinstance(component, Service):
            for endpoint, steps in component.endpoints.items():
                yield from looked_up_twice(scenario.components, steps, ("components", name, "endpoints", endpoint))
        if isinstance(component, Cache):
            yield from cache_problems(component, ("components", name), keys=named_keys(scenario.workload))
        if isinstance(component, Database):
            yield from database_consistency.without_effect(name, component)
