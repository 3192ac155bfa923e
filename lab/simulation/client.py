"""The clients: they send, wait, give up and try again. Their clock decides."""

from __future__ import annotations

import math
from collections.abc import Iterable

from lab.randomness import Stream
from lab.scenario.client import Client, backoff_delay_s
from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.log import Log
from lab.simulation.request import Handling, Outcome, Part, Request
from lab.simulation.variate import Variate


class Journey:
    """A client's request from its intended start to its end, over all attempts."""

    __slots__ = ("attempts", "end_s", "endpoint", "intended_start_s", "key", "number", "outcome", "pending", "start_s")

    def __init__(self, number: int, endpoint: str, key: int, intended_start_s: float) -> None:
        self.number = number
        self.endpoint = endpoint
        self.key = key
        self.intended_start_s = intended_start_s
        self.start_s = math.nan
        self.end_s = math.nan
        self.outcome = Outcome.IN_FLIGHT
        self.attempts = 0
        self.pending = False  # an attempt is under way, the one with number attempts - 1


class Clients:
    """Sends each request at its intended start, whatever the others do (an open workload).

    ::

        start --> attempt --answer ok--> ok
                   ^  |--other answer--> rejected or error --attempts left--> backoff --+
                   |  `--timeout-------> timeout ----------/                            |
                   +--------------------------------------------------------------------+

    What an abandoned attempt left behind goes on occupying the parts until it is served.
    """

    def __init__(
        self, *, clock: Clock, log: Log, spec: Client, entry: Part, draws: tuple[Stream, Variate | None]
    ) -> None:
        self._clock = clock
        self._log = log
        self._spec = spec
        self._entry = entry
        self._backoffs, self._round_trip = draws
        self.gave_up_s: dict[tuple[int, int], float] = {}

    def arrive(self, journeys: Iterable[Journey]) -> Handling:
        """Start every journey at its intended time."""
        clock = self._clock
        for journey in journeys:
            delay_s = journey.intended_start_s - clock.now
            if clock.now + delay_s < journey.intended_start_s:
                delay_s = math.nextafter(delay_s, math.inf)  # nobody starts before the intended time, by no last bit
            if delay_s > 0:
                yield Timer(clock, delay_s, Order.ARRIVAL)
            journey.start_s = clock.now
            self._try(journey)
        return Outcome.OK

    def _try(self, journey: Journey) -> None:
        attempt = journey.attempts
        journey.attempts += 1
        journey.pending = True
        self._clock.process(self._send(journey, attempt))
        if self._spec.timeout is not None:
            Timer(self._clock, self._spec.timeout, Order.EXPIRY, lambda _: self._expire(journey, attempt))

    def _send(self, journey: Journey, attempt: int) -> Handling:
        request = Request(journey.number, attempt, journey.endpoint, journey.key, 0)
        if self._round_trip is not None:
            yield from self._travel(request, self._round_trip(request))
        outcome = yield from self._entry.handle(request)
        if journey.pending and journey.attempts == attempt + 1:
            self._settle(journey, outcome)
        return outcome

    def _travel(self, request: Request, time_s: float) -> Handling:
        """Cross the network, there and back: a row of its own, so that the client's time adds up."""
        visit = self._log.open_visit(request.child("round_trip", 0), "client", 0, self._clock.now)
        visit.admit(self._clock.now)
        visit.service_time_s = time_s
        yield self._clock.timeout(time_s)
        return visit.close(self._clock.now, Outcome.OK)

    def _expire(self, journey: Journey, attempt: int) -> None:
        if journey.pending and journey.attempts == attempt + 1:
            self.gave_up_s[journey.number, attempt] = self._clock.now
            self._settle(journey, Outcome.TIMEOUT)

    def _settle(self, journey: Journey, outcome: Outcome) -> None:
        journey.pending = False
        retry = self._spec.retry
        if outcome is Outcome.OK or retry is None or journey.attempts >= retry.attempts:
            journey.outcome = outcome
            journey.end_s = self._clock.now
            return
        delay_s = retry_delay_s(self._spec, self._backoffs, number=journey.number, retry=journey.attempts)
        Timer(self._clock, delay_s, Order.ARRIVAL, lambda _: self._try(journey))


def retry_delay_s(spec: Client, backoffs: Stream, *, number: int, retry: int) -> float:
    """Return the wait in seconds before retry ``retry`` (1 is the first) of request ``number``.

    Both worlds wait this long: the load generator is told it with the schedule.
    """
    if spec.retry is None:
        return 0.0
    return backoff_delay_s(spec.retry.backoff, retry=retry, uniform=backoffs.uniform(number, retry))
