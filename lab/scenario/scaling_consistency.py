"""Whether autoscalers fit the services that they move."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lab.quantities import default_of
from lab.scenario.autoscaler import Autoscaler, KedaAutoscaler, metrics_of
from lab.scenario.channels import Channel
from lab.scenario.components import LoadBalancer, NodePool, Service
from lab.scenario.fronts import Balancer
from lab.scenario.problems import Path, Problem, shown
from lab.scenario.replicas import hands_out, processes_end
from lab.scenario.serverless import ServerlessAutoscaler

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario


def scaling_problems(scenario: Scenario) -> Iterator[Problem]:
    """Yield what is wrong between services and their autoscalers."""
    for name, service in scenario.components.items():
        if isinstance(service, NodePool):
            yield from _unfit_node_pool(scenario, name, service)
        if isinstance(service, Service) and service.node_pool is not None and not processes_end(scenario, name):
            message = "has no effect: no process of this service is started during the run; give it an autoscaler"
            yield Problem(path=("components", name, "node_pool"), message=message)
        if isinstance(service, Service) and service.autoscaler is not None:
            yield from _unfit(scenario, service, service.autoscaler, ("components", name, "autoscaler"))


def _unfit_node_pool(scenario: Scenario, name: str, pool: NodePool) -> Iterator[Problem]:
    pods = [part for part in scenario.components.values() if isinstance(part, Service) and part.node_pool == name]
    first, room = sum(part.replicas for part in pods), pool.nodes * pool.pods_per_node
    if not pods:
        message = f"no service has its processes on it; write node_pool: {name} in one, or leave it out"
        yield Problem(path=("components", name), message=message)
    if first > room:
        message = (
            f"{pool.nodes} nodes of {pool.pods_per_node} have room for {room} processes, but the run begins with "
            f"{first}"
        )
        yield Problem(path=("components", name, "nodes"), message=message)


def _unfit(scenario: Scenario, service: Service, autoscaler: Autoscaler, where: Path) -> Iterator[Problem]:
    if not autoscaler.min <= service.replicas <= autoscaler.max:
        message = (
            f"the run begins with replicas: {service.replicas}, which is not within min {autoscaler.min} to max "
            f"{autoscaler.max}; say with how many it begins"
        )
        yield Problem(path=(*where[:-1], "replicas"), message=message)
    if autoscaler.quota is not None and autoscaler.quota < service.replicas:
        message = f"is less than the {service.replicas} replicas that the run begins with; raise it, or begin with less"
        yield Problem(path=(*where, "quota"), message=message)
    for number, action in enumerate(autoscaler.schedule):
        if action.at >= scenario.run.duration:
            message = f"the run is over at {scenario.run.duration:g} s, before this would happen"
            yield Problem(path=(*where, "schedule", number, "at"), message=message)
    if service.concurrency is None and "concurrency" in metrics_of(autoscaler):
        message = "is a share of the slots of a replica, and this service has no limit; give it a concurrency"
        yield Problem(path=(*where, "metric"), message=message)
    if hands_out(service):
        yield from _stood_before(scenario, str(where[1]))
    if isinstance(autoscaler, KedaAutoscaler):
        yield from _unfit_keda(scenario, autoscaler, where)
    elif isinstance(autoscaler, ServerlessAutoscaler):
        yield from _unfit_serverless(where, service, autoscaler)
    elif not hands_out(service) and 0 in (autoscaler.min, *(action.min for action in autoscaler.schedule)):
        message = "only keda, knative and serverless scale to 0; nobody would start the first again: write 1 or more"
        yield Problem(path=(*where, "min"), message=message)


def _unfit_serverless(where: Path, service: Service, autoscaler: ServerlessAutoscaler) -> Iterator[Problem]:
    if service.concurrency is None:
        message = "serverless needs to know how many requests one process works on at once; write 1, as Lambda does"
        yield Problem(path=(*where[:-1], "concurrency"), message=message)
    for key in ("workers", "backlog", "discipline", "shedding"):
        if getattr(service, key) != default_of(Service, key):
            message = "has no effect with serverless, which gives a process no more requests than it has slots"
            yield Problem(path=(*where[:-1], key), message=message)
    for number, action in enumerate(autoscaler.schedule):
        if action.desired is not None:
            message = "has no effect with serverless, which has as many as requests need; write a min to provision some"
            yield Problem(path=(*where, "schedule", number, "desired"), message=message)


def _stood_before(scenario: Scenario, name: str) -> Iterator[Problem]:
    """Nobody may choose between processes to which a platform hands requests out itself."""
    for other, part in scenario.components.items():
        if isinstance(part, Balancer | Channel):
            key = "consumer" if isinstance(part, Channel) else "targets"
            if getattr(part, key) == name:
                message = (
                    f"the platform of {shown(name)} hands requests out itself, and must be called directly (as the "
                    "entry, by a call step, or by a front that is no balancer)"
                )
                yield Problem(path=("components", other, key), message=message)


def _unfit_keda(scenario: Scenario, autoscaler: KedaAutoscaler, where: Path) -> Iterator[Problem]:
    service, queue = str(where[1]), scenario.components.get(autoscaler.queue)
    feeds = {
        name: each
        for name, each in scenario.components.items()
        if (isinstance(each, Channel) and each.consumer == service)
        or (isinstance(each, LoadBalancer) and each.targets == service)
    }
    if autoscaler.queue not in feeds:
        known = ", ".join(feeds) or "none"
        message = (
            f"{shown(autoscaler.queue)} is no queue, stream or load balancer that feeds {service!r} (these do: {known})"
        )
        yield Problem(path=(*where, "queue"), message=message)
    elif autoscaler.min == 0 and not isinstance(queue, Channel):
        message = "nobody waits at a load balancer without servers, so from 0 it would never start any: write 1 or more"
        yield Problem(path=(*where, "min"), message=message)
