"""What a scaling process and the supervisor say to each other: a JSON object a line, over a pair of sockets.

::

    scaling process: {"start": 3, "ready_at_s": 812.5}   --> supervisor: {"started": 3, "port": 40123, "pid": 77}
                     {"ready": 3}, {"stop": 1}           -->
                                                         <-- {"zero_s": 801.2}: when the schedule begins

Each scaling process first says {"here": true}, when it can do its work. Times are monotonic.
"""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

Message = dict[str, Any]


def encoded(message: Message) -> bytes:
    """Return a message as a line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


class SupervisorEnd:
    """The supervisor's end, which never waits."""

    def __init__(self, own: socket.socket) -> None:
        self._socket = own
        self._socket.setblocking(False)
        self._rest = b""

    @property
    def fd(self) -> int:
        """Return what can be waited for."""
        return self._socket.fileno()

    def messages(self) -> list[Message] | None:
        """Return what has come; None if the other end is closed."""
        try:
            data = self._socket.recv(65536)
        except BlockingIOError:
            return []
        except ConnectionResetError:
            return None  # it ended with words of ours unread
        if not data:
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def send(self, message: Message) -> None:
        """Say something; one who has ended does not hear it, which whoever watches the processes will notice."""
        try:
            self._socket.sendall(encoded(message))
        except BrokenPipeError:
            return

    def close(self) -> None:
        """Close this end."""
        self._socket.close()


class ScalingEnd:
    """The scaling process's end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._started: dict[int, asyncio.Future[tuple[int, int]]] = {}
        self.zero_s: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    @classmethod
    async def over(cls, fd: int) -> ScalingEnd:
        """Return the end over an inherited socket."""
        return cls(*await asyncio.open_connection(sock=socket.socket(fileno=fd)))

    def say(self, message: Message) -> None:
        """Say something."""
        self._writer.write(encoded(message))

    async def start(self, replica: int, *, ready_at_s: float) -> tuple[int, int]:
        """Have a replica started that is not ready before a monotonic time; return its port and process id."""
        self._started[replica] = asyncio.get_running_loop().create_future()
        self.say({"start": replica, "ready_at_s": ready_at_s})
        return await self._started[replica]

    def close(self) -> None:
        """Close this end; who listens stops."""
        self._writer.close()

    async def listen(self) -> None:
        """Take note of what the supervisor says, until it closes its end."""
        while line := await self._reader.readline():
            message = json.loads(line)
            if "zero_s" in message:
                self.zero_s.set_result(float(message["zero_s"]))
            else:
                self._started.pop(message["started"]).set_result((message["port"], message["pid"]))
