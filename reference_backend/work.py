"""The two kinds of work that a service does itself: CPU work and waiting."""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import json
import time
from itertools import count

from reference_backend.timerfd import TimerFd

_DOCUMENT = json.dumps(
    {"items": [{"id": number, "name": f"item {number}", "price": number * 0.25} for number in range(8)]}
)


def burn(demand_s: float) -> None:
    """Work on the CPU until this thread has used ``demand_s`` seconds of it.

    Counted in CPU time of the thread: when another process has the core, the work takes longer, as real work does.
    A round is what handlers really do (parse a document, hash it) and takes about 10 us, the accuracy of the whole.
    """
    end = time.thread_time() + demand_s
    while time.thread_time() < end:
        hashlib.sha256(json.dumps(json.loads(_DOCUMENT)).encode()).digest()


class PreciseSleep:
    """``asyncio.sleep`` without its step of a millisecond: one alarm of the kernel serves all sleepers of a loop."""

    def __init__(self) -> None:
        self._timer = TimerFd()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._sequence = count()
        asyncio.get_running_loop().add_reader(self._timer.fd, self._wake)

    async def sleep(self, seconds: float) -> None:
        """Wait without occupying the event loop."""
        if seconds <= 0:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        at_s = time.monotonic() + seconds
        heapq.heappush(self._sleepers, (at_s, next(self._sequence), done))
        if self._sleepers[0][2] is done:
            self._timer.set(at_s)
        await done

    def _wake(self) -> None:
        self._timer.clear()
        now = time.monotonic()
        while self._sleepers and self._sleepers[0][0] <= now:
            done = heapq.heappop(self._sleepers)[2]
            if not done.done():
                done.set_result(None)
        if self._sleepers:
            self._timer.set(self._sleepers[0][0])

    def close(self) -> None:
        """Give the alarm back to the kernel."""
        asyncio.get_running_loop().remove_reader(self._timer.fd)
        self._timer.close()
