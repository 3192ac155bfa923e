"""What an autoscaler sees of the replicas: means over a window, from counters that only go up."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Protocol

from lab.scenario.scaling_metric import Metric
from lab.simulation.clock import Clock
from lab.simulation.fleet import Fleet, Life, Member
from lab.simulation.log import Log, Visit
from lab.simulation.request import Outcome
from lab.simulation.service import Replica
from lab.simulation.workers import Workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What one process has done until a time.

    Attributes:
        request_time_s: the sum over its requests of the time that they have been under way.
        answered: answers given.
        cpu_time_s: time that its event loop has computed.
    """

    request_time_s: float
    answered: int
    cpu_time_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The counters of all ready processes at one time, by the index of the process."""

    time_s: float
    counters: dict[int, Counters]


class ReadsCpu(Protocol):
    """The CPU times of the replicas of a service."""

    def read(self, now_s: float) -> dict[int, float]:
        """Return the CPU time until now in seconds by the index of the replica."""
        ...


class InterpreterTimes:
    """The CPU time of replicas whose computing is scheduled (threads, a shared host), as their interpreters know it."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def read(self, now_s: float) -> dict[int, float]:  # the interpreters have clocks
        """Return the CPU time in seconds by the index of the replica."""
        parts = {member.index: member.part for member in self._fleet.members if member.life is Life.READY}
        return {index: part.cpu_time_s() for index, part in parts.items() if isinstance(part, Replica | Workers)}


class CpuTimes:
    """The CPU time of the replicas of a service until now, from the rows of their event loops.

    Reading the log costs the requests nothing. A stretch of computing that is not over counts up to now.

    Args:
        workers: event loops of each replica; those of replica i have the numbers from i x workers on.
    """

    def __init__(self, *, log: Log, name: str, workers: int) -> None:
        self._workers = workers
        self._new = log.newcomers(f"{name}.event_loop")
        self._running: list[Visit] = []
        self._ended_s: dict[int, float] = defaultdict(float)

    def read(self, now_s: float) -> dict[int, float]:
        """Return the CPU time in seconds by the index of the replica."""
        self._running += [visit for visit in self._new.take() if visit.operation != "turn"]
        running = []
        for visit in self._running:
            if visit.outcome is Outcome.IN_FLIGHT:
                running.append(visit)
            else:
                self._ended_s[visit.replica // self._workers] += visit.service_time_s
        self._running = running
        total_s = defaultdict(float, self._ended_s)
        for visit in running:
            total_s[visit.replica // self._workers] += min(now_s - visit.arrival_s, visit.service_time_s)
        return total_s


class Waiting:
    """How many wait at a component now, from its rows: those that have come and not been admitted.

    Args:
        unsettled: whether those count too that have been admitted and are not done: of a queue, the messages that are
            delivered and not acknowledged, which KEDA counts for every broker.
    """

    def __init__(self, *, log: Log, name: str, unsettled: bool) -> None:
        self._new = log.newcomers(name)
        self._unsettled = unsettled
        self._waiting: list[Visit] = []

    def read(self) -> int:
        """Return how many there are."""
        self._waiting = [
            visit
            for visit in self._waiting + self._new.take()
            if visit.outcome is Outcome.IN_FLIGHT and (self._unsettled or math.isnan(visit.admitted_s))
        ]
        return len(self._waiting)


class Meter:
    """Reads the counters of a fleet.

    The difference of two readings over the time between them is the exact mean: nothing is sampled.

    Args:
        workers: event loops of each replica, over which its CPU is shared out.
        slots: of each replica, over which its requests under way are; None: no limit.
    """

    def __init__(self, *, clock: Clock, fleet: Fleet, cpu: ReadsCpu, workers: int, slots: int | None) -> None:
        self._clock = clock
        self._fleet = fleet
        self._cpu = cpu
        self._workers = workers
        self._slots = slots

    def read(self) -> Snapshot:
        """Return the counters now."""
        cpu_time_s = self._cpu.read(self._clock.now)
        return Snapshot(
            time_s=self._clock.now,
            counters={
                member.index: Counters(
                    request_time_s=member.request_time_s(),
                    answered=member.answered,
                    cpu_time_s=cpu_time_s.get(member.index, 0.0),
                )
                for member in self._fleet.members
                if member.life is Life.READY
            },
        )

    def mean(self, metric: Metric, member: Member, opening: Snapshot, closing: Snapshot) -> float | None:
        """Return the mean of a metric of one process over the window, or over what of it the process was ready.

        None where it was not ready before the window closed: then there is no reading.
        """
        after = closing.counters.get(member.index)
        span_s = closing.time_s - max(opening.time_s, member.ready_s)
        if after is None or span_s <= 0:
            return None
        before = opening.counters.get(member.index, _NOTHING)
        match metric:
            case "concurrency":
                assert self._slots is not None  # the scenario's own check has seen to it
                return (after.request_time_s - before.request_time_s) / span_s / self._slots
            case "cpu":
                return (after.cpu_time_s - before.cpu_time_s) / span_s / self._workers
            case "throughput":
                return (after.answered - before.answered) / span_s


_NOTHING = Counters(request_time_s=0.0, answered=0, cpu_time_s=0.0)
