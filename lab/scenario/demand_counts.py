"""How many drawn times a request needs at an endpoint: the number of slots by the rule in ``lab.scenario.demands``."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from lab.errors import ScenarioError
from lab.scenario.components import Queue
from lab.scenario.fronts import service_behind, service_name_behind
from lab.scenario.service import steps_of
from lab.scenario.steps import (
    CachedStep,
    CallStep,
    CpuStep,
    InvalidateStep,
    ParallelStep,
    PublishStep,
    QueryStep,
    StepSpec,
    ThreadStep,
    TransactionStep,
    WaitStep,
    nested,
)

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario


def endpoint_steps(scenario: Scenario, service: str, endpoint: str) -> tuple[StepSpec, ...]:
    """Return the steps of an endpoint of a service, which may be named by its load balancer.

    Raises:
        ScenarioError: there is no such service, or it has no such endpoint.
    """
    component = service_behind(scenario, service)
    if endpoint not in component.endpoints:
        name, known = service_name_behind(scenario, service), ", ".join(component.endpoints)
        raise ScenarioError(f"components.{name}.endpoints: there is no endpoint {endpoint!r} (there are: {known})")
    return steps_of(component, endpoint)


def endpoint_demands(
    scenario: Scenario, service: str, endpoint: str, counts: dict[tuple[str, str], int] | None = None
) -> int:
    """Return the number of slots of one visit to an endpoint, those of all its callees included.

    Args:
        scenario: where the endpoint is.
        service: the service, or the load balancer before it.
        endpoint: one of its endpoints.
        counts: those of the endpoints counted so far, kept from call to call.

    Raises:
        ScenarioError: there is no such service, or it has no such endpoint.
    """
    # Counted once an endpoint, not once a visit: the call tree may be far larger than the scenario.
    counts = {} if counts is None else counts
    place = (service_name_behind(scenario, service), endpoint)
    if place not in counts:
        counts[place] = _count_steps(scenario, endpoint_steps(scenario, *place), counts)
    return counts[place]


def _count_steps(scenario: Scenario, steps: tuple[StepSpec, ...], counts: dict[tuple[str, str], int]) -> int:
    total = 0
    for step in steps:
        match step:
            case CpuStep() | WaitStep():
                total += 1
            case QueryStep():
                total += step.repeat
            case CallStep():
                total += endpoint_demands(scenario, step.target, step.endpoint, counts)
            case CachedStep() | ParallelStep() | ThreadStep():
                copies = step.copies if isinstance(step, ParallelStep) else 1
                total += copies * sum(_count_steps(scenario, inner, counts) for _, inner in nested(step))
            case TransactionStep():
                total += (1 + step.retries) * transaction_demands(scenario, step, counts)
            case PublishStep():
                total += message_demands(scenario, step, counts)
            case InvalidateStep():
                pass  # the real part brings its own time
            case _:
                assert_never(step)
    return total


def transaction_demands(
    scenario: Scenario, step: TransactionStep, counts: dict[tuple[str, str], int] | None = None
) -> int:
    """Return the number of slots of one try of a transaction."""
    return _count_steps(scenario, step.steps, {} if counts is None else counts)


def message_demands(scenario: Scenario, step: PublishStep, counts: dict[tuple[str, str], int] | None = None) -> int:
    """Return the number of slots that the message of this step carries: the consumer's, once for each delivery."""
    queue = scenario.components[step.queue]
    if not isinstance(queue, Queue):
        return 0
    return queue.deliveries * endpoint_demands(scenario, queue.consumer, queue.endpoint, counts)
