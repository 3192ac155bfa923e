"""Whether the keys of a service fit together, so that none is without effect."""

from __future__ import annotations

from collections.abc import Iterator

from lab.distributions import mean_s
from lab.scenario.problems import Problem, shown
from lab.scenario.service import Service


def service_problems(name: str, service: Service) -> Iterator[Problem]:
    """Yield what is wrong between the keys of one service.

    Args:
        name: what the scenario calls it.
        service: the service.
    """
    for key, message in (*_admission(service), *_priorities(service)):
        yield Problem(path=("components", name, key), message=message)


def _admission(service: Service) -> Iterator[tuple[str, str]]:
    if service.concurrency is None:
        unlimited = "has no effect, as nobody waits at a service without a limit; give it a concurrency too"
        if service.backlog is not None:
            yield "backlog", unlimited
        if service.discipline != "fifo":
            yield "discipline", unlimited
    if service.backlog is None and mean_s(service.rejection_overhead) > 0:
        yield "rejection_overhead", "has no effect, as nobody is turned away without a backlog; give it a backlog too"


def _priorities(service: Service) -> Iterator[tuple[str, str]]:
    if service.discipline != "priority":
        if service.priorities:
            yield "priorities", "has no effect without discipline: priority; write that too, or leave this out"
        return
    known, named = list(service.endpoints), list(service.priorities)
    for endpoint in named:
        if endpoint not in known:
            yield "priorities", f"there is no endpoint {shown(endpoint)} (there are: {', '.join(known)})"
    missing = [endpoint for endpoint in known if endpoint not in named]
    if missing:
        yield (
            "priorities",
            f"says nothing of {', '.join(missing)}; with discipline priority each endpoint has one",
        )
