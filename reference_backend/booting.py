"""A replica that is started while others are at work: it yields to them, and is ready when it is said to be."""

from __future__ import annotations

import os
import time
from pathlib import Path

from reference_backend.limit import HEALTH_PATH, Application, Message, Receive, Send

BOOTED_HEADER = b"x-booted-s"
_NOT_READY = b'{"ready":false}'


class Booting:
    """ASGI middleware: health checks fail before a time, and until the application has really started.

    ::

        started (yields) --imports, pools--> booted (yields no more) --ready_at_s, if that is later--> ready

    A boot of its own takes one or two seconds of CPU time and never the same; held until a time that is known, a boot
    lasts as long as it is declared to. The header ``X-Booted-S`` tells when it was really over (monotonic time).
    """

    def __init__(self, application: Application, *, ready_at_s: float) -> None:
        self._application = application
        self._ready_at_s = ready_at_s
        self._booted_s = 0.0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass everything on but what would say too early that the replica is ready."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, self._noting_the_start(send))
        elif scope["path"] == HEALTH_PATH and time.monotonic() < self._ready_at_s:
            headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_NOT_READY))]
            await send({"type": "http.response.start", "status": 503, "headers": headers})
            await send({"type": "http.response.body", "body": _NOT_READY})
        elif scope["path"] == HEALTH_PATH:
            await self._application(scope, receive, self._saying_when(send))
        else:
            await self._application(scope, receive, send)

    def _noting_the_start(self, send: Send) -> Send:
        async def noting(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                stop_yielding()
                self._booted_s = time.monotonic()
            await send(message)

        return noting

    def _saying_when(self, send: Send) -> Send:
        async def saying(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (BOOTED_HEADER, repr(self._booted_s).encode())]
            await send(message)

        return saying


def stop_yielding() -> None:
    """Take a full share of the CPU from now on, with every thread."""
    for thread in Path("/proc/self/task").iterdir():
        if os.sched_getscheduler(int(thread.name)) == os.SCHED_IDLE:
            os.sched_setscheduler(int(thread.name), os.SCHED_OTHER, os.sched_param(0))
