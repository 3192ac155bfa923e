"""The relay between two parts: what it delays keeps its order, what it holds goes on, and both ends close."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop
from pydantic import ValidationError

from reference_backend import ports
from reference_backend.agenda import Agenda
from reference_backend.deployment import Deployment
from reference_backend.faults import PartitionFault, SlowLinkFault
from reference_backend.happenings import Happenings
from reference_backend.links import struck_links
from reference_backend.relay import Link, Way, relay
from reference_backend.relays import LinkStrikes, Relays

from .test_reference_deployment import example

_PATIENCE_S = 5.0
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Clock:
    """A clock that stands where it is set, and remembers when it was to wake."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.wake_s: float | None = None

    def link(self) -> Link:
        """Return a link by this clock."""
        return Link(now_s=lambda: self.now_s, wake_at=self.wake)

    def wake(self, at_s: float) -> None:
        """Note when."""
        self.wake_s = at_s


def test_what_is_sent_with_less_delay_does_not_overtake_what_was_sent_before() -> None:
    """Per direction of a connection: another connection's bytes need not wait for it."""
    clock, arrived = Clock(), []
    link, way, other = clock.link(), Way(), Way()
    link.send(way, lambda: arrived.append("at once"))
    assert (arrived, clock.wake_s) == (["at once"], None)
    link.become(whole=True, delay_s=0.5)
    link.send(way, lambda: arrived.append("late"))
    assert clock.wake_s == 100.5
    link.become(whole=True, delay_s=0.0)
    link.send(way, lambda: arrived.append("behind it"))
    link.send(other, lambda: arrived.append("elsewhere"))
    assert arrived == ["at once", "elsewhere"]
    clock.now_s = 100.5
    link.arrive()
    assert arrived[2:] == ["late", "behind it"]


def test_what_is_held_goes_on_its_way_when_the_link_is_whole() -> None:
    """In its order, and with the delay that the link has then; what was on its way before arrives meanwhile."""
    clock, arrived = Clock(), []
    link, way = clock.link(), Way()
    link.become(whole=True, delay_s=0.2)
    link.send(way, lambda: arrived.append("before"))
    link.become(whole=False, delay_s=0.2)
    link.send(way, lambda: arrived.append("first"))
    link.send(way, lambda: arrived.append("second"))
    clock.now_s = 103.0
    link.arrive()
    assert arrived == ["before"]
    link.become(whole=True, delay_s=0.2)
    assert (arrived, clock.wake_s) == (["before"], 103.2)
    clock.now_s = 103.2
    link.arrive()
    assert arrived == ["before", "first", "second"]


class Relayed:
    """A server on the loopback, a relay before it, and the relay's control."""

    def __init__(self, port: int, control: socket.socket) -> None:
        self.port = port
        self._control = control

    async def become(self, **state: Any) -> None:
        """Tell the relay what its link is to be, and wait until it is so."""
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self._control, json.dumps({"whole": True, "delay_s": 0.0, **state}).encode() + b"\n")
        assert (await loop.sock_recv(self._control, 1000)).endswith(b"\n")

    async def connect(self) -> Streams:
        """Connect through the relay."""
        return await asyncio.open_connection(ports.LOOPBACK, self.port)


