"""The session of a consumer: whether its coordinator hears of it, and how long it works on one batch."""

from __future__ import annotations

import math
from collections.abc import Callable

from simpy.events import Event

from lab.scenario.stream import Stream as Spec
from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.fleet import Member


class Session:
    """Beats every ``heartbeat_interval`` while the process lives and is not frozen; tells when that was too long ago.

    ::

        heard of --silent for session_timeout--> lost ("session")
           |     --a batch for max_poll_interval--> lost ("poll")
           `-- ended: it has left

    Args:
        heard: called at each beat.
        lost: called with the reason.
    """

    def __init__(
        self, *, clock: Clock, spec: Spec, member: Member, heard: Callable[[], None], lost: Callable[[str], None]
    ) -> None:
        self._clock = clock
        self._spec = spec
        self._member = member
        self._heard = heard
        self._lost = lost
        self._heard_s = clock.now
        self._polled_s = math.inf  # since when it works on the present batch
        self._watched = False  # whether a timer looks how long that takes
        self._dead = self._ended = False

    def start(self) -> None:
        """Begin to beat."""
        later(self._clock, self._spec.heartbeat_interval, self._beat)

    def die(self) -> None:
        """Beat no more, without a word."""
        self._dead = True

    def end(self) -> None:
        """Beat no more, as the coordinator knows."""
        self._ended = True

    def begin_batch(self) -> None:
        """Take notice that it works on a batch from now on."""
        self._polled_s = self._clock.now
        if not self._watched:
            self._watched = True
            later(self._clock, self._spec.max_poll_interval, self._look)

    def end_batch(self) -> None:
        """Take notice that it polls again."""
        self._polled_s = math.inf

    def _beat(self) -> None:
        if self._ended:
            return
        interval_s, heard_s = self._spec.heartbeat_interval, self._heard_s
        if not self._dead and not self._member.frozen:
            self._heard_s = self._clock.now
            self._heard()
        elif self._clock.now - heard_s < 1.5 * interval_s:  # the first beat that is missing
            later(self._clock, self._spec.session_timeout - interval_s, lambda: self._silent_since(heard_s))
        if not self._dead:
            later(self._clock, interval_s, self._beat)

    def _silent_since(self, heard_s: float) -> None:
        if self._heard_s == heard_s and not self._ended:
            self._lost("session")

    def _look(self) -> None:
        """One timer at a time sees to all batches: it comes again when the present one would be too long."""
        self._watched = False
        left_s = self._polled_s + self._spec.max_poll_interval - self._clock.now
        if math.isinf(left_s) or self._dead or self._ended:
            return
        if left_s > 0:
            self._watched = True
            later(self._clock, left_s, self._look)
        else:
            self._lost("poll")


def later(clock: Clock, delay_s: float, then: Callable[[], None]) -> None:
    """Have something happen so much later, after all that happens at that time by itself."""

    def happened(_: Event) -> None:
        then()

    Timer(clock, max(delay_s, 0.0), Order.EXPIRY, happened)
