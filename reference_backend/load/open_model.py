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
from pathlib import Path

import gevent  # type: ignore[import-untyped]  # it ships no types
from gevent.hub import get_hub  # type: ignore[import-untyped]  # as above
from geventhttpclient.client import HTTPClient

from reference_backend.load import records
from reference_backend.load.exchange import Exchange, Report, open_connections
from reference_backend.load.guard import Guard
from reference_backend.load.hedging import Hedging
from reference_backend.load.plan import Plan
from reference_backend.load.records import Sent
from reference_backend.load.retrying import Retrying
from reference_backend.load.schedule import Planned, Schedule
from reference_backend.ports import CONNECTIONS
from reference_backend.timerfd import TimerFd

# From the announcement of the schedule's zero to that zero: by then nothing is still being set up.
_LEAD_S = 0.5
_PATIENCE_S = 1.0


class OpenModel:
    """Sends one schedule and keeps what came of it."""

    def __init__(self, *, plan: Plan, schedule: Schedule, http: HTTPClient, report: Report) -> None:
        self._plan = plan
        self._schedule = schedule
        self._http = http
        self._ask = self._behaviour(Exchange(plan=plan, http=http, now=self._now, report=report))
        self._sent: list[Sent] = []
        self._happened: list[tuple[float, str, dict[str, object]]] = []
        self._broken = 0
        self._zero_s = 0.0

    def _behaviour(self, exchange: Exchange) -> Callable[[Sent], None]:
        """Return what sends a request as the deployment's client does."""
        spec = self._plan.client
        guard = Guard(spec, now=self._now, tell=self._note)
        if spec.hedge is not None:
            return Hedging(spec=spec, hedge=spec.hedge, guard=guard, exchange=exchange, now=self._now).ask
        return Retrying(spec=spec, guard=guard, exchange=exchange, now=self._now).ask

    def run(self) -> None:
        """Send everything, wait for what is under way, write the results."""
        open_connections(self._http, CONNECTIONS)
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
        gevent.joinall(greenlets, timeout=self._plan.client.longest_s(longest_backoff_s) + _PATIENCE_S)
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
        sent = Sent(planned=planned, start_s=self._now())
        self._sent.append(sent)
        self._ask(sent)

    def _note(self, kind: str, detail: dict[str, object]) -> None:
        self._happened.append((self._now(), kind, detail))

    def _now(self) -> float:
        return time.monotonic() - self._zero_s

    def _write(self) -> None:
        folder = Path(self._plan.output)
        self._sent.sort(key=lambda sent: sent.planned.intended_start_s)
        records.write(folder, self._sent)
        records.write_events(folder, self._happened)
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
