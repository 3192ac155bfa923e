"""A service as whatever scales it sees it."""

from __future__ import annotations

from collections.abc import Callable, Generator

from simpy.events import Event

from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.deployment import Deployment
from lab.simulation.log import Log

Loop = Generator[Event, object, None]


class Scaled:
    """A service as its autoscaler sees it: who lives, and how to have more or fewer, with a note of why.

    Attributes:
        bounds: the fewest and the most replicas that there may be now; a schedule may change them.
    """

    def __init__(self, *, clock: Clock, log: Log, name: str, deployment: Deployment, bounds: tuple[int, int]) -> None:
        self.clock = clock
        self.deployment = deployment
        self.bounds = bounds
        self._log = log
        self._name = name

    def until(self, time_s: float) -> Timer:
        """Return what happens at this time, before requests that arrive then."""
        return Timer(self.clock, max(0.0, time_s - self.clock.now), Order.EXPIRY)

    def at(self, time_s: float, happen: Callable[[], None]) -> None:
        """Have something happen at this time, before requests that arrive then."""
        Timer(self.clock, max(0.0, time_s - self.clock.now), Order.EXPIRY, lambda _: happen())

    def decide(self, replicas: int, **why: object) -> None:
        """Have this many ``replicas`` from now on, and note why."""
        now_s, before = self.clock.now, self.deployment.wanted
        self._log.event(self._name, "scaling_decision", now_s, before=before, after=replicas, **why)
        if replicas != before:
            self.deployment.scale_to(replicas)
