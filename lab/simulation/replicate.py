"""One replication: from a scenario and a schedule to what was observed."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from lab.runs.aggregator import Edges
from lab.scenario.scenario import Scenario
from lab.scenario.schedule import Schedule
from lab.simulation.build import OwnComponents, World
from lab.simulation.client import Clients, Journey
from lab.simulation.clock import Order, Timer
from lab.simulation.columns import Columns, Recorder
from lab.simulation.log import Log

_COLLECT_EVERY = 20_000  # new objects
_AT_ONCE = 10_000  # requests of a schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """The rows of one replication as columns, ready for the tables of a Run."""

    requests: Columns
    visits: Columns
    aggregates: Columns
    samples: Columns
    events: Columns


def replicate(  # what is run, on which luck, and what is kept of it
    scenario: Scenario,
    schedule: Schedule,
    *,
    seed: int,
    replication: int,
    own: OwnComponents | None = None,
    aggregate: Edges | None = None,
) -> Observed:
    """Return what one replication of the scenario observes under a schedule of requests.

    The run stops at ``scenario.run.duration``; whatever is under way then is reported as in flight.

    Args:
        own: the user's own parts by component name.
        aggregate: keep aggregates of the visits instead of their rows, in these blocks and bins.
    """
    duration_s = scenario.run.duration
    world = World(scenario=scenario, seed=seed, replication=replication, requests=len(schedule), own=own or {})
    log = world.log
    clients = Clients(
        clock=world.clock,
        log=log,
        spec=scenario.client,
        entry=world.part(scenario.entry),
        draws=(world.stream("client/backoff"), world.unless_free("client/round_trip", scenario.client.round_trip)),
    )
    recorder = Recorder(log=log, gave_up_s=clients.gave_up_s, edges=aggregate)
    journeys = _journeys(schedule, log)
    world.start_autoscalers()
    with _rarer_collections():
        world.clock.process(clients.arrive(journeys))
        world.clock.run(until=Timer(world.clock, duration_s, Order.EXPIRY))
        for _ in journeys:
            pass  # those that were to start after the end
        requests, visits, aggregates = recorder.finish(duration_s)
        return Observed(
            requests=_of(replication, requests),
            visits=_of(replication, visits),
            aggregates=_of(replication, aggregates),
            samples=_of(replication, _samples(log)),
            events=_of(replication, _events(log)),
        )


def _journeys(schedule: Schedule, log: Log) -> Iterator[Journey]:
    """Make the requests of a schedule one by one, each noted in the log."""
    for first in range(0, len(schedule), _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        starts, keys = schedule.intended_start_s[some].tolist(), schedule.key[some].tolist()
        for number, (endpoint, key, start_s) in enumerate(
            zip(schedule.endpoint[some], keys, starts, strict=True), start=first
        ):
            journey = Journey(number, endpoint, key, start_s)
            log.requests.append(journey)
            yield journey


def _of(replication: int, columns: Columns) -> Columns:
    rows = len(next(iter(columns.values())))
    return {"replication": np.full(rows, replication, dtype=np.int32), **columns}


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


def _samples(log: Log) -> Columns:
    rows = [(time_s, *gauge, value) for gauge, steps in log.gauges.items() for time_s, value in steps]
    return _transposed(rows, ("time_s", "component", "replica", "gauge", "value"))


def _events(log: Log) -> Columns:
    return _transposed(log.events, ("time_s", "component", "kind", "detail"))


def _transposed(rows: list[Any], names: tuple[str, ...]) -> Columns:
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return {name: list(column) for name, column in zip(names, columns, strict=True)}
