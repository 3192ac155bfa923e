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

    def ask(self, member: Member, request: Request) -> Exchanged:
        """Send the request, and return the outcome of its answer or why there is none."""
        if not member.listens:
            return End.REFUSED
        member.connect()
        ended: Outcome | End
        if self._limit_s is None and self._gone is None:
            ended = yield from member.handle(request)
        else:
            ended = yield from self._bounded(member.handle(request), request)
        if ended is Outcome.ERROR and not member.listens:
            ended = End.RESET
        member.disconnect()
        return ended

    def _bounded(self, handling: Handling, request: Request) -> Exchanged:
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
            Timer(clock, self._limit_s, Order.EXPIRY, lambda _: end(End.TIMED_OUT))
        leave: Callable[[], None] = lambda: end(End.LEFT)  # noqa: E731  # the very object that is forgotten later
        if gone is not None:
            gone.tell(request, leave)
        ended = yield first
        if gone is not None:
            gone.forget(request, leave)
        return ended if isinstance(ended, End) else Outcome(str(ended))
