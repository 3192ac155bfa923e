"""Whether the keys of rate limiters and waiting rooms fit together, and whether they stand where they can work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lab.scenario.components import Queue, RateLimiter, Service, WaitingRoom
from lab.scenario.fronts import found_behind, leads_to
from lab.scenario.identity import knows_clients
from lab.scenario.mix import named_keys
from lab.scenario.problems import Path, Problem, shown
from lab.scenario.service import every_step
from lab.scenario.steps import CallStep

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario

_BUCKETS = ("token_bucket", "gcra")
_COUNTED = ("fixed_window", "sliding_window_counter")


def limiter_problems(scenario: Scenario, name: str, limiter: RateLimiter) -> Iterator[Problem]:
    """Yield what is wrong between the keys of one rate limiter."""
    where: Path = ("components", name)
    if limiter.burst is not None and limiter.algorithm not in _BUCKETS:
        message = f"has no effect, as {limiter.algorithm} has no bucket; only {' and '.join(_BUCKETS)} have"
        yield Problem(path=(*where, "burst"), message=message)
    elif limiter.at_once == 0:
        message = "is 0: a bucket that can hold no token lets nothing pass; give it 1 or more"
        yield Problem(path=(*where, "burst"), message=message)
    if limiter.windows != "by_clock" and limiter.algorithm not in _COUNTED:
        message = f"has no effect, as {limiter.algorithm} counts no windows; only {' and '.join(_COUNTED)} do"
        yield Problem(path=(*where, "windows"), message=message)
    if limiter.scope == "per_client" and not knows_clients(scenario.workload):
        yield Problem(path=(*where, "scope"), message=f"per_client {_unknown(scenario)}; or count per_key")
    if limiter.scope == "per_key" and named_keys(scenario.workload) == 1:
        message = "per_key has no effect, as all requests are about one key; give the workload keys, or count shared"
        yield Problem(path=(*where, "scope"), message=message)
    service = found_behind(scenario, name)
    for number, endpoint in enumerate(limiter.endpoints or ()):
        if service is not None and endpoint not in service.endpoints:
            known = ", ".join(service.endpoints)
            message = f"the service behind it has no endpoint {shown(endpoint)} (it has: {known})"
            yield Problem(path=(*where, "endpoints", number), message=message)


def room_problems(scenario: Scenario, name: str, room: WaitingRoom) -> Iterator[Problem]:
    """Yield what is wrong between the keys of one waiting room, and who wrongly waits in it."""
    where: Path = ("components", name)
    if room.max_active is None and room.admission_rate is None:
        message = "lets everybody in at once; give it max_active, an admission_rate, or both"
        yield Problem(path=where, message=message)
    if room.max_queue == 0 and room.queue_timeout is not None:
        message = "has no effect, as with max_queue: 0 nobody waits; leave one of them out"
        yield Problem(path=(*where, "queue_timeout"), message=message)
    if room.session_duration is not None and not knows_clients(scenario.workload):
        yield Problem(path=(*where, "session_duration"), message=_unknown(scenario))
    for caller, key, target in _asking(scenario):
        if name in leads_to(scenario, target):
            message = (
                f"leads into the waiting room {name!r}, but only clients wait in one: they leave the line when they "
                "give up, which a service does not; let it lead past the room, and put a load_balancer before it"
            )
            yield Problem(path=("components", caller, key), message=message)


def _unknown(scenario: Scenario) -> str:
    return (
        f"has no effect in a workload of kind {scenario.workload.kind}, where no client comes twice; use closed or "
        "sessions"
    )


def _asking(scenario: Scenario) -> Iterator[tuple[str, str, str]]:
    """Yield each component that calls another, the key where it says so, and which one."""
    for name, component in scenario.components.items():
        if isinstance(component, Queue):
            yield name, "consumer", component.consumer
        if isinstance(component, Service):
            targets = (step.target for step in every_step(component) if isinstance(step, CallStep))
            yield from ((name, "endpoints", target) for target in dict.fromkeys(targets))
