"""Copies of one thing that is asked for, of which the first good answer counts: the rule of hedging."""

from __future__ import annotations

from collections.abc import Callable

from lab.scenario.hedge import Hedge
from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.guard import Guard
from lab.simulation.request import Handling, Outcome


class Race:
    """Sends a copy, and others until one is answered well.

    ::

        start --> a copy --good answer--> over: ok; the others are given up
                   |  ^ `--it fails--> another copy left and paid for? --no--> others under way? --no--> over: so
                   |  |                   | yes                                   `--yes--> waits for them
                   |  `-------------------+
                   `--`after` later, nothing yet, another copy left and paid for? --yes--> sends it too

    Args:
        hedge: when a further copy is sent, and how many there are.
        guard: what pays for further copies, and is told how each ended that was still waited for; None: free.
        send: begins the copy of this number: returns what does it.
        over: told how the race ended, while ``under_way`` still holds the copies that have lost.

    Attributes:
        sent: copies until now.
        under_way: copies that are waited for, by their number, in the order in which they were sent.
        is_over: whether it has ended.
    """

    __slots__ = ("_clock", "_guard", "_hedge", "_over", "_send", "is_over", "sent", "under_way")

    def __init__(
        self,
        *,
        clock: Clock,
        hedge: Hedge,
        guard: Guard | None,
        send: Callable[[int], Handling],
        over: Callable[[Outcome], object],
    ) -> None:
        self._clock = clock
        self._hedge = hedge
        self._guard = guard
        self._send = send
        self._over = over
        self.sent = 0
        self.under_way: dict[int, None] = {}
        self.is_over = False

    def start(self) -> None:
        """Send the first copy; later ones come as time passes."""
        if self._guard is not None:
            self._guard.asked()
        self._begin()

    def note(self, copy: int, outcome: Outcome) -> None:
        """Note how a copy ended, unless nobody waits for it any more."""
        if copy not in self.under_way:
            return
        del self.under_way[copy]
        if self._guard is not None:
            self._guard.note(outcome)
        if outcome is Outcome.OK or not (self._begin_another() or self.under_way):
            self.end(outcome)

    def end(self, outcome: Outcome) -> None:
        """End it, and wait for no copy any more."""
        if not self.is_over:
            self.is_over = True
            self._over(outcome)
            self.under_way.clear()

    def _begin(self) -> None:
        copy = self.sent
        self.sent += 1
        self.under_way[copy] = None
        self._clock.process(self._do(copy, self._send(copy)))
        if self.sent < self._hedge.attempts:
            Timer(self._clock, self._hedge.after, Order.ARRIVAL, lambda _: self._hedge_after(copy))

    def _do(self, copy: int, handling: Handling) -> Handling:
        outcome = yield from handling
        self.note(copy, outcome)
        return outcome

    def _hedge_after(self, copy: int) -> None:
        if not self.is_over and self.sent == copy + 1:  # no failure has brought the next one already
            self._begin_another()

    def _begin_another(self) -> bool:
        """Send a further copy if there is one left and it can be paid for."""
        if self.sent >= self._hedge.attempts or (self._guard is not None and not self._guard.pay()):
            return False
        self._begin()
        return True
