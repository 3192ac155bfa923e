"""A replica as the platform for functions knows it."""

from __future__ import annotations

import asyncio
from collections import deque

from reference_backend.scaling.http import Message, Stream


class Environment:
    """One replica, the room in it, and the connections to it.

    Attributes:
        number: among all that there were in this repeat.
        room: how many more requests it may be given.
        ready: whether its boot is over.
        arriving: the requests that wait for that.
        idle_since_s: when its last request left it.
        expiry: what ends it once it has been idle for long enough.
    """

    def __init__(self, *, number: int, room: int) -> None:
        self.number = number
        self.room = room
        self.ready = False
        self.arriving: deque[asyncio.Future[None]] = deque()
        self.idle_since_s = 0.0
        self.expiry: asyncio.TimerHandle | None = None
        self._port = 0
        self._idle: list[Stream] = []

    def open(self, port: int) -> None:
        """Take note that it is ready, and where."""
        self.ready, self._port = True, port

    async def answer(self, request: bytes) -> Message | None:
        """Have it answer a request; None if it closes the connection instead."""
        stream = self._idle.pop() if self._idle else await Stream.to(self._port)
        answer = await stream.ask(request)
        if answer is None:
            stream.close()
        else:
            self._idle.append(stream)
        return answer

    def close(self) -> None:
        """Close the connections."""
        for stream in self._idle:
            stream.close()
        self._idle.clear()
