"""Pauses of a process: a garbage collector that stops the world."""

from __future__ import annotations

from collections.abc import Callable

from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.fleet import Stoppable

Times = Callable[[int], float]
"""Time number 0, 1, 2, ... of a process, in seconds."""


class Pauses:
    """Stops one process now and then, for as long as it lives.

    ::

        runs --every--> stands still --time--> runs ...     until the process ends

    A process that a fault has stopped as well goes on when both are over.
    """

    def __init__(self, *, clock: Clock, process: Stoppable, every: Times, time: Times) -> None:
        self._clock = clock
        self._process = process
        self._every = every
        self._time = time
        self._number = 0
        self._ended = False
        self._wait()

    def end(self) -> None:
        """Make no further pause: the process has ended."""
        self._ended = True

    def _wait(self) -> None:
        Timer(self._clock, self._every(self._number), Order.EXPIRY, lambda _: self._begin())

    def _begin(self) -> None:
        if not self._ended:
            self._process.freeze()
            Timer(self._clock, self._time(self._number), Order.EXPIRY, lambda _: self._finish())

    def _finish(self) -> None:
        if not self._ended:
            self._process.thaw()
            self._number += 1
            self._wait()
