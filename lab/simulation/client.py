"""The clients: they send, wait, give up and try again. Their clock decides."""

from __future__ import annotations

from lab.randomness import Stream
from lab.scenario.client import Client, backoff_delay_s
from lab.simulation.client_request import ClientRequest
from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.gone import Gone
from lab.simulation.log import Log
from lab.simulation.request import Handling, Outcome, Part, Request
from lab.simulation.variate import Variate


class Clients:
    """Sends each request over as many attempts as it takes, or as the client has patience for.

    ::

        ask --> permitted? --no--> rejected, or as its last attempt ended
                 ^  | yes
                 |  v
                 |  attempt --answer ok--> ok
                 |    |--other answer--> rejected or error --+
                 |    `--timeout, deadline--> timeout -------+--no attempt, time or budget left--> ends so
                 |                                           v
                 +-----------------------------------------backoff

    What an abandoned attempt left behind goes on occupying the parts until it is served.
    """

    def __init__(
        self, *, clock: Clock, log: Log, spec: Client, entry: Part, draws: tuple[Stream, Variate | None], gone: Gone
    ) -> None:
        self._clock = clock
        self._log = log
        self._spec = spec
        self._entry = entry
        self._backoffs, self._round_trip = draws
        self._gone = gone
        self._retried = frozenset(Outcome(each) for each in spec.retry.retry_on) if spec.retry else frozenset()

    def ask(self, asked: ClientRequest) -> None:
        """Send a new request now."""
        asked.start_s = self._clock.now
        if asked.guard is not None:
            asked.guard.asked()
        self._try(asked)

    def _try(self, asked: ClientRequest) -> None:
        if asked.guard is not None and not asked.guard.permits(asked.number, asked.attempts):
            self._end(asked, asked.failed or Outcome.REJECTED)
            return
        attempt = asked.attempts
        asked.attempts += 1
        asked.pending = True
        self._clock.process(self._send(asked, attempt))
        limit_s = self._spec.timeout
        if self._spec.deadline is not None:
            left_s = max(0.0, self._left_s(asked, self._spec.deadline))  # never negative, by no last bit
            limit_s = left_s if limit_s is None else min(limit_s, left_s)
        if limit_s is not None:
            Timer(self._clock, limit_s, Order.EXPIRY, lambda _: self._expire(asked, attempt))

    def _left_s(self, asked: ClientRequest, deadline_s: float) -> float:
        return asked.intended_start_s + deadline_s - self._clock.now

    def _send(self, asked: ClientRequest, attempt: int) -> Handling:
        request = Request(asked.number, attempt, asked.endpoint, asked.key, 0)
        if self._round_trip is not None:
            yield from travel(self._clock, self._log, request, self._round_trip(request))
        outcome = yield from self._entry.handle(request)
        if asked.pending and asked.attempts == attempt + 1:
            self._settle(asked, outcome)
        return outcome

    def _expire(self, asked: ClientRequest, attempt: int) -> None:
        if asked.pending and asked.attempts == attempt + 1:
            self._gone.note(asked.number, attempt, self._clock.now)
            self._settle(asked, Outcome.TIMEOUT)

    def _settle(self, asked: ClientRequest, outcome: Outcome) -> None:
        asked.pending = False
        if asked.guard is not None:
            asked.guard.note(outcome)
        if outcome in self._retried:
            delay_s = self._retry_delay_s(asked)
            if delay_s is not None:
                asked.failed, asked.retry_delay_s = outcome, delay_s
                Timer(self._clock, delay_s, Order.ARRIVAL, lambda _: self._try(asked))
                return
        self._end(asked, outcome)

    def _retry_delay_s(self, asked: ClientRequest) -> float | None:
        """Return how long to wait before the next attempt, or None if there is to be none."""
        spec = self._spec
        if asked.attempts >= spec.attempts:
            return None
        delay_s = next_delay_s(
            spec, self._backoffs, number=asked.number, retry=asked.attempts, previous_s=asked.retry_delay_s
        )
        if spec.deadline is not None and delay_s >= self._left_s(asked, spec.deadline):
            return None
        if asked.guard is not None and not asked.guard.pay():  # last, so that nothing is paid for what is not sent
            return None
        return delay_s

    def _end(self, asked: ClientRequest, outcome: Outcome) -> None:
        asked.outcome = outcome
        asked.end_s = self._clock.now
        if asked.ended is not None:
            asked.ended(asked)


def travel(clock: Clock, log: Log, request: Request, time_s: float) -> Handling:
    """Cross the network, there and back: a row of its own, so that the client's time adds up."""
    visit = log.open_visit(request.child("round_trip", 0), "client", 0, clock.now)
    visit.admit(clock.now)
    visit.service_time_s = time_s
    yield clock.timeout(time_s)
    return visit.close(clock.now, Outcome.OK)


def next_delay_s(spec: Client, backoffs: Stream, *, number: int, retry: int, previous_s: float | None) -> float:
    """Return the wait in seconds before retry ``retry`` (1 is the first) of request ``number``.

    Args:
        spec: whose backoff.
        backoffs: the stream of its jitter.
        number: of the client's request.
        retry: 1 or more.
        previous_s: the wait before the retry before this one; None if this is the first.
    """
    if spec.retry is None:
        return 0.0
    backoff = spec.retry.backoff
    return backoff_delay_s(backoff, retry=retry, uniform=backoffs.uniform(number, retry), previous_s=previous_s)


def retry_delays_s(spec: Client, backoffs: Stream, *, number: int) -> list[float]:
    """Return the wait before each retry that request ``number`` may come to: the load generator is told them."""
    delays: list[float] = []
    for retry in range(1, spec.attempts):
        previous_s = delays[-1] if delays else None
        delays.append(next_delay_s(spec, backoffs, number=number, retry=retry, previous_s=previous_s))
    return delays
