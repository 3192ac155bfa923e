"""One attempt over HTTP: what is sent, how long it is waited for, and how it ended."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

import gevent  # type: ignore[import-untyped]  # it ships no types
from geventhttpclient.client import HTTPClient

from reference_backend.load.plan import Plan
from reference_backend.load.records import Attempt, Outcome
from reference_backend.load.schedule import Planned

# Called with method, endpoint, response time, bytes, exception: what Locust counts in its own statistics.
Report = Callable[[str, str, float, int, Exception | None], None]


class AttemptFailed(Exception):
    """How an attempt ended, for Locust's own statistics."""


def send_once(http: HTTPClient) -> HTTPClient:
    """Keep a client from sending a request again by itself when its connection breaks; return it.

    geventhttpclient does so for GET and PUT, unasked, as often as its pool has places. Such an attempt would be in no
    table, and the backend would be sent more than the schedule holds. The pool's ``size`` has no other use once the
    pool is made.
    """
    http._connection_pool.size = -1  # it allows itself ``size + 1`` more attempts
    return http


def open_connections(http: HTTPClient, count: int) -> None:
    """Open connections before the first request, which later ones use again.

    A server that is busy reads what comes on a connection that it has to accept first turns of its event loop later
    than what comes on one that it knows, so that requests overtake each other.
    """
    pool = http._connection_pool
    for connection in [pool.get_socket() for _ in range(count)]:
        pool.return_socket(connection)


class Exchange:
    """Makes attempts, whoever decides on them."""

    def __init__(self, *, plan: Plan, http: HTTPClient, now: Callable[[], float], report: Report) -> None:
        self._plan = plan
        self._http = send_once(http)
        self._now = now
        self._report = report

    def attempt(self, planned: Planned, number: int, attempt: Attempt, *, within_s: float) -> Outcome:
        """Make one attempt, note its end, and return how it ended.

        After ``within_s``, or when its greenlet is killed, the connection is closed, as a client that has lost patience
        does. Of an attempt that is killed nothing is noted here.
        """
        method = self._plan.methods[planned.endpoint]
        size = 0
        problem: Exception | None = None
        patience = gevent.Timeout(within_s)
        patience.start()
        try:
            answer = self._http.request(
                method, f"/{planned.endpoint}?key={planned.key}", headers=self._headers(planned, number)
            )
            size = len(answer.read())
            attempt.status = answer.status_code
            outcome = outcome_of(answer.status_code)
        except gevent.Timeout as passed:
            if passed is not patience:
                raise
            outcome = "timeout"
        except Exception as error:
            # Whatever it was (no descriptor left, a reset, a fault of ours): it has no status, and counts as a fault.
            outcome, problem = "error", error
        finally:
            patience.close()
        attempt.end_s = self._now()
        attempt.outcome = outcome
        if outcome != "ok" and problem is None:
            problem = AttemptFailed(outcome if attempt.status is None else f"{outcome} ({attempt.status})")
        self._report(method, planned.endpoint, attempt.end_s - attempt.start_s, size, problem)
        return outcome

    def _headers(self, planned: Planned, number: int) -> dict[str, str]:
        count = self._plan.demands_of[planned.endpoint]
        demands = planned.demands_s[number * count : (number + 1) * count]
        return {
            "X-Request": str(planned.request),
            "X-Attempt": str(number),
            "X-Demands": ",".join(map(repr, demands)),
        }


def outcome_of(status: int) -> Outcome:
    """Return what an answer's status means to the client."""
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return "ok"
    return "rejected" if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS) else "error"
