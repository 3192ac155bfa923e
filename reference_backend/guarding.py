"""Do rate limiters stand where requests cannot go around them, and do faults ask for what can be done?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from reference_backend.references import walk

if TYPE_CHECKING:
    from reference_backend.deployment import Deployment


def problems_of(deployment: Deployment) -> list[str]:
    """Return one sentence for each thing that is wrong with where rate limiters stand, and real work that is slowed."""
    problems = [
        f"faults[{number}].steps: {fault.component!r} does real work, which takes what it takes and cannot be slowed"
        for number, fault in enumerate(deployment.faults)
        if fault.kind == "slow_down" and fault.steps == "cpu" and _does_real_work(deployment, fault.component)
    ]
    for name, limiter in deployment.rate_limiters().items():
        balancer, target = deployment.load_balancers().get(limiter.targets), limiter.targets
        if balancer is None and target not in deployment.services():
            problems.append(f"parts.{name}.targets: {target!r} is neither a load balancer nor a service")
            continue
        if limiter.in_haproxy and (balancer is None or limiter.algorithm != "sliding_window_counter"):
            problems.append(
                f"parts.{name}.counted_in: HAProxy counts for a sliding_window_counter before a load balancer alone"
            )
        guarded = {target: name} if balancer is None else {target: name, balancer.targets: target}
        problems += [
            f"{who}: asks {asked!r} and so goes around the rate limiter {name!r}"
            for who, asked in _asking(deployment)
            if asked in guarded and who != f"parts.{guarded[asked]}"
        ]
    return problems


def _does_real_work(deployment: Deployment, service: str) -> bool:
    endpoints = deployment.services()[service].endpoints.values()
    steps = (step for endpoint in endpoints for _, step in walk(endpoint.steps, ""))
    return any(step.kind == "cpu" and step.work is not None for step in steps)


def _asking(deployment: Deployment) -> Iterator[tuple[str, str]]:
    """Yield who asks, and whom: clients the entry, fronts their targets, services those that they call."""
    yield "entry", deployment.entry
    for name, part in (*deployment.load_balancers().items(), *deployment.rate_limiters().items()):
        yield f"parts.{name}", part.targets
    for name, service in deployment.services().items():
        for endpoint, spec in service.endpoints.items():
            where = f"parts.{name}.endpoints.{endpoint}"
            yield from ((here, step.target) for here, step in walk(spec.steps, where) if step.kind == "call")
