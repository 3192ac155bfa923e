"""Queues as the reference backend is told of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lab.errors import Unsupported
from lab.scenario.components import LoadBalancer, Queue
from lab.scenario.demand_counts import message_demands
from lab.scenario.demands import BoundStep, bound_steps
from lab.scenario.scenario import Scenario
from lab.scenario.steps import CallStep, PublishStep

_FINEST_POLL_S = 1e-3


def queue_part(scenario: Scenario, name: str, spec: Queue) -> dict[str, Any]:
    """Return a queue as a part of the deployment.

    Raises:
        Unsupported: work on a message passes a load balancer, whose log cannot tell that from what clients wait for.
    """
    for step in _walk(bound_steps(scenario, spec.consumer, spec.endpoint)):
        if isinstance(step.spec, CallStep) and isinstance(scenario.components[step.spec.target], LoadBalancer):
            raise Unsupported(
                f"components.{name}.consumer: {spec.consumer!r} calls {step.spec.target!r}, a load balancer, whose log "
                "does not tell work behind a queue from what clients wait for; let it call a service of one replica"
            )
    if spec.deliveries > 1 and spec.poll_interval < _FINEST_POLL_S:
        raise Unsupported(
            f"components.{name}.poll_interval: the consumers of a stream must look for what comes back, every "
            "millisecond at most; give 1ms or more (10ms, say)"
        )
    return {
        "kind": "queue",
        "consumer": spec.consumer,
        "endpoint": spec.endpoint,
        "prefetch": spec.prefetch,
        "acknowledge": spec.acknowledge,
        "visibility_timeout_s": spec.visibility_timeout,
        "poll_interval_s": spec.poll_interval or _FINEST_POLL_S,
        "max_attempts": spec.max_attempts,
        "capacity": spec.capacity,
        "overflow": spec.overflow,
    }


def publish_step(scenario: Scenario, spec: PublishStep, offset: int) -> dict[str, Any]:
    """Return a publish step, with the place of its message's demands among those of the endpoint."""
    demands = message_demands(scenario, spec)
    return {"kind": "publish", "queue": spec.queue, "demands_from": offset, "demands": demands}


def _walk(steps: tuple[BoundStep, ...]) -> Iterator[BoundStep]:
    for step in steps:
        yield step
        for nested in step.nested:
            yield from _walk(nested)
