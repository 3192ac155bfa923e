"""One replication: from a scenario and a schedule to what was observed."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from lab.scenario.scenario import Scenario
from lab.scenario.schedule import Schedule
from lab.simulation.build import OwnComponents, World
from lab.simulation.client import Clients, Journey
from lab.simulation.clock import Order, Timer
from lab.simulation.log import Log, Visit

_COLLECT_EVERY = 20_000  # new objects
Columns = dict[str, list[Any]]

_REQUEST_FIELDS = ("number", "endpoint", "key", "intended_start_s", "start_s", "end_s", "outcome", "attempts")
_VISIT_FIELDS = (
    "request",
    "attempt",
    "component",
    "replica",
    "operation",
    "arrival_s",
    "admitted_s",
    "departure_s",
    "waiting_time_s",
    "service_time_s",
    "outcome",
    "hit",
    "background",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """The rows of one replication as columns, ready for the tables of a Run."""

    requests: Columns
    visits: Columns
    samples: Columns
    events: Columns


def replicate(
    scenario: Scenario, schedule: Schedule, *, seed: int, replication: int, own: OwnComponents | None = None
) -> Observed:
    """Return what one replication of the scenario observes under a schedule of requests.

    The run stops at ``scenario.run.duration``; whatever is under way then is reported as in flight.

    Args:
        own: the user's own parts by component name.
    """
    world = World(scenario=scenario, seed=seed, replication=replication, requests=len(schedule), own=own or {})
    clients = Clients(
        clock=world.clock,
        log=world.log,
        spec=scenario.client,
        entry=world.part(scenario.entry),
        draws=(world.stream("client/backoff"), world.unless_free("client/round_trip", scenario.client.round_trip)),
    )
    world.start_autoscalers()
    starts, keys = schedule.intended_start_s.tolist(), schedule.key.tolist()
    journeys = [
        Journey(number, endpoint, key, start_s)
        for number, (endpoint, key, start_s) in enumerate(zip(schedule.endpoint, keys, starts, strict=True))
    ]
    with _rarer_collections():
        world.clock.process(clients.arrive(journeys))
        world.clock.run(until=Timer(world.clock, scenario.run.duration, Order.EXPIRY))
        return Observed(
            requests=_requests(journeys, replication),
            visits=_visits(world.log.visits, clients.gave_up_s, replication),
            samples=_samples(world.log, replication),
            events=_events(world.log, replication),
        )


@contextmanager
def _rarer_collections() -> Iterator[None]:
    """Let the garbage collector look less often: most objects live to the end, so looking finds little.

    At Python's own threshold it takes a third of the time.
    """
    before = gc.get_threshold()
    gc.set_threshold(max(_COLLECT_EVERY, before[0]), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _requests(journeys: list[Journey], replication: int) -> Columns:
    columns = _columns(journeys, _REQUEST_FIELDS)
    columns["request"] = columns.pop("number")
    columns["replication"] = [replication] * len(journeys)
    ends, starts = columns["end_s"], columns["intended_start_s"]
    columns["sojourn_time_s"] = [end_s - start_s for end_s, start_s in zip(ends, starts, strict=True)]
    return columns


def _visits(visits: list[Visit], gave_up_s: dict[tuple[int, int], float], replication: int) -> Columns:
    columns = _columns(visits, _VISIT_FIELDS)
    columns["replication"] = [replication] * len(visits)
    columns["abandoned"] = [_abandoned(visit, gave_up_s) for visit in visits] if gave_up_s else [False] * len(visits)
    return columns


def _abandoned(visit: Visit, gave_up_s: dict[tuple[int, int], float]) -> bool:
    """Tell whether the client had given up before the visit ended."""
    if visit.background:
        return False  # nobody waited for it in the first place
    given_up_s = gave_up_s.get((visit.request, visit.attempt))
    return given_up_s is not None and not visit.departure_s <= given_up_s


def _samples(log: Log, replication: int) -> Columns:
    rows = [(time_s, *gauge, value) for gauge, steps in log.gauges.items() for time_s, value in steps]
    return _transposed(rows, ("time_s", "component", "replica", "gauge", "value"), replication)


def _events(log: Log, replication: int) -> Columns:
    return _transposed(log.events, ("time_s", "component", "kind", "detail"), replication)


def _transposed(rows: list[Any], names: tuple[str, ...], replication: int) -> Columns:
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return {"replication": [replication] * len(rows)} | {
        name: list(column) for name, column in zip(names, columns, strict=True)
    }


def _columns(rows: list[Any], fields: tuple[str, ...]) -> Columns:
    if not rows:
        return {field: [] for field in fields}
    values = zip(*map(attrgetter(*fields), rows), strict=True)
    return {field: list(column) for field, column in zip(fields, values, strict=True)}
