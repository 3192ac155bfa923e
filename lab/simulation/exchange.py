"""One request to one process over one connection, for no longer than somebody waits for it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from enum import Enum, auto

from simpy.events import Event

from lab.simulation.clock import Clock, Handover, Order, Timer
from lab.simulation.fleet import Member
from lab.simulation.gone import Gone
from lab.simulation.request import Handling, Outcome, Request


class End(Enum):
    """How an exchange ended, when no answer came."""

    REFUSED = auto()  # the connection
    RESET = auto()  # the process died
    TIMED_OUT = auto()
    LEFT = auto()  # the client


Exchanged = Generator[Event, object, Outcome | End]


class Exchange:
    r"""Sends requests to processes and waits for their answers.

    ::

        connect --refused--> REFUSED
           | accepted
        waits --answer--> its outcome
           |-----the process dies--------------> RESET
           |-----longer than is waited---------> TIMED_OUT \ the process works on,
           `-----the client goes, if heeded----> LEFT      / for nobody

    Args:
        limit_s: longest wait for an answer; None: for ever.
        gone: which clients have left, if that ends what is under way for them.
    """

    def __init__(self, *, clock: Clock, limit_s: float | None, gone: Gone | None) -> None:
        self._clock = clock
        self._limit_s = limit_s
        self._gone = gone

    def ask(self, member: Member, request: Request, *, waited_s: float = 0.0) -> Exchanged:
        """Send the request, and return the outcome of its answer or why there is none.

        Args:
            member: the process.
            request: what is sent.
            waited_s: how much of the longest wait is over already.
        """
        if not member.listens:
            return End.REFUSED
        member.connect()
        ended: Outcome | End
        if self._limit_s is None and self._gone is None:
            ended = yield from member.handle(request)
        else:
            ended = yield from self._bounded(member.handle(request), request, waited_s)
        if ended is Outcome.ERROR and not member.listens:
            ended = End.RESET
        member.disconnect()
        return ended

    def wait(
        self, place: Handover, request: Request, *, leave: Callable[[Handover, object], None]
    ) -> Generator[Event, object, object]:
        """Wait for a place no longer than for an answer, and return what was given there.

        Args:
            place: what is waited for.
            request: who waits.
            leave: called with the place and TIMED_OUT or LEFT when that has happened first.
        """
        gone = self._gone
        if self._limit_s is not None:
            Timer(self._clock, self._limit_s, Order.EXPIRY, lambda _: leave(place, End.TIMED_OUT))

        def give_up() -> None:
            leave(place, End.LEFT)

        if gone is not None:
            if gone.since(request) is not None:
                give_up()
            gone.tell(request, give_up)
        given = yield place
        if gone is not None:
            gone.forget(request, give_up)
        return given

    def _bounded(self, handling: Handling, request: Request, waited_s: float) -> Exchanged:
        clock, gone = self._clock, self._gone
        if gone is not None and gone.since(request) is not None:
            handling.close()
            return End.LEFT
        first = Handover(clock)

        def end(how: object) -> None:
            if not first.triggered:
                first.give(how)

        answer = clock.process(handling)
        answer.callbacks.append(lambda event: end(event.value))
        if self._limit_s is not None:
            Timer(clock, max(0.0, self._limit_s - waited_s), Order.EXPIRY, lambda _: end(End.TIMED_OUT))

        def leave() -> None:
            end(End.LEFT)

        if gone is not None:
            gone.tell(request, leave)
        ended = yield first
        if gone is not None:
            gone.forget(request, leave)
        return ended if isinstance(ended, End) else Outcome(str(ended))
