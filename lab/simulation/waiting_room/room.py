"""A waiting room: lets so many in, and keeps the others in one line."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from lab.simulation.clock import Clock, Handover, Order, Timer
from lab.simulation.gone import Gone
from lab.simulation.log import Log
from lab.simulation.request import Handling, Outcome, Part, Request
from lab.simulation.waiting_room.places import Places

_INSTANT_S = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The rules of a room.

    Attributes:
        interval_s: time from letting one in to letting the next one in, at least; 0: none.
        max_queue: how many may wait; None: no limit.
        queue_timeout_s: longest wait; None: no limit.
    """

    interval_s: float
    max_queue: int | None
    queue_timeout_s: float | None


class WaitingRoom:
    """Lets in who came first, as places become free and as fast as the rate allows.

    ::

        arrives --> has a place already? --yes----------------------------> let in
            | no                                                             ^
        a place free, the interval over, and nobody waiting? --yes-----------|
            | no                                                             |
        line full? --yes--> rejected (503)                                   |
            | no                                                             |
        waits -- its turn ---------------------------------------------------'
            |--queue timeout--> rejected (503)
            `--client gone----> timeout

    Args:
        make_places: makes the places, given what to call when one becomes free by itself.
    """

    def __init__(
        self,
        *,
        place: tuple[Clock, Log, str],
        target: Part,
        house: House,
        make_places: Callable[[Callable[[], None]], Places],
        gone: Gone,
    ) -> None:
        self._clock, self._log, self._name = place
        self._target = target
        self._house = house
        self._places = make_places(self._call)
        self._gone = gone
        self._waiting: deque[tuple[Handover, Request]] = deque()
        self._queued = 0
        self._opens_s = 0.0  # when the next one may be let in
        self._will_open = False

    def handle(self, request: Request) -> Handling:
        """Let the request in, now or when it is its turn, and hold its place until it is answered."""
        clock, places = self._clock, self._places
        visit = self._log.open_visit(request, self._name, 0, clock.now)
        if not places.returns(request):
            if self._queued or not places.free or clock.now < self._opens_s - _INSTANT_S:
                denied = yield from self._wait(request)
                if denied is not Outcome.OK:
                    return visit.turn_away(clock.now, denied)
            else:
                self._let_in(request)
        visit.admit(clock.now)
        outcome = yield from self._target.handle(request)
        if places.leave():
            self._call()
        return visit.close(clock.now, outcome)

    def _wait(self, request: Request) -> Handling:
        """Wait for a turn; return ok with a place taken, or how the wait ended without."""
        house = self._house
        if self._gone.since(request) is not None:
            return Outcome.TIMEOUT
        if house.max_queue is not None and self._queued >= house.max_queue:
            return Outcome.REJECTED
        place = Handover(self._clock)
        self._waiting.append((place, request))
        self._queued += 1
        if house.queue_timeout_s is not None:
            Timer(self._clock, house.queue_timeout_s, Order.EXPIRY, lambda _: self._leave(place, Outcome.REJECTED))
        self._gone.tell(request, lambda: self._leave(place, Outcome.TIMEOUT))
        self._call()
        return Outcome(str((yield place)))

    def _leave(self, place: Handover, outcome: Outcome) -> None:
        if not place.triggered:
            self._queued -= 1
            place.give(outcome)

    def _let_in(self, request: Request) -> None:
        self._places.take(request)
        self._opens_s = self._clock.now + self._house.interval_s

    def _call(self) -> None:
        """Let in whoever may come in now, and come back when the next one may."""
        waiting = self._waiting
        while waiting:
            place, request = waiting[0]
            if place.triggered:  # it has left the line
                waiting.popleft()
            elif self._places.returns(request):  # its client was let in meanwhile
                waiting.popleft()
                self._leave(place, Outcome.OK)
            elif not self._places.free:
                return
            elif self._clock.now < self._opens_s - _INSTANT_S:
                self._come_back()
                return
            else:
                waiting.popleft()
                self._let_in(request)
                self._leave(place, Outcome.OK)

    def _come_back(self) -> None:
        if not self._will_open:
            self._will_open = True
            Timer(self._clock, self._opens_s - self._clock.now, Order.HANDOVER, lambda _: self._open())

    def _open(self) -> None:
        self._will_open = False
        self._call()
