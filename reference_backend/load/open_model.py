"""The open model: each request leaves at its intended time, whatever became of the others.

One greenlet walks the schedule and spawns another for each request. An alarm of the kernel wakes it, since gevent's own
timers count whole milliseconds. No garbage is collected while requests are sent.
"""

from __future__ import annotations

import gc
import json
import os
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import gevent  # type: ignore[import-untyped]  # it ships no types
from gevent.hub import get_hub  # type: ignore[import-untyped]  # as above
from geventhttpclient.client import HTTPClient

from reference_backend.load import records
from reference_backend.load.plan import Plan
from reference_backend.load.records import Attempt, Outcome, Sent
from reference_backend.load.schedule import Planned, Schedule
from reference_backend.timerfd import TimerFd

# From the announcement of the schedule's zero to that zero: by then nothing is still being set up.
_LEAD_S = 0.5
_PATIENCE_S = 1.0
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


class OpenModel:
    """Sends one schedule and keeps what came of it."""

    def __init__(self, *, plan: Plan, schedule: Schedule, http: HTTPClient, report: Report) -> None:
        self._plan = plan
        self._schedule = schedule
        self._http = send_once(http)
        self._report = report
        self._sent: list[Sent] = []
        self._broken = 0
        self._zero_s = 0.0

    def run(self) -> None:
        """Send everything, wait for what is under way, write the results."""
        gc.collect()
        gc.freeze()
        gc.disable()
        self._zero_s = time.monotonic() + _LEAD_S
        self._tell(t0=self._zero_s)
        teller = gevent.spawn(self._tell_every_second)
        greenlets = self._dispatch()
        longest_backoff_s = max(
            (wait for planned in self._schedule.requests for wait in planned.backoffs_s), default=0.0
        )
        gevent.joinall(
            greenlets, timeout=self._plan.attempts * (self._plan.timeout_s + longest_backoff_s) + _PATIENCE_S
        )
        gevent.killall(greenlets)
        self._broken = sum(greenlet.exception is not None for greenlet in greenlets)
        teller.kill()
        gc.enable()
        self._write()

    def _dispatch(self) -> list[gevent.Greenlet]:
        """Spawn a greenlet for each request at its intended start; return them all."""
        timer = TimerFd()
        watcher = get_hub().loop.io(timer.fd, 1)
        greenlets = []
        used_s, began_s = time.process_time(), time.monotonic()
        try:
            for planned in self._schedule.requests:
                at_s = self._zero_s + planned.intended_start_s
                if at_s > time.monotonic():
                    timer.set(at_s)
                    get_hub().wait(watcher)
                    timer.clear()
                greenlets.append(gevent.spawn(self._request, planned))
        finally:
            watcher.close()
            timer.close()
        gevent.sleep(max(0.0, self._zero_s + self._schedule.duration_s - time.monotonic()))
        self._cpu_ratio = (time.process_time() - used_s) / (time.monotonic() - began_s)
        return greenlets

    def _request(self, planned: Planned) -> None:
        """Send one request, attempt after attempt, until one succeeds or none is left."""
        sent = Sent(planned=planned, start_s=self._now())
        self._sent.append(sent)
        for number in range(self._plan.attempts):
            attempt = Attempt(start_s=self._now())
            sent.attempts.append(attempt)
            self._attempt(planned, number, attempt)
            if attempt.outcome == "ok":
                break
            if number < self._plan.attempts - 1:
                gevent.sleep(planned.backoffs_s[number])
        sent.outcome = sent.attempts[-1].outcome
        sent.end_s = sent.attempts[-1].end_s

    def _attempt(self, planned: Planned, number: int, attempt: Attempt) -> None:
        """Make one attempt; on a timeout the connection is closed, as a client that has lost patience does."""
        method = self._plan.methods[planned.endpoint]
        size = 0
        problem: Exception | None = None
        patience = gevent.Timeout(self._plan.timeout_s)
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

    def _headers(self, planned: Planned, number: int) -> dict[str, str]:
        count = self._plan.demands_of[planned.endpoint]
        demands = planned.demands_s[number * count : (number + 1) * count]
        return {
            "X-Request": str(planned.request),
            "X-Attempt": str(number),
            "X-Demands": ",".join(map(repr, demands)),
        }

    def _now(self) -> float:
        return time.monotonic() - self._zero_s

    def _write(self) -> None:
        folder = Path(self._plan.output)
        self._sent.sort(key=lambda sent: sent.planned.intended_start_s)
        records.write(folder, self._sent)
        records.write_quality(
            folder,
            self._sent,
            dropped=len(self._schedule.requests) - len(self._sent),
            broken=self._broken,
            cpu_ratio=self._cpu_ratio,
            cores=sorted(os.sched_getaffinity(0)),
        )

    def _tell_every_second(self) -> None:
        while True:
            gevent.sleep(1.0)
            self._tell(sent=len(self._sent), elapsed_s=round(self._now(), 3))

    def _tell(self, **fields: float) -> None:
        os.write(self._plan.progress_fd, json.dumps(fields).encode() + b"\n")


def outcome_of(status: int) -> Outcome:
    """Return what an answer's status means to the client."""
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return "ok"
    return "rejected" if status == HTTPStatus.SERVICE_UNAVAILABLE else "error"
