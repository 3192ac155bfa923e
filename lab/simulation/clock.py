"""The simulated clock: SimPy's environment, with a written order for events at equal times.

Events are taken by time, then by their :class:`Order`, then in the sequence in which they were scheduled.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

import simpy
from simpy.events import Event, EventPriority

Clock = simpy.Environment


class Order(IntEnum):
    """What happens first among events at one time (SimPy calls it priority).

    A place that was freed is handed over before anything else happens; work that ends exactly when a timer
    runs out has ended in time; a request that arrives just then finds the place already free.
    """

    HANDOVER = 0
    COMPLETION = 1  # SimPy's Timeout and Process events are of this order
    EXPIRY = 2
    ARRIVAL = 3


class Timer(Event):
    """Happens ``delay_s`` from now, in its order; a process may wait for it, or a callback may be given."""

    def __init__(
        self, clock: Clock, delay_s: float, order: Order, callback: Callable[[Event], None] | None = None
    ) -> None:
        super().__init__(clock)
        self._ok = True
        self._value = None
        if callback is not None:
            self.callbacks.append(callback)
        clock.schedule(self, priority=EventPriority(order), delay=delay_s)


class Handover(Event):
    """A place in a queue: whoever waits for it learns whether a server was given or the wait ran out.

    Attributes:
        urgency: in a queue of several classes: lower numbers are served first.
    """

    urgency = 0

    def give(self, value: object) -> None:
        """Wake the waiting process at this very time, before anything else happens."""
        self._ok = True
        self._value = value
        self.env.schedule(self, priority=EventPriority(Order.HANDOVER))
