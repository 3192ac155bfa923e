"""Where computing gets done: jobs of CPU time, and the simplest processor, a core that a process has to itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from simpy.events import Event

from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.request import Request

INSTANT_S = 1e-9
"""Less CPU time than this is none: turns are sums of times, which are not exact to the last bit."""


class Job:
    """CPU time that a process needs without a break.

    Attributes:
        request: for whom.
        left_s: CPU time still to be had; like ``used_s`` as of the last time that the job was settled.
        used_s: CPU time had.
        ended: called when nothing is left.
    """

    __slots__ = ("alarm", "ended", "left_s", "request", "since_s", "used_s")

    def __init__(self, request: Request, cpu_time_s: float, ended: Callable[[Job], None]) -> None:
        self.request = request
        self.left_s = cpu_time_s
        self.used_s = 0.0
        self.ended = ended
        self.since_s = 0.0  # since when it has been computed, or settled
        self.alarm: Event | None = None  # rings when it ends or its turn does; None while it is not computed

    def settle(self, now_s: float) -> None:
        """Count what was computed until now."""
        if self.alarm is not None:
            self.used_s += now_s - self.since_s
            self.left_s -= now_s - self.since_s
            self.since_s = now_s

    def used_until_s(self, now_s: float) -> float:
        """Return the CPU time had until now."""
        return self.used_s if self.alarm is None else self.used_s + now_s - self.since_s

    def finish(self) -> None:
        """Count all that was left, to the last bit, and tell that the job has ended."""
        self.used_s += self.left_s
        self.left_s = 0.0
        self.alarm = None
        self.ended(self)


class Processor(Protocol):
    """What one process computes on, one job after the other."""

    def begin(self, job: Job) -> None:
        """Compute the job as soon as there is a core for it."""
        ...

    def shorten(self, cpu_time_s: float) -> bool:
        """Let the present job end after at most so much more CPU time; return whether that is sooner. Settles it."""
        ...

    def halt(self) -> None:
        """Drop the present job for good, settled: the process has died."""
        ...

    def freeze(self) -> None:
        """Compute nothing until it thaws, and hold no core."""
        ...

    def thaw(self) -> None:
        """Go on where it was frozen."""
        ...


class OwnCore:
    """A core for one process alone: a job takes as long as it needs of CPU time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._job: Job | None = None
        self._frozen = False

    def begin(self, job: Job) -> None:
        """Compute the job at once."""
        self._job = job
        if not self._frozen:
            self._compute(job)

    def shorten(self, cpu_time_s: float) -> bool:
        """Set the alarm anew, if that is sooner."""
        job = self._job
        assert job is not None  # only a job that has begun is shortened
        job.settle(self._clock.now)
        if job.left_s <= cpu_time_s + INSTANT_S:
            return False
        job.left_s = cpu_time_s
        if not self._frozen:
            self._compute(job)
        return True

    def halt(self) -> None:
        """Forget the job."""
        self._stop()
        self._job = None

    def freeze(self) -> None:
        """Stop the job, if there is one."""
        self._frozen = True
        self._stop()

    def thaw(self) -> None:
        """Go on with the job, if there is one."""
        self._frozen = False
        if self._job is not None:
            self._compute(self._job)

    def _stop(self) -> None:
        if self._job is not None:
            self._job.settle(self._clock.now)
            self._job.alarm = None

    def _compute(self, job: Job) -> None:
        job.since_s = self._clock.now
        job.alarm = Timer(self._clock, job.left_s, Order.COMPLETION, self._ring)

    def _ring(self, alarm: Event) -> None:
        job = self._job
        if job is not None and job.alarm is alarm:  # an older alarm is out of date
            self._job = None
            job.finish()
