"""Whether every name in a scenario leads to a part of the kind that is meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lab.scenario import channel_consistency, database_consistency
from lab.scenario.asking import asked_problems
from lab.scenario.channels import Channel
from lab.scenario.components import (
    Cache,
    Cdn,
    Component,
    Database,
    Envoy,
    Host,
    LoadBalancer,
    Mailbox,
    Nginx,
    NodePool,
    Queue,
    RateLimiter,
    Service,
    Stream,
    WaitingRoom,
)
from lab.scenario.fronts import Front, found_behind, is_callable
from lab.scenario.problems import Path, Problem, listed_names, shown
from lab.scenario.steps import (
    CachedStep,
    CallStep,
    InvalidateStep,
    PublishStep,
    QueryStep,
    StepSpec,
    TransactionStep,
    nested,
)

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario


def dangling(scenario: Scenario) -> Iterator[Problem]:
    """Yield each name that leads nowhere, or to a part of another kind than is meant."""
    parts = scenario.components
    entry = found_behind(scenario, scenario.entry)
    if not is_callable(parts.get(scenario.entry)):
        known = listed_names(parts, Front, Service)
        message = f"{shown(scenario.entry)} is not a load balancer or service of this scenario (there are: {known})"
        yield Problem(path=("entry",), message=message)
    for name, component in parts.items():
        match component:
            case LoadBalancer(targets=targets) | Nginx(targets=targets) | Envoy(targets=targets):
                if not isinstance(parts.get(targets), Service):
                    known = listed_names(parts, Service)
                    message = f"{shown(targets)} is not a service of this scenario (services: {known})"
                    yield Problem(path=("components", name, "targets"), message=message)
            case RateLimiter(targets=targets) | WaitingRoom(targets=targets):
                if not is_callable(parts.get(targets)):
                    known = listed_names(parts, Front, Service)
                    message = f"{shown(targets)} is not a front or service of this scenario (there are: {known})"
                    yield Problem(path=("components", name, "targets"), message=message)
            case Cdn():
                yield from _dangling_cdn(scenario, name, component)
            case Service(endpoints=endpoints):
                yield from _dangling_node_pool(scenario, name, component)
                for endpoint, steps in endpoints.items():
                    yield from _dangling_steps(scenario, steps, ("components", name, "endpoints", endpoint))
            case Queue() | Stream() | Mailbox():
                yield from channel_consistency.dangling(scenario, name, component)
            case Cache() | Database() | Host() | NodePool():
                pass
        yield from _dangling_hosts(scenario, name, component)
    yield from asked_problems(scenario, entry)


def _dangling_cdn(scenario: Scenario, name: str, cdn: Cdn) -> Iterator[Problem]:
    parts, where = scenario.components, ("components", name)
    if not is_callable(parts.get(cdn.targets)):
        known = listed_names(parts, Front, Service)
        message = f"{shown(cdn.targets)} is nothing that answers requests in this scenario (there are: {known})"
        yield Problem(path=(*where, "targets"), message=message)
    origin = found_behind(scenario, name)
    for endpoint in cdn.max_age if origin is not None else ():
        if origin is not None and endpoint not in origin.endpoints:
            known = ", ".join(origin.endpoints)
            message = f"the service behind it has no endpoint {shown(endpoint)} (it has: {known})"
            yield Problem(path=(*where, "max_age", endpoint), message=message)


def _dangling_steps(scenario: Scenario, steps: tuple[StepSpec, ...], where: Path) -> Iterator[Problem]:
    for number, step in enumerate(steps):
        here = (*where, number)
        yield from _dangling_step(scenario, step, here)
        for place, inner in nested(step):
            yield from _dangling_steps(scenario, inner, (*here, *place))


def _dangling_step(scenario: Scenario, step: StepSpec, where: Path) -> Iterator[Problem]:
    match step:
        case CachedStep() | InvalidateStep():
            if not isinstance(scenario.components.get(step.cache), Cache):
                message = f"{shown(step.cache)} is not a cache (caches: {listed_names(scenario.components, Cache)})"
                yield Problem(path=(*where, "cache"), message=message)
        case QueryStep() | TransactionStep():
            yield from _dangling_database(scenario, step, where)
        case PublishStep():
            if not isinstance(scenario.components.get(step.queue), Channel):
                known = listed_names(scenario.components, Channel)
                message = f"{shown(step.queue)} is not a queue, stream or mailbox (there are: {known})"
                yield Problem(path=(*where, "queue"), message=message)
            else:
                yield from _priority(scenario, step, where)
        case CallStep():
            yield from _dangling_call(scenario, step, where)
        case _:
            pass


def _priority(scenario: Scenario, step: PublishStep, where: Path) -> Iterator[Problem]:
    channel = scenario.components[step.queue]
    if step.priority > 0 and not (isinstance(channel, Queue) and channel.max_priority is not None):
        message = f"has no effect, as {step.queue!r} is no queue with a max_priority; give it one, or leave this out"
        yield Problem(path=(*where, "priority"), message=message)


def _dangling_node_pool(scenario: Scenario, name: str, service: Service) -> Iterator[Problem]:
    if service.node_pool is not None and not isinstance(scenario.components.get(service.node_pool), NodePool):
        known = listed_names(scenario.components, NodePool)
        message = f"{shown(service.node_pool)} is not a node pool (node pools: {known})"
        yield Problem(path=("components", name, "node_pool"), message=message)


def _dangling_hosts(scenario: Scenario, name: str, component: Component) -> Iterator[Problem]:
    named: list[tuple[Path, str]] = []
    match component:
        case Service(hosts=hosts):
            named = [(("hosts", number), host) for number, host in enumerate(hosts)]
        case LoadBalancer(host=str() as host) | Database(host=str() as host):
            named = [(("host",), host)]
    for keys, host in named:
        if not isinstance(scenario.components.get(host), Host):
            message = f"{shown(host)} is not a host (hosts: {listed_names(scenario.components, Host)})"
            yield Problem(path=("components", name, *keys), message=message)


def _dangling_database(scenario: Scenario, step: QueryStep | TransactionStep, where: Path) -> Iterator[Problem]:
    database = scenario.components.get(step.database)
    if not isinstance(database, Database):
        message = f"{shown(step.database)} is not a database (databases: {listed_names(scenario.components, Database)})"
        yield Problem(path=(*where, "database"), message=message)
    elif isinstance(step, TransactionStep):
        yield from database_consistency.transaction(scenario, step, where)
    elif step.query not in database.queries:
        message = f"{step.database!r} has no query {shown(step.query)} (it has: {', '.join(database.queries)})"
        yield Problem(path=(*where, "query"), message=message)


def _dangling_call(scenario: Scenario, step: CallStep, where: Path) -> Iterator[Problem]:
    callee = found_behind(scenario, step.target)
    if not is_callable(scenario.components.get(step.target)):
        known = listed_names(scenario.components, Front, Service)
        message = f"{shown(step.target)} is not a load balancer or service (there are: {known})"
        yield Problem(path=(*where, "target"), message=message)
    elif callee is not None and step.endpoint not in callee.endpoints:
        message = f"{step.target!r} has no endpoint {shown(step.endpoint)} (it has: {', '.join(callee.endpoints)})"
        yield Problem(path=(*where, "endpoint"), message=message)
