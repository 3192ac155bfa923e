"""What Locust runs: one user, whose one task is to send the whole schedule in an open model."""

from __future__ import annotations

import os
import time
from pathlib import Path

import gevent  # type: ignore[import-untyped]  # it ships no types
from geventhttpclient.url import URL
from locust import FastHttpUser, task
from locust.exception import StopUser

from reference_backend.load.open_model import OpenModel
from reference_backend.load.plan import VARIABLE, Plan
from reference_backend.load.schedule import read_schedule

_PLAN = Plan.read(Path(os.environ[VARIABLE]))
_SCHEDULE = read_schedule(
    Path(_PLAN.schedule),
    demands_of=_PLAN.demands_of,
    attempts=_PLAN.client.attempts,
    coins=_PLAN.client.throttle is not None,
)


class Dispatcher(FastHttpUser):
    """The user that stands for all clients."""

    host = _PLAN.base_url
    # An open model never waits for a connection of its own.
    concurrency = 20_000
    # Whether a request is sent again, and where to, is the schedule's business.
    max_retries = 0
    max_redirects = 0
    # The attempt's own timeout is stricter than these, and counts the whole attempt.
    connection_timeout = 3600.0
    network_timeout = 3600.0

    @task
    def send_the_schedule(self) -> None:
        """Send everything once, then end Locust."""
        http = self.client.client.clientpool.get_client(URL(_PLAN.base_url))
        OpenModel(plan=_PLAN, schedule=_SCHEDULE, http=http, report=self._report).run()
        gevent.spawn(self.environment.runner.quit)
        raise StopUser

    def _report(self, method: str, endpoint: str, seconds: float, size: int, problem: Exception | None) -> None:
        """Let Locust's own statistics know of an attempt."""
        self.environment.events.request.fire(
            request_type=method,
            name=endpoint,
            response_time=seconds * 1000,
            response_length=size,
            response=None,
            context={},
            exception=problem,
            start_time=time.time() - seconds,
            url=f"/{endpoint}",
        )
