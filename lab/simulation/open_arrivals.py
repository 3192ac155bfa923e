"""Requests that come by a schedule, whatever the answers are."""

from __future__ import annotations

import math
from collections.abc import Iterator

from lab.scenario.schedule import Schedule
from lab.simulation.client_request import Asks, ClientRequest
from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.guard import Guard
from lab.simulation.log import Log
from lab.simulation.request import Handling, Outcome

_AT_ONCE = 10_000  # requests of a schedule


class OpenArrivals:
    """Sends each request of a schedule at its intended start.

    Args:
        guard: what all clients heed together; each comes once, so there is nothing that one of them could learn.
    """

    def __init__(self, *, clock: Clock, log: Log, clients: Asks, schedule: Schedule, guard: Guard | None) -> None:
        self._clock = clock
        self._log = log
        self._clients = clients
        self._schedule = schedule
        self._guard = guard
        self._requests = self._made()

    def start(self) -> None:
        """Begin; the requests come as time passes."""
        self._clock.process(self._arrive())

    def finish(self) -> None:
        """Note the requests that were to start after the end."""
        for _ in self._requests:
            pass

    def _made(self) -> Iterator[ClientRequest]:
        """Make the requests one by one, each noted in the log."""
        schedule, guard, noted = self._schedule, self._guard, self._log.requests
        for first in range(0, len(schedule), _AT_ONCE):
            some = slice(first, first + _AT_ONCE)
            starts, keys = schedule.intended_start_s[some].tolist(), schedule.key[some].tolist()
            for number, (endpoint, key, start_s) in enumerate(
                zip(schedule.endpoint[some], keys, starts, strict=True), start=first
            ):
                asked = ClientRequest(number, endpoint, key, start_s, guard)
                noted.append(asked)
                yield asked

    def _arrive(self) -> Handling:
        clock = self._clock
        for asked in self._requests:
            delay_s = asked.intended_start_s - clock.now
            if clock.now + delay_s < asked.intended_start_s:
                delay_s = math.nextafter(delay_s, math.inf)  # nobody starts before the intended time, by no last bit
            if delay_s > 0:
                yield Timer(clock, delay_s, Order.ARRIVAL)
            self._clients.ask(asked)
        return Outcome.OK
