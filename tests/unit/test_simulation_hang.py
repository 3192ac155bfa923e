"""A process that is frozen, thawed, slowed down or killed in the middle of its work: each rule on paper."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lab.simulation.build import World
from lab.simulation.build.service import make_replica
from lab.simulation.clock import Order, Timer
from lab.simulation.log import Visit
from lab.simulation.request import Outcome, Request
from lab.simulation.service import Replica
from tests.unit.backends import scenario, service, waiting

_CPU = {"kind": "cpu", "time": "100ms"}


class Stage:
    """One replica, the requests sent to it, and what is done to it when."""

    def __init__(self, *steps: dict[str, Any], faulty: bool = True, **others: Any) -> None:
        failing = frozenset({"api"} if faulty else ())
        described = scenario({"api": service(*steps, **others)})
        self.world = World(scenario=described, seed=1, replication=0, requests=100, own={}, failing=failing)
        self.replica = make_replica(self.world, "api", described.components["api"], 0)
        self.ends: dict[int, tuple[float, Outcome]] = {}

    def send(self, *starts_s: float) -> None:
        """Let request k start at the k-th time."""
        for number, start_s in enumerate(starts_s):
            self.world.clock.process(self._send(number, start_s))

    def do(self, *acts: tuple[float, Callable[[Replica], None]]) -> None:
        """Do something to the replica at some times."""
        for time_s, act in acts:
            Timer(self.world.clock, time_s, Order.EXPIRY, lambda _, act=act: act(self.replica))

    def run(self) -> list[tuple[float, Outcome]]:
        """Return the ends of the requests."""
        self.world.clock.run(until=100)
        return [self.ends[number] for number in sorted(self.ends)]

    def rows(self, component: str) -> list[Visit]:
        """Return the rows of a component."""
        return [visit for visit in self.world.log.visits if visit.component == component]

    def _send(self, number: int, start_s: float) -> Any:
        yield self.world.clock.timeout(start_s)
        outcome = yield from self.replica.handle(Request(number, 0, "get", 0, 0))
        self.ends[number] = (self.world.clock.now, outcome)


def _ends_s(ends: list[tuple[float, Outcome]]) -> list[float]:
    return [end_s for end_s, _ in ends]


def test_computing_stands_still_in_a_frozen_process() -> None:
    """100 ms of CPU from 0, frozen from 40 ms to 1.04 s: it ends at 1.1 s, and the next 100 ms later."""
    stage = Stage(_CPU)
    stage.send(0.0, 0.0)
    stage.do((0.04, Replica.freeze), (1.04, Replica.thaw))
    assert _ends_s(stage.run()) == pytest.approx([1.1, 1.2])
    computed = [row for row in stage.rows("api.event_loop") if row.operation == "cpu"]
    assert [row.service_time_s for row in computed] == pytest.approx([0.1, 0.1])
    (stopped,) = stage.rows("api.process")
    assert (stopped.operation, stopped.waiting_time_s) == ("stopped", pytest.approx(1.0))


def test_an_answer_waits_for_a_frozen_process() -> None:
    """A wait of 100 ms is over at 100 ms, but nobody goes on before the thaw at 1.05 s."""
    stage = Stage(waiting("100ms"))
    stage.send(0.0)
    stage.do((0.05, Replica.freeze), (1.05, Replica.thaw))
    assert _ends_s(stage.run()) == pytest.approx([1.05])
    (turn,) = stage.rows("api.event_loop")
    assert turn.waiting_time_s == pytest.approx(0.95)


def test_who_comes_to_a_frozen_process_waits_and_is_served_in_order() -> None:
    """Two come to an idle frozen process; they compute after the thaw at 1 s, one after the other."""
    stage = Stage(_CPU)
    stage.send(0.2, 0.1)
    stage.do((0.05, Replica.freeze), (1.0, Replica.thaw))
    assert _ends_s(stage.run()) == pytest.approx([1.2, 1.1])


def test_a_process_may_be_frozen_twice() -> None:
    """Two stops of 500 ms: 100 ms of computing end at 1.1 s."""
    stage = Stage(_CPU)
    stage.send(0.0)
    stage.do((0.02, Replica.freeze), (0.52, Replica.thaw), (0.53, Replica.freeze), (1.03, Replica.thaw))
    assert _ends_s(stage.run()) == pytest.approx([1.1])
    assert [row.waiting_time_s for row in stage.rows("api.process")] == pytest.approx([0.5, 0.5])


def test_what_begins_in_a_slow_process_takes_longer() -> None:
    """Slowed to a third from 50 ms to 150 ms: the first was begun before, the second within, the third after."""
    stage = Stage(_CPU)
    stage.send(0.0, 0.0, 0.0)
    stage.do((0.05, lambda replica: replica.slow_down(3.0)), (0.15, Replica.recover))
    assert _ends_s(stage.run()) == pytest.approx([0.1, 0.4, 0.5])


def test_a_replica_made_without_faults_says_so() -> None:
    """It would have to be built otherwise."""
    with pytest.raises(TypeError, match="made without faults"):
        Stage(_CPU, faulty=False).replica.freeze()


def test_where_nothing_happens_both_builds_are_alike() -> None:
    """Overhead, CPU and waits of many requests: the same times to the last bit."""
    steps = ({"kind": "cpu", "time": {"kind": "exponential", "mean": "8ms"}}, waiting("5ms"), _CPU)
    plain, faulty = (Stage(*steps, faulty=faulty, overhead="2ms", concurrency=3) for faulty in (False, True))
    for stage in (plain, faulty):
        stage.send(*(number * 0.05 for number in range(60)))
    ends = plain.run()
    assert faulty.run() == ends
    assert len(ends) == 60


@pytest.mark.parametrize("frozen", [False, True])
def test_death_ends_computing_with_its_rows(frozen: bool) -> None:
    """Killed at 60 ms in 100 ms of computing, or frozen at 40 ms before: the row tells how much was computed."""
    stage = Stage(_CPU)
    work = stage.world.clock.process(stage.replica.handle(Request(0, 0, "get", 0, 0)))
    work.defused = True
    if frozen:
        stage.do((0.04, Replica.freeze))
    Timer(stage.world.clock, 0.06, Order.EXPIRY, lambda _: work.interrupt())
    stage.run()
    (computed,) = stage.rows("api.event_loop")
    assert (computed.service_time_s, computed.outcome) == (pytest.approx(0.04 if frozen else 0.06), Outcome.ERROR)
    assert all(visit.departure_s == pytest.approx(0.06) for visit in stage.world.log.visits)
