"""Whether what scales fits what it scales."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, assert_never

if TYPE_CHECKING:
    from reference_backend.deployment import Deployment, Service
    from reference_backend.scaling.spec import Hpa


def scaling_problems(deployment: Deployment) -> list[str]:
    """Return one sentence for each thing that is wrong between services and what scales them."""
    return [
        f"parts.{name}.{problem}"
        for name, service in deployment.services().items()
        for problem in _problems(deployment, name, service)
    ]


def _problems(deployment: Deployment, name: str, service: Service) -> Iterator[str]:
    autoscaler = service.autoscaler
    if autoscaler is None:
        if service.replicas == 0:
            yield "replicas: nobody would start the first; write 1 or more, or give it an autoscaler"
        return
    if not autoscaler.min <= service.replicas <= autoscaler.max:
        bounds = f"min {autoscaler.min} to max {autoscaler.max}"
        yield f"replicas: each repeat begins with {service.replicas}, which is not within {bounds}"
    if not service.boot_times_s:
        yield "boot_times_s: a service that scales needs one for each replica that it may ever start"
    if any(name == getattr(fault, "component", None) for fault in deployment.faults):
        yield "autoscaler: faults cannot strike replicas that come and go; leave one of them out"
    balanced = False
    for edge, balancer in deployment.load_balancers().items():
        balanced |= balancer.targets == name
        if balancer.targets == name and balancer.algorithm == "hash" and balancer.hash_type == "map_based":
            yield f"autoscaler: HAProxy adds no server to {edge!r} while its hash is map_based; write consistent"
    match autoscaler.kind:
        case "hpa":
            yield from _hpa(service, autoscaler, balanced=balanced)
        case "serverless":
            yield from _serverless(service, is_entry=deployment.entry == name, balanced=balanced)
        case _ as never:
            assert_never(never)


def _hpa(service: Service, autoscaler: Hpa, *, balanced: bool) -> Iterator[str]:
    if not balanced:
        yield "autoscaler: nobody would send anything to the replicas it adds; put a load balancer in front"
    if autoscaler.min == 0:
        yield "autoscaler.min: from 0 replicas, hpa would never add one; write 1 or more"
    if service.concurrency is None and any(each.metric == "concurrency" for each in autoscaler.metrics):
        yield "concurrency: the metric is a share of the slots of a replica, so it must have a limit"


def _serverless(service: Service, *, is_entry: bool, balanced: bool) -> Iterator[str]:
    if balanced:
        yield "autoscaler: its platform hands requests out itself; no load balancer may stand before it"
    if not is_entry:
        yield "autoscaler: only the entry can be serverless"
    if service.concurrency is None:
        yield "concurrency: serverless needs to know how many requests one replica works on at once"
