"""Whether what clients do fits the rest of a scenario: part of its consistency check."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, assert_never

from lab.scenario.arrivals import DiurnalRate, curves
from lab.scenario.problems import Path, Problem, shown
from lab.scenario.service import Service
from lab.scenario.workload import ClosedWorkload, OpenWorkload, ReplayWorkload, SessionsWorkload, Workload

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario

ALL = "all"
_MOST_PERIODS = 1000


def asked_problems(scenario: Scenario, entry: Service | None) -> Iterator[Problem]:
    """Yield what clients ask for and the entry does not have."""
    for path, endpoint in _asked(scenario.workload):
        if endpoint == ALL:
            yield Problem(path=path, message="is what the figures call all endpoints together; choose another name")
        elif entry is not None and endpoint not in entry.endpoints:
            known = ", ".join(entry.endpoints)
            message = f"the entry {scenario.entry!r} has no endpoint of this name, {shown(endpoint)} (it has: {known})"
            yield Problem(path=path, message=message)


def _asked(workload: Workload) -> Iterator[tuple[Path, str]]:
    match workload:
        case OpenWorkload() | ClosedWorkload():
            for endpoint in workload.endpoints:
                yield ("workload", "endpoints", endpoint), endpoint
            presence = workload.presence if isinstance(workload, ClosedWorkload) else None
            if presence is not None and presence.reconnect is not None:
                yield ("workload", "presence", "reconnect"), presence.reconnect
        case SessionsWorkload():
            for name, journey in workload.journeys.items():
                for number, each in enumerate(journey.requests):
                    yield ("workload", "journeys", name, "requests", number, "endpoint"), each.endpoint
        case ReplayWorkload():
            pass  # its endpoints are checked when the file is read
        case _:
            assert_never(workload)


def client_problems(scenario: Scenario) -> Iterator[Problem]:
    """Yield what is set for clients and has no effect in this workload, or too much of one."""
    workload, client = scenario.workload, scenario.client
    if isinstance(workload, OpenWorkload | ReplayWorkload):
        scoped = {
            ("client", "circuit_breaker", "scope"): client.circuit_breaker,
            ("client", "retry", "budget", "scope"): client.retry.budget if client.retry else None,
            ("client", "hedge", "budget", "scope"): client.hedge.budget if client.hedge else None,
            ("client", "hedge", "throttle", "scope"): client.hedge.throttle if client.hedge else None,
            ("client", "throttle", "scope"): client.throttle,
        }
        for path, guard in scoped.items():
            if guard is not None and guard.scope == "per_client":
                message = (
                    f"per_client has no effect in a workload of kind {workload.kind}, where no client comes twice; use "
                    "closed or sessions, or scope: shared"
                )
                yield Problem(path=path, message=message)
    if client.timeout is None and client.deadline is None:
        for name, part in scenario.components.items():
            if isinstance(part, Service) and part.drop_expired:
                message = "has no effect, as clients never give up; give them a timeout or a deadline"
                yield Problem(path=("components", name, "drop_expired"), message=message)
    if isinstance(workload, OpenWorkload | SessionsWorkload):
        for curve in curves(workload.arrival_rate):
            if isinstance(curve, DiurnalRate) and scenario.run.duration > _MOST_PERIODS * curve.period:
                message = (
                    f"a diurnal period of {curve.period:g} s fits into the run more than {_MOST_PERIODS} times; "
                    "lengthen the period or shorten the run"
                )
                yield Problem(path=("workload", "arrival_rate"), message=message)
