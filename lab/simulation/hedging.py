"""Clients that hedge: they send a further copy of a request while the first is still out."""

from __future__ import annotations

from lab.scenario.client import Client
from lab.scenario.hedge import Hedge
from lab.simulation.client import travel
from lab.simulation.client_request import ClientRequest
from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.gone import Gone
from lab.simulation.log import Log
from lab.simulation.request import Handling, Outcome, Part, Request
from lab.simulation.variate import Variate


class Copies:
    """One request and the copies of it that are under way, by their attempt, in the order in which they were sent."""

    __slots__ = ("asked", "under_way")

    def __init__(self, asked: ClientRequest) -> None:
        self.asked = asked
        self.under_way: dict[int, None] = {}

    @property
    def ended(self) -> bool:
        """Whether the request has its answer."""
        return self.asked.outcome is not Outcome.IN_FLIGHT


class HedgingClients:
    """Sends each request, and copies of it until one is answered well.

    ::

        ask --> a copy --good answer--> ok; the other copies are given up
                 |  ^ `--it fails--> another copy left and paid for? --no--> others under way? --no--> ends so
                 |  |                   | yes                                   `--yes--> waits for them
                 |  `-------------------+
                 `--`after` later, nothing yet, another copy left and paid for? --yes--> sends it too

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
        if asked.guard is not None:
            asked.guard.asked()
        copies = Copies(asked)
        self._send(copies)
        if deadline_s is not None:
            left_s = max(0.0, asked.intended_start_s + deadline_s - clock.now)  # never negative, by no last bit
            Timer(clock, left_s, Order.EXPIRY, lambda _: self._end(copies, Outcome.TIMEOUT))

    def _send(self, copies: Copies) -> None:
        asked, attempt = copies.asked, copies.asked.attempts
        asked.attempts += 1
        copies.under_way[attempt] = None
        self._clock.process(self._do(copies, attempt))
        if self._spec.timeout is not None:
            Timer(self._clock, self._spec.timeout, Order.EXPIRY, lambda _: self._expire(copies, attempt))
        if asked.attempts < self._hedge.attempts:
            Timer(self._clock, self._hedge.after, Order.ARRIVAL, lambda _: self._hedge_after(copies, attempt))

    def _do(self, copies: Copies, attempt: int) -> Handling:
        asked = copies.asked
        request = Request(asked.number, attempt, asked.endpoint, asked.key, 0)
        if self._round_trip is not None:
            yield from travel(self._clock, self._log, request, self._round_trip(request))
        outcome = yield from self._entry.handle(request)
        self._settle(copies, attempt, outcome)
        return outcome

    def _hedge_after(self, copies: Copies, attempt: int) -> None:
        if not copies.ended and copies.asked.attempts == attempt + 1:  # no failure has brought the next one already
            self._send_another(copies)

    def _send_another(self, copies: Copies) -> bool:
        """Send a further copy if there is one left and it can be paid for."""
        asked = copies.asked
        if asked.attempts >= self._hedge.attempts or (asked.guard is not None and not asked.guard.pay()):
            return False
        self._send(copies)
        return True

    def _expire(self, copies: Copies, attempt: int) -> None:
        if attempt in copies.under_way:
            self._gone.note(copies.asked.number, attempt, self._clock.now)
            self._settle(copies, attempt, Outcome.TIMEOUT)

    def _settle(self, copies: Copies, attempt: int, outcome: Outcome) -> None:
        """Take the answer of a copy, unless it was given up before."""
        if attempt not in copies.under_way:
            return
        del copies.under_way[attempt]
        if copies.asked.guard is not None:
            copies.asked.guard.note(outcome)
        if outcome is Outcome.OK or not (self._send_another(copies) or copies.under_way):
            self._end(copies, outcome)

    def _end(self, copies: Copies, outcome: Outcome) -> None:
        """End the request, and give up all copies that are under way."""
        if copies.ended:
            return
        asked, now_s = copies.asked, self._clock.now
        for attempt in copies.under_way:
            self._gone.note(asked.number, attempt, now_s)
        copies.under_way.clear()
        asked.outcome = outcome
        asked.end_s = now_s
        if asked.ended is not None:
            asked.ended(asked)
