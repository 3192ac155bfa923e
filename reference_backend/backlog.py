"""Who waits for a slot of a replica, and who of them is turned away because they waited too long.

::

    joins --> waits --called--> has the slot
                `----shed-----> turned away (503)
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, assert_never

from reference_backend.limiting import Shedding

_RECENT = 16  # intervals after which CoDel forgets how often it had to shed


@dataclass(slots=True, kw_only=True, eq=False)
class Waiter:
    """A request that waits; ``turn`` becomes True when it has a slot, False when it is turned away."""

    turn: asyncio.Future[bool]
    since_s: float
    patience_s: float = math.inf


class _Judge(Protocol):
    """Decides, when a slot is free, whom of the queue to turn away before somebody gets it."""

    def joins(self, waiter: Waiter, queued: int) -> None: ...

    def call(self, queue: deque[Waiter], shed: Callable[[Waiter], None], now_s: float) -> Waiter | None: ...


class _Patient:
    """Turns nobody away."""

    def joins(self, waiter: Waiter, queued: int) -> None:
        pass

    def call(self, queue: deque[Waiter], shed: Callable[[Waiter], None], now_s: float) -> Waiter | None:
        return queue.popleft() if queue else None


class _ServerCoDel:
    """Who joins a queue that was not empty for an interval has but a short patience.

    Source: Maurer (2015), "Fail at scale", ACM Queue 13(8).
    """

    def __init__(self, *, target_s: float, interval_s: float) -> None:
        self._target_s = target_s
        self._interval_s = interval_s
        self._empty_s = time.monotonic()

    def joins(self, waiter: Waiter, queued: int) -> None:
        if queued == 0:
            self._empty_s = waiter.since_s
        stands = self._empty_s < waiter.since_s - self._interval_s
        waiter.patience_s = self._target_s if stands else self._interval_s

    def call(self, queue: deque[Waiter], shed: Callable[[Waiter], None], now_s: float) -> Waiter | None:
        while queue:
            waiter = queue.popleft()
            if now_s - waiter.since_s <= waiter.patience_s:
                return waiter
            shed(waiter)
        return None


class _CoDel:
    """Sheds at times that come closer and closer while the wait stays above the target.

    Source: RFC 8289, section 5; the names are those of its pseudocode, and a request is a packet of full size.
    """

    def __init__(self, *, target_s: float, interval_s: float) -> None:
        self._target_s = target_s
        self._interval_s = interval_s
        self._first_above_s = 0.0  # when the wait will have been long for an interval; 0: it is not long
        self._dropping = False
        self._drop_next_s = 0.0
        self._count = 0
        self._last_count = 0

    def joins(self, waiter: Waiter, queued: int) -> None:
        pass

    def call(self, queue: deque[Waiter], shed: Callable[[Waiter], None], now_s: float) -> Waiter | None:
        waiter, may_drop = self._dequeue(queue, now_s)
        if waiter is None:
            self._dropping = False
        elif self._dropping:
            self._dropping = may_drop
            while self._dropping and now_s >= self._drop_next_s:
                if waiter is not None:
                    shed(waiter)
                self._count += 1
                waiter, self._dropping = self._dequeue(queue, now_s)
                if self._dropping:
                    self._drop_next_s = self._control_law(self._drop_next_s)
        elif may_drop:
            shed(waiter)
            waiter, _ = self._dequeue(queue, now_s)
            self._dropping = True
            delta = self._count - self._last_count
            lately = now_s - self._drop_next_s < _RECENT * self._interval_s
            self._count = delta if delta > 1 and lately else 1
            self._drop_next_s = self._control_law(now_s)
            self._last_count = self._count
        return waiter

    def _dequeue(self, queue: deque[Waiter], now_s: float) -> tuple[Waiter | None, bool]:
        waiter = queue.popleft() if queue else None
        if waiter is None or now_s - waiter.since_s < self._target_s or len(queue) <= 1:
            self._first_above_s = 0.0
            return waiter, False
        if self._first_above_s == 0.0:
            self._first_above_s = now_s + self._interval_s
            return waiter, False
        return waiter, now_s >= self._first_above_s

    def _control_law(self, time_s: float) -> float:
        return time_s + self._interval_s / math.sqrt(self._count)


class Backlog:
    """The queue before the slots of a replica: first come, first served, with so many places."""

    def __init__(
        self, *, places: int | None, shedding: Shedding | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._places = places
        self._clock = clock
        self._queue: deque[Waiter] = deque()
        self._judge = _judge(shedding)

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def full(self) -> bool:
        """Return whether nobody more may wait."""
        return self._places is not None and len(self._queue) >= self._places

    def join(self) -> asyncio.Future[bool]:
        """Queue up; the result tells whether a slot was given."""
        waiter = Waiter(turn=asyncio.get_running_loop().create_future(), since_s=self._clock())
        self._judge.joins(waiter, len(self._queue))
        self._queue.append(waiter)
        return waiter.turn

    def call(self) -> bool:
        """Give a slot to whoever is next; return False if nobody is there to take it."""
        waiter = self._judge.call(self._queue, _shed, self._clock())
        if waiter is not None:
            waiter.turn.set_result(True)
        return waiter is not None


def _shed(waiter: Waiter) -> None:
    waiter.turn.set_result(False)


def _judge(shedding: Shedding | None) -> _Judge:
    if shedding is None:
        return _Patient()
    match shedding.kind:
        case "codel":
            return _CoDel(target_s=shedding.target_s, interval_s=shedding.interval_s)
        case "server_codel":
            return _ServerCoDel(target_s=shedding.target_s, interval_s=shedding.interval_s)
        case _ as never:
            assert_never(never)
