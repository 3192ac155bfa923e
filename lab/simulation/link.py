"""The way from one component to another, where a fault may cut it or slow it down."""

from __future__ import annotations

from collections.abc import Generator

from simpy.events import Event

from lab.simulation.clock import Clock, Handover
from lab.simulation.log import Log
from lab.simulation.request import Handling, Outcome, Part, Request


class Wire:
    """A connection between two components, either way.

    ::

        whole --cut--> cut: nothing arrives, and no error comes
          ^             |
          `---mend------+  what waited arrives at this very time

    TCP sends again and again what was not acknowledged, at growing intervals: in a real backend what waited arrives up
    to as much later as the partition lasted. Here it arrives when the wire is whole.

    Attributes:
        whole: whether anything passes.
        delay_s: how long what is sent from now on takes, each way.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: list[Handover] = []
        self.whole = True
        self.delay_s = 0.0

    def cut(self) -> None:
        """Let nothing pass from now on."""
        self.whole = False

    def mend(self) -> None:
        """Let everything pass again, in the order in which it came."""
        self.whole = True
        waiting, self._waiting = self._waiting, []
        for place in waiting:
            place.give(None)

    def slow_down(self, delay_s: float) -> None:
        """Let what is sent from now on take so long, each way; 0 is at once."""
        self.delay_s = delay_s

    def wait(self) -> Event:
        """Return what happens when the wire is whole again."""
        place = Handover(self._clock)
        self._waiting.append(place)
        return place


class Linked:
    """The way of one caller to one callee over a wire: requests wait while it is cut, and so do answers.

    ::

        sent --> cut? waits until it is whole --> slow? is on its way for the delay --> arrives

    What waits, or is on its way, has a row of its own, of the component ``CALLER.to.CALLEE``, with ``there`` or
    ``back``: its waiting time is that for the wire to be whole, its service time the delay.
    """

    def __init__(self, *, clock: Clock, log: Log, name: str, wire: Wire) -> None:
        self._clock = clock
        self._log = log
        self._name = name
        self._wire = wire

    def cross(self, request: Request, way: str) -> Handling:
        """Wait until the wire is whole, if it is not, and be on the way for its delay, if it has one."""
        wire = self._wire
        if not wire.whole or wire.delay_s > 0:
            visit = self._log.open_visit(request, self._name, 0, self._clock.now)
            visit.operation = way
            yield from self._wait()
            visit.admit(self._clock.now)
            visit.service_time_s = wire.delay_s
            yield from self._travel()
            visit.close(self._clock.now, Outcome.OK)
        return Outcome.OK

    def reach(self) -> Generator[Event, object, None]:
        """Do the same without a row."""
        yield from self._wait()
        yield from self._travel()

    def _wait(self) -> Generator[Event, object, None]:
        while not self._wire.whole:
            yield self._wire.wait()

    def _travel(self) -> Generator[Event, object, None]:
        if self._wire.delay_s > 0:
            yield self._clock.timeout(self._wire.delay_s)


class Remote:
    """A part as it is reached over a link."""

    def __init__(self, *, link: Linked, part: Part) -> None:
        self._link = link
        self._part = part

    def handle(self, request: Request) -> Handling:
        """Have the part handle the request, when it can be reached."""
        yield from self._link.cross(request, "there")
        outcome = yield from self._part.handle(request)
        yield from self._link.cross(request, "back")
        return outcome


class Breakable:
    """A part that can go down as a whole: while it is down, whoever asks is refused at once.

    ::

        up --break_down--> down: refused; what was under way is answered by an error when its time is over
         ^                   |
         `------mend---------+
    """

    def __init__(self, *, clock: Clock, log: Log, name: str, part: Part) -> None:
        self._clock = clock
        self._log = log
        self._name = name
        self._part = part
        self._crashes = 0
        self.up = True

    def handle(self, request: Request) -> Handling:
        """Have the part handle the request, if it is up."""
        if not self.up:
            visit = self._log.open_visit(request, self._name, -1, self._clock.now)
            return visit.turn_away(self._clock.now, Outcome.ERROR)
        crashes = self._crashes
        outcome = yield from self._part.handle(request)
        return outcome if crashes == self._crashes else Outcome.ERROR

    def break_down(self) -> None:
        """Go down."""
        self._crashes += 1
        self.up = False

    def mend(self) -> None:
        """Be up again."""
        self.up = True
