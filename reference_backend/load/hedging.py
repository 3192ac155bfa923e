"""A client that hedges: a further copy while the first has no answer yet, and the first good answer counts.

Source of the rules: gRPC proposal A6, hedgingPolicy.
"""

from __future__ import annotations

from collections.abc import Callable

import gevent  # type: ignore[import-untyped]  # it ships no types
from gevent.event import AsyncResult  # type: ignore[import-untyped]  # as above

from reference_backend.client import Client, Hedge
from reference_backend.load.exchange import Exchange
from reference_backend.load.guard import Guard
from reference_backend.load.records import Attempt, Outcome, Sent


class Hedging:
    """Sends each request as a race of copies."""

    def __init__(
        self, *, spec: Client, hedge: Hedge, guard: Guard, exchange: Exchange, now: Callable[[], float]
    ) -> None:
        self._spec = spec
        self._hedge = hedge
        self._guard = guard
        self._exchange = exchange
        self._now = now

    def ask(self, sent: Sent) -> None:
        """Send a request, and note how it ended."""
        left_s = None
        if self._spec.deadline_s is not None:
            left_s = max(0.0, sent.planned.intended_start_s + self._spec.deadline_s - self._now())
        self._guard.asked()
        race = _Race(
            after_s=self._hedge.after_s,
            copies=self._spec.attempts,
            guard=self._guard,
            do=lambda number: self._copy(sent, number),
        )
        outcome = race.run(within_s=left_s)
        for attempt in sent.attempts:
            if attempt.outcome == "in_flight":  # it has lost
                attempt.outcome, attempt.end_s = "cancelled", self._now()
        sent.end(outcome, self._now())

    def _copy(self, sent: Sent, number: int) -> Outcome:
        attempt = Attempt(start_s=self._now())
        sent.attempts.append(attempt)
        return self._exchange.attempt(sent.planned, number, attempt, within_s=self._spec.timeout_s)


class _Race:
    """The copies of one request, each a greenlet.

    ::

        a copy --ok--> over; the others are killed, which closes their connections
          | `--fails--> another, at once, if one is left and paid for; else over when no other is under way
          `--after_s without an answer--> another too, if one is left and paid for
    """

    def __init__(self, *, after_s: float, copies: int, guard: Guard, do: Callable[[int], Outcome]) -> None:
        self._after_s = after_s
        self._copies = copies
        self._guard = guard
        self._do = do
        self._sent = 0
        self._under_way: dict[int, gevent.Greenlet] = {}
        self._over: AsyncResult = AsyncResult()

    def run(self, *, within_s: float | None) -> Outcome:
        """Send copies until it is over, or until the deadline; return how it ended."""
        self._begin()
        outcome: Outcome = "timeout"
        with gevent.Timeout(within_s, exception=False):
            outcome = self._over.get()
        self._over.set(outcome)  # whoever comes now is too late
        gevent.killall(list(self._under_way.values()), block=False)
        return outcome

    def _begin(self) -> None:
        number = self._sent
        self._sent += 1
        self._under_way[number] = gevent.spawn(self._run, number)
        if self._sent < self._copies:
            gevent.spawn_later(self._after_s, self._hedge, number)

    def _run(self, number: int) -> None:
        try:
            outcome = self._do(number)
        except Exception as error:
            self._over.set_exception(error)  # so that the request counts as broken, and nobody waits for ever
            return
        if self._over.ready():
            return
        del self._under_way[number]
        self._guard.note(ok=outcome == "ok")
        if outcome == "ok" or not (self._begin_another() or self._under_way):
            self._over.set(outcome)

    def _hedge(self, number: int) -> None:
        if not self._over.ready() and self._sent == number + 1:  # no failure has brought the next one already
            self._begin_another()

    def _begin_another(self) -> bool:
        if self._sent >= self._copies or not self._guard.pay():
            return False
        self._begin()
        return True