@asynccontextmanager
async def relayed(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[Relayed]:
    """Serve connections behind a relay."""
    server = await asyncio.start_server(serve, ports.LOOPBACK, 0)
    async with relay_to(server.sockets[0].getsockname()[1]) as found:
        yield found
    server.close()


@asynccontextmanager
async def relay_to(port: int) -> AsyncIterator[Relayed]:
    """Relay to a port; the relay ends when its control is closed."""
    bound = ports.listening_socket()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    relaying = asyncio.create_task(relay(theirs, [(bound, port)]))
    with ours:
        yield Relayed(bound.getsockname()[1], ours)
    async with asyncio.timeout(_PATIENCE_S):
        await relaying


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back what comes, line by line, then a last line."""
    while line := await reader.readline():
        writer.write(line)
    writer.write(b"the end\n")
    writer.close()


def run(test: Awaitable[None]) -> None:
    """Run a test on a loop of its own, for some seconds at most."""

    async def limited() -> None:
        async with asyncio.timeout(_PATIENCE_S):
            await test

    uvloop.run(limited())  # as the relay's own process has it


async def _passes_both_ways() -> None:
    big = b"x" * 3_000_000 + b"\n"  # more than the kernel's buffers hold

    async def send_much(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.read() == big
        writer.write(big)
        writer.close()

    async with relayed(send_much) as found:
        reader, writer = await found.connect()
        writer.write(big)
        writer.write_eof()
        assert await reader.read() == big
        writer.close()


def test_each_end_may_close_first_and_nothing_is_lost_on_the_way() -> None:
    """The caller's end of sending reaches the callee, whose answer still comes, and then its end."""
    run(_passes_both_ways())


async def _is_late() -> None:
    async with relayed(echo) as found:
        reader, writer = await found.connect()
        writer.write(b"warm\n")
        assert await reader.readline() == b"warm\n"
        await found.become(delay_s=0.02)
        since_s = time.monotonic()
        lines = [f"{number}\n".encode() for number in range(500)]
        for line in lines:
            writer.write(line)
            await writer.drain()
        assert [await reader.readline() for _ in lines] == lines
        took_s = time.monotonic() - since_s
        assert 0.04 <= took_s < 2.0  # one after the other they would take 20 s
        writer.close()


def test_a_delay_is_each_ways_and_takes_nothing_from_the_throughput() -> None:
    """Five hundred lines there and back take twice the delay, not five hundred times that."""
    run(_is_late())


async def _is_cut() -> None:
    received = asyncio.get_running_loop().create_future()

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.read() == b"sent while it was cut\n"
        received.set_result(time.monotonic())
        writer.close()

    async with relayed(note) as cut, relayed(echo) as whole:
        await cut.become(whole=False)
        _, writer = await cut.connect()
        writer.write(b"sent while it was cut\n")
        writer.close()  # gives up: nobody beyond the cut hears of it
        there, back = await whole.connect()
        for _ in range(30):  # by now it would have passed, as these do
            back.write(b"passes\n")
            assert await there.readline() == b"passes\n"
        assert not received.done()
        healed_s = time.monotonic()
        await cut.become()
        assert await received >= healed_s
        back.close()


def test_a_cut_link_holds_connections_bytes_and_ends_until_it_is_whole() -> None:
    """The caller can connect and write, and hears nothing; all of it arrives later, its end last."""
    run(_is_cut())


async def _is_refused() -> None:
    async with relay_to(ports.free_port()) as found:
        reader, writer = await found.connect()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


def test_a_callee_that_refuses_is_a_connection_reset() -> None:
    """Nobody listens behind the relay: the caller does not wait for an answer."""
    run(_is_refused())


def struck(*faults: dict[str, Any]) -> Deployment:
    """Return the example deployment with these faults."""
    return Deployment.model_validate({**example(), "faults": list(faults)})


CUT = {"kind": "partition", "at_s": 1.0, "between": ["main", "api"], "duration_s": 2.0}
SLOW = {"kind": "slow_link", "at_s": 0.0, "between": ["client", "edge"], "delay_s": 0.01, "duration_s": 5.0}


def test_only_links_that_a_fault_strikes_have_a_relay() -> None:
    """Whoever asks is the caller, in whichever order the fault names them."""
    assert struck_links(struck()) == ()
    assert [link.name for link in struck_links(struck(CUT, SLOW, CUT))] == ["client.to.edge", "api.to.main"]
    with pytest.raises(ValidationError, match=r"faults\[1\]\.between: neither of 'profiles' and 'main' asks the other"):
        struck(CUT, {**CUT, "between": ["profiles", "main"]})


def test_one_who_publishes_to_a_queue_that_it_consumes_has_no_link_of_its_own() -> None:
    """Both go to the same address, and only the one is a call."""
    document = example()
    document["parts"]["jobs"] = {"kind": "queue", "consumer": "profiles", "endpoint": "get"}
    steps = document["parts"]["profiles"]["endpoints"]
    steps["post"] = {"demands": 5, "steps": [{"kind": "publish", "queue": "jobs", "demands": 5}]}
    cut = {**CUT, "between": ["profiles", "jobs"]}
    with pytest.raises(ValidationError, match=r"faults\[0\]\.between: .* publishes to the other and consumes it"):
        Deployment.model_validate({**document, "faults": [cut]})


class Told(Relays):
    """Relays on paper: what they are told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def set_whole(self, between: tuple[str, ...], *, whole: bool) -> None:
        """Note it."""
        self.told.append((*between, whole))

    def set_delay(self, between: tuple[str, ...], delay_s: float) -> None:
        """Note it."""
        self.told.append((*between, delay_s))

    def make_whole(self) -> None:
        """Note it."""
        self.told.append(("whole",))


def test_links_are_cut_slowed_and_mended_at_their_times_and_that_is_told() -> None:
    """As events of the simulator's names and details; what lasts beyond the last request ends with it."""
    now_s, relays = [0.0], Told()
    agenda = Agenda(now_s=lambda: now_s[0])
    agenda.begin(0.0)
    happenings = Happenings(agenda=agenda)
    strikes = LinkStrikes(relays=relays, agenda=agenda, happenings=happenings)
    slow, cut = SlowLinkFault.model_validate(SLOW), PartitionFault.model_validate(CUT)
    agenda.at(slow.at_s, lambda: strikes.slow_down(slow))
    agenda.at(cut.at_s, lambda: strikes.cut(cut))
    for now_s[0] in (0.0, 1.0, 3.0, 5.0):
        agenda.carry_out()
    strikes.end()
    assert relays.told == [
        ("client", "edge", 0.01), ("main", "api", False), ("main", "api", True), ("client", "edge", 0.0), ("whole",),
    ]  # fmt: skip
    assert [(each.time_s, each.component, each.kind, each.detail) for each in happenings.all] == [
        (0.0, "client", "slow_link", '{"between":["client","edge"],"delay_s":0.01}'),
        (1.0, "main", "partition", '{"between":["main","api"]}'),
        (3.0, "main", "partition_over", '{"between":["main","api"]}'),
        (5.0, "client", "slow_link_over", '{"between":["client","edge"]}'),
    ]
