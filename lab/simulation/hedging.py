"""Clients and services that hedge: they send a further copy of a request while the first is still out."""

from __future__ import annotations

from lab.scenario.client import Client
from lab.scenario.hedge import Hedge
from lab.simulation.client import travel
from lab.simulation.client_request import ClientRequest
from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.gone import Gone
from lab.simulation.guard import Guard
from lab.simulation.log import Log, Visit
from lab.simulation.race import Race
from lab.simulation.request import Handling, Outcome, Part, Request
from lab.simulation.steps import Call
from lab.simulation.variate import Variate


class HedgingClients:
    """Sends each request, and copies of it until one is answered well, or the client loses patience.

    What was given up goes on occupying the parts until it is served, unless a part heeds that its client has gone.
    """

    def __init__(
        self,
        *,
        place: tuple[Clock, Log],
        spec: Client,
        hedge: Hedge,
        entry: Part,
        round_trip: Variate | None,
        gone: Gone,
    ) -> None:
        self._clock, self._log = place
        self._spec = spec
        self._hedge = hedge
        self._entry = entry
        self._round_trip = round_trip
        self._gone = gone

    def ask(self, asked: ClientRequest) -> None:
        """Send a new request now."""
        clock, deadline_s = self._clock, self._spec.deadline
        asked.start_s = clock.now
        race = Race(
            clock=clock,
            hedge=self._hedge,
            guard=asked.guard,
            send=lambda copy: self._send(asked, race, copy),
            over=lambda outcome: self._end(asked, race, outcome),
        )
        race.start()
        if deadline_s is not None:
            left_s = max(0.0, asked.intended_start_s + deadline_s - clock.now)  # never negative, by no last bit
            Timer(clock, left_s, Order.EXPIRY, lambda _: race.end(Outcome.TIMEOUT))

    def _send(self, asked: ClientRequest, race: Race, copy: int) -> Handling:
        asked.attempts = race.sent
        if self._spec.timeout is not None:
            Timer(self._clock, self._spec.timeout, Order.EXPIRY, lambda _: self._expire(asked, race, copy))
        return self._do(asked, copy)

    def _do(self, asked: ClientRequest, copy: int) -> Handling:
        request = Request(asked.number, copy, asked.endpoint, asked.key, 0)
        if self._round_trip is not None:
            yield from travel(self._clock, self._log, request, self._round_trip(request))
        return (yield from self._entry.handle(request))

    def _expire(self, asked: ClientRequest, race: Race, copy: int) -> None:
        if copy in race.under_way:
            self._gone.note(asked.number, copy, self._clock.now)
            race.note(copy, Outcome.TIMEOUT)

    def _end(self, asked: ClientRequest, race: Race, outcome: Outcome) -> None:
        """End the request, and give up all copies that are under way."""
        now_s = self._clock.now
        for copy in race.under_way:
            self._gone.note(asked.number, copy, now_s)
        asked.outcome = outcome
        asked.end_s = now_s
        if asked.ended is not None:
            asked.ended(asked)


class HedgedCall:
    """A call of another service, and copies of it until one is answered well; what fails is a bad gateway here (502).

    The copies that lost are served to their end, and so is what came too late.

    Args:
        guard: what bounds the copies of all requests that come by here; None: nothing does.
        limit_s: how long it waits for any of them; None: for ever.
    """

    def __init__(self, *, clock: Clock, call: Call, hedge: Hedge, guard: Guard | None, limit_s: float | None) -> None:
        self._clock = clock
        self._call = call
        self._hedge = hedge
        self._guard = guard
        self._limit_s = limit_s

    def run(self, request: Request, visit: Visit) -> Handling:
        """Call, and wait for the first good answer."""
        over = self._clock.event()
        race = Race(
            clock=self._clock,
            hedge=self._hedge,
            guard=self._guard,
            send=lambda copy: self._call.copy(request, copy),
            over=over.succeed,
        )
        race.start()
        if self._limit_s is not None:
            Timer(self._clock, self._limit_s, Order.EXPIRY, lambda _: race.end(Outcome.TIMEOUT))
        outcome = yield over
        return Outcome.OK if outcome is Outcome.OK else Outcome.ERROR
