"""The real backlog sheds whom the simulated one sheds, at the same times."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.managed_line import ManagedLine
from lab.simulation.shedding import CoDel, ServerCoDel
from reference_backend.backlog import Backlog
from reference_backend.limiting import Shedding

TARGET_S, INTERVAL_S, EVERY_S = 0.02, 0.1, 0.013


def _arrivals_s() -> list[float]:
    """A stretch of twice the slot's rate, a pause, another stretch: spells of shedding that begin and end."""
    draws, now_s, found = np.random.default_rng(5), 0.0, []
    for rate_per_s, until_s in ((150.0, 2.0), (30.0, 3.0), (150.0, 4.5), (40.0, 6.0)):
        while now_s < until_s:
            now_s += draws.exponential(1 / rate_per_s)
            found.append(now_s)
    return found


def _simulated(kind: str) -> list[bool]:
    """Who was served in the simulator, with one slot that each holds for the same time."""
    clock, served = Clock(), {}
    calling = {"codel": CoDel, "server_codel": ServerCoDel}[kind](target_s=TARGET_S, interval_s=INTERVAL_S)
    line = ManagedLine(clock=clock, places=1, room=None, calling=calling)

    def come(number: int):  # type: ignore[no-untyped-def]  # a generator of simpy's
        served[number] = yield from line.enter()
        if served[number]:
            yield clock.timeout(EVERY_S)
            line.leave()

    for number, time_s in enumerate(_arrivals_s()):
        Timer(clock, time_s, Order.ARRIVAL, lambda _, number=number: clock.process(come(number)))
    clock.run(until=20)
    return [served[number] for number in sorted(served)]


async def _real(kind: str) -> list[bool]:
    """Who was served by the real backlog, its clock moved by hand."""
    now_s = 0.0
    shedding = Shedding.model_validate({"kind": kind, "target_s": TARGET_S, "interval_s": INTERVAL_S})
    backlog = Backlog(places=None, shedding=shedding, clock=lambda: now_s)
    ends_s: list[float] = []
    turns: list[asyncio.Future[bool] | None] = []
    arrivals = [*_arrivals_s(), 20.0]
    for time_s in arrivals:
        while ends_s and ends_s[0] <= time_s:
            now_s = ends_s.pop()
            if backlog.call():
                ends_s.append(now_s + EVERY_S)
        now_s = time_s
        if ends_s:
            turns.append(backlog.join())
        else:
            turns.append(None)
            ends_s.append(now_s + EVERY_S)
    return [turn is None or turn.result() for turn in turns[:-1]]


@pytest.mark.parametrize("kind", ["codel", "server_codel"])
def test_the_real_backlog_sheds_whom_the_simulated_one_sheds(kind: str) -> None:
    """The same requests at the same times: each is served in both worlds, or in neither; some are not."""
    simulated, real = _simulated(kind), asyncio.run(_real(kind))
    assert real == simulated
    assert 20 < simulated.count(False) < len(simulated) / 2


def test_a_backlog_that_sheds_nobody_is_first_come_first_served() -> None:
    """Without shedding each is called in turn, whatever the wait; nobody is called from an empty one."""

    async def story() -> list[bool]:
        now_s = 0.0
        backlog = Backlog(places=2, shedding=None, clock=lambda: now_s)
        turns = [backlog.join(), backlog.join()]
        assert backlog.full
        now_s = 1000.0
        assert backlog.call()
        assert [turn.done() for turn in turns] == [True, False]
        assert backlog.call()
        assert not backlog.call()
        return [turn.result() for turn in turns]

    assert asyncio.run(story()) == [True, True]
