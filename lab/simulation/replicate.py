"""One replication: from a scenario and a schedule to what was observed."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from lab.runs.aggregator import Edges
from lab.scenario.scenario import Scenario
from lab.scenario.schedule import Schedule
from lab.simulation.build import OwnComponents, World
from lab.simulation.build.clients import make_source
from lab.simulation.build.faults import inject
from lab.simulation.clock import Order, Timer
from lab.simulation.columns import Columns, Recorder
from lab.simulation.log import Log

_COLLECT_EVERY = 20_000  # new objects


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """The rows of one replication as columns, ready for the tables of a Run."""

    requests: Columns
    visits: Columns
    aggregates: Columns
    samples: Columns
    events: Columns


def replicate(  # noqa: PLR0913  # what is run, on which luck, and what is kept of it
    scenario: Scenario,
    schedule: Schedule | None,
    *,
    seed: int,
    replication: int,
    own: OwnComponents | None = None,
    aggregate: Edges | None = None,
    twin: int = 0,
) -> Observed:
    """Return what one replication of the scenario observes.

    The run stops at ``scenario.run.duration``; whatever is under way then is reported as in flight.

    Args:
        schedule: the requests to send; None for a workload whose requests depend on the answers.
        own: the user's own parts by component name.
        aggregate: keep aggregates of the visits instead of their rows, in these blocks and bins.
        twin: which luck the parts have that nobody can give to a real backend; 0: the replication's own.
    """
    duration_s = scenario.run.duration
    count = len(schedule) if schedule is not None else sys.maxsize  # as many as there will be
    world = World(scenario=scenario, seed=seed, replication=replication, requests=count, own=own or {})
    if twin:
        world.become_twin(twin)
    log = world.log
    source = make_source(world, schedule)
    recorder = Recorder(log=log, gave_up_s=world.gone.gave_up_s, edges=aggregate)
    world.start_autoscalers()
    inject(world)
    with _rarer_collections():
        source.start()
        world.clock.run(until=Timer(world.clock, duration_s, Order.EXPIRY))
        source.finish()
        requests, visits, aggregates = recorder.finish(duration_s)
        return Observed(
            requests=_of(replication, requests),
            visits=_of(replication, visits),
            aggregates=_of(replication, aggregates),
            samples=_of(replication, _samples(log)),
            events=_of(replication, _events(log)),
        )


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
