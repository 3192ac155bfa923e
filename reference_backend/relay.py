"""A network between two parts, as a process that relays TCP on the loopback: it can be slow, and it can be cut.

::

    caller --TCP--> relay --held while the link is cut, then on its way for the delay--> TCP --> callee
           <--TCP--       <---------------------- the same, back -----------------------  <-- TCP

python -m reference_backend.relay --control 5 --route 6:40123 --route 7:40124

Each route is an inherited listening socket, and the port on the loopback that its connections lead to. Over the control
socket come lines such as {"whole": false, "delay_s": 0.01}, each answered by a line once it is so; the process ends
when that socket is closed.

Connecting to the relay itself takes no time, as the kernel does it: a connection is opened to the callee when the link
lets that pass, and what is sent meanwhile goes after it. A callee that refuses is a connection reset.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import json
import socket
import struct
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import cast

import uvloop

from reference_backend.ports import LOOPBACK
from reference_backend.timerfd import TimerFd

_BACKLOG = 2048
_RESET_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST, as a refused connection is told

Arrival = Callable[[], None]


class Way:
    """One direction of one connection: nothing on it overtakes what was sent before.

    Attributes:
        under_way: how many things are on it.
        last_s: when the last of them arrives.
    """

    def __init__(self) -> None:
        self.under_way = 0
        self.last_s = 0.0


class Link:
    """What is sent between the ends of all connections: it arrives later, as late as the delay, and in order.

    ::

        sent --whole--> on its way --delay--> arrives
          `----cut----> held --whole again----^

    Args:
        now_s: the clock.
        wake_at: asks for ``arrive`` to be called at a time of that clock.
    """

    def __init__(self, *, now_s: Callable[[], float], wake_at: Callable[[float], None]) -> None:
        self._now_s = now_s
        self._wake_at = wake_at
        self._whole = True
        self._delay_s = 0.0
        self._held: list[tuple[Way, Arrival]] = []
        self._under_way: list[tuple[float, int, Way, Arrival]] = []
        self._sequence = count()

    def become(self, *, whole: bool, delay_s: float) -> None:
        """Be so for what is sent, or let go on, from now on."""
        self._whole, self._delay_s = whole, delay_s
        if whole:
            held, self._held = self._held, []
            for way, arrival in held:
                self.send(way, arrival)

    def send(self, way: Way, arrival: Arrival) -> None:
        """Have something done when it has passed the link: at once, if nothing is ahead and there is no delay."""
        if not self._whole:
            self._held.append((way, arrival))
            return
        now_s = self._now_s()
        due_s = max(now_s + self._delay_s, way.last_s)
        if due_s <= now_s and not way.under_way:
            arrival()
            return
        way.last_s = due_s
        way.under_way += 1
        entry = (due_s, next(self._sequence), way, arrival)
        heapq.heappush(self._under_way, entry)
        if self._under_way[0] is entry:
            self._wake_at(due_s)

    def arrive(self) -> None:
        """Do what is due."""
        now_s = self._now_s()
        while self._under_way and self._under_way[0][0] <= now_s:
            _, _, way, arrival = heapq.heappop(self._under_way)
            way.under_way -= 1
            arrival()
        if self._under_way:
            self._wake_at(self._under_way[0][0])


class End(asyncio.Protocol):
    """One end of a relayed connection: what is read here goes over the link to the other end.

    What arrives from there before this end is connected waits for that. While more has arrived than can be written,
    the other end reads no further, as one TCP connection all the way would have it.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._way = Way()
        self._transport: asyncio.Transport | None = None
        self._early: list[Arrival] = []
        self._read_all = False
        self._written_all = False
        self.other = self  # until it is told

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Do what has arrived too early."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        early, self._early = self._early, []
        for act in early:
            act()

    def send(self, arrival: Arrival) -> None:
        """Have something done when it has passed the link from here, after all that was sent before."""
        self._link.send(self._way, arrival)

    def data_received(self, data: bytes) -> None:
        """Send bytes."""
        self.send(partial(self.other.deliver, data))

    def eof_received(self) -> bool:
        """Send word that no more comes; the other direction stays open."""
        self._read_all = True
        self.send(self.other.finish)
        self._close_if_done()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Send word that the connection is gone."""
        self.send(self.other.close)

    def pause_writing(self) -> None:
        """Have the other end read no more."""
        self.other.read(on=False)

    def resume_writing(self) -> None:
        """Have the other end read on."""
        self.other.read(on=True)

    def read(self, *, on: bool) -> None:
        """Read on, or no more for now."""
        if self._transport is not None and not self._transport.is_closing():
            (self._transport.resume_reading if on else self._transport.pause_reading)()

    def deliver(self, data: bytes) -> None:
        """Write bytes that have arrived."""
        self._do(lambda transport: transport.write(data), again=partial(self.deliver, data))

    def finish(self) -> None:
        """Write no more: the other end has sent all."""

        def end(transport: asyncio.Transport) -> None:
            transport.write_eof()
            self._written_all = True
            self._close_if_done()

        self._do(end, again=self.finish)

    def close(self) -> None:
        """Close after what is still to be written."""
        self._do(lambda transport: transport.close(), again=self.close)

    def reset(self) -> None:
        """Close at once, and let the peer know that this is no orderly end."""

        def end(transport: asyncio.Transport) -> None:
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_ONCE)
            transport.abort()

        self._do(end, again=self.reset)

    def _do(self, act: Callable[[asyncio.Transport], None], *, again: Arrival) -> None:
        if self._transport is None:
            self._early.append(again)
        elif not self._transport.is_closing():
            act(self._transport)

    def _close_if_done(self) -> None:
        if self._read_all and self._written_all:
            self.close()


class CallerEnd(End):
    """The end that a caller has connected to; it has the callee's end connected."""

    def __init__(self, link: Link, port: int) -> None:
        super().__init__(link)
        self._port = port
        self.other = End(link)
        self.other.other = self
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Have the callee connected to, over the link."""
        super().connection_made(transport)
        self.send(self._open)

    def _open(self) -> None:
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: self.other, LOOPBACK, self._port)
        except OSError:  # nobody listens there: the caller is to know
            self.other.send(self.reset)


async def relay(control: socket.socket, routes: list[tuple[socket.socket, int]]) -> None:
    """Relay until the control socket is closed.

    Args:
        control: brings what the link is to be.
        routes: listening sockets, each with the port that its connections lead to.
    """
    loop, timer = asyncio.get_running_loop(), TimerFd()
    link = Link(now_s=time.monotonic, wake_at=timer.set)

    def ring() -> None:
        timer.clear()
        link.arrive()

    loop.add_reader(timer.fd, ring)
    servers = [
        await loop.create_server(partial(CallerEnd, link, port), sock=bound, backlog=_BACKLOG) for bound, port in routes
    ]
    reader, writer = await asyncio.open_unix_connection(sock=control)
    while line := await reader.readline():
        said = json.loads(line)
        link.become(whole=said["whole"], delay_s=said["delay_s"])
        writer.write(line)
    writer.close()
    for server in servers:
        server.close()
    loop.remove_reader(timer.fd)
    timer.close()


def _route(text: str) -> tuple[socket.socket, int]:
    fd, port = text.split(":")
    return socket.socket(fileno=int(fd)), int(port)


def main() -> None:
    """Relay until the supervisor closes the control socket."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--control", type=int, required=True, help="the inherited control socket")
    parser.add_argument("--route", action="append", required=True, help="FD:PORT of a listening socket and its callee")
    given = parser.parse_args()
    uvloop.run(relay(socket.socket(fileno=given.control), [_route(text) for text in given.route]))


if __name__ == "__main__":
    main()
