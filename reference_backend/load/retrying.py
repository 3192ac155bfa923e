"""A client that tries again: after a timeout, a rejection or an error, as far as it may."""

from __future__ import annotations

from collections.abc import Callable

import gevent  # type: ignore[import-untyped]  # it ships no types

from reference_backend.client import Client
from reference_backend.load.exchange import Exchange
from reference_backend.load.guard import Guard
from reference_backend.load.records import Attempt, Outcome, Sent
from reference_backend.load.schedule import Planned


class Retrying:
    """Sends each request over as many attempts as it takes, or as the client has patience for.

    ::

        ask --> may it be sent? --no--> as its last attempt ended; rejected if nothing was sent
                 ^  | yes
                 |  attempt --ok--> ok
                 |    | other outcome, one to retry on, an attempt, time and budget left
                 `--backoff
    """

    def __init__(self, *, spec: Client, guard: Guard, exchange: Exchange, now: Callable[[], float]) -> None:
        self._spec = spec
        self._guard = guard
        self._exchange = exchange
        self._now = now

    def ask(self, sent: Sent) -> None:
        """Send a request, and note how it ended."""
        planned, outcome = sent.planned, "rejected"
        self._guard.asked()
        for number in range(self._spec.attempts):
            if not self._guard.permits(planned.coins[number] if planned.coins else 1.0):
                break
            outcome = self._attempt(sent, number)
            if outcome not in self._spec.retry_on or not self._may_retry(planned, number):
                break
            gevent.sleep(planned.backoffs_s[number])
        sent.end(outcome, self._now())

    def _attempt(self, sent: Sent, number: int) -> Outcome:
        planned, within_s = sent.planned, self._spec.timeout_s
        if self._spec.deadline_s is not None:
            within_s = min(within_s, max(0.0, self._left_s(planned, self._spec.deadline_s)))
        attempt = Attempt(start_s=self._now())
        sent.attempts.append(attempt)
        outcome = self._exchange.attempt(planned, number, attempt, within_s=within_s)
        self._guard.note(ok=outcome == "ok")
        return outcome

    def _left_s(self, planned: Planned, deadline_s: float) -> float:
        return planned.intended_start_s + deadline_s - self._now()

    def _may_retry(self, planned: Planned, number: int) -> bool:
        """Return whether there is another attempt, and pay for it."""
        if number + 1 >= self._spec.attempts:
            return False
        if self._spec.deadline_s is not None and planned.backoffs_s[number] >= self._left_s(
            planned, self._spec.deadline_s
        ):
            return False
        return self._guard.pay()  # last, so that nothing is paid for what is not sent
