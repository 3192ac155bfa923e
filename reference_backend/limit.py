"""How many requests a replica works on at once, and how many may wait.

::

    arrival --> slot free? --yes--> admitted --> application --> departure
                   | no                ^
                   v                   | first come, first served
              backlog full? --no--> waiting --shed: it waited too long--> 503
                   | yes
                   v
              503, rejected at once

uvicorn's own ``limit_concurrency`` counts idle connections too, so it limits clients rather than work.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

from reference_backend.backlog import Backlog
from reference_backend.limiting import Shedding
from reference_backend.spans import Outcome, SpanWriter, Trace

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

# What the backend itself asks of a replica. No endpoint can have such a path: its name begins with a letter.
HEALTH_PATH = "/-/health"
DISOWN_PATH = "/-/control/disown"
SLOW_DOWN_PATH = "/-/control/slow-down"
REOPEN_PATH = "/-/control/reopen"
FORGET_PATH = "/-/control/forget"
OWN_PATHS = frozenset({HEALTH_PATH, DISOWN_PATH, SLOW_DOWN_PATH, REOPEN_PATH, FORGET_PATH})


class ConcurrencyLimit:
    """ASGI middleware; a request whose client went away still runs to its end, as real handlers do."""

    def __init__(
        self,
        application: Application,
        *,
        concurrency: int | None,
        backlog: int | None,
        shedding: Shedding | None = None,
        writer: SpanWriter,
    ) -> None:
        self._application = application
        self._concurrency = concurrency
        self._backlog = Backlog(places=backlog, shedding=shedding)
        self._writer = writer
        self._in_service = 0
        self._here: set[Trace] = set()

    @property
    def in_service(self) -> int:
        """Return the number of requests that are worked on."""
        return self._in_service

    @property
    def waiting(self) -> int:
        """Return the number of requests that wait for a slot."""
        return len(self._backlog)

    def disown(self, before_s: float) -> int:
        """Write the requests still here that came before a monotonic time as in flight, forget them, return how many.

        The time is there because a busy replica may hear of this only when the next repeat has begun.
        """
        old = [trace for trace in self._here if trace.arrival_s < before_s]
        for trace in old:
            self._writer.write(trace, departure_s=None, outcome="in_flight")
        self._here.difference_update(old)
        return len(old)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Let a request through when there is a slot for it."""
        if scope["type"] != "http" or scope["path"] in OWN_PATHS:
            await self._application(scope, receive, send)
            return
        arrival_s = time.monotonic()
        headers = dict(scope["headers"])
        trace = Trace(
            request=int(headers.get(b"x-request", b"-1")),
            attempt=int(headers.get(b"x-attempt", b"0")),
            operation=scope["path"][1:],
            arrival_s=arrival_s,
            replica=self._writer.replica,
            background=b"x-background" in headers,
        )
        self._here.add(trace)
        if not await self._slot():
            trace.refused_s = time.monotonic()
            await _reject(send)
            self._leave(trace, "rejected")
            return
        trace.admitted_s = time.monotonic()
        scope["trace"] = trace
        status = 500

        async def noting_the_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._application(scope, receive, noting_the_status)
        finally:
            self._free()
            self._leave(trace, "ok" if status < HTTPStatus.BAD_REQUEST else "error")

    def _leave(self, trace: Trace, outcome: Outcome) -> None:
        departure_s = time.monotonic()
        if trace in self._here:  # else it was disowned: its line is written already
            self._here.remove(trace)
            self._writer.write(trace, departure_s=departure_s, outcome=outcome)

    async def _slot(self) -> bool:
        """Return True once a slot is this request's, False if it is turned away, at once or later."""
        if self._concurrency is None or self._in_service < self._concurrency:
            self._in_service += 1
            return True
        return False if self._backlog.full else await self._backlog.join()

    def _free(self) -> None:
        """Hand the slot to whoever of those that wait is next, or give it back."""
        if not self._backlog.call():
            self._in_service -= 1


async def _reject(send: Send) -> None:
    """Answer 503 at once."""
    headers = [
        (b"x-outcome", b"rejected"),
        (b"content-type", b"application/json"),
        (b"content-length", b"22"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"outcome":"rejected"}'})
