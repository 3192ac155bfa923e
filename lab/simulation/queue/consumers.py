"""Who gets the next message of a line: consumers that compete for it, or the one that owns the partition."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from lab.simulation.clock import Clock
from lab.simulation.fleet import Life, Member


class Competing:
    """All consumers take from one line, whoever has been idle longest first.

    Each replica may hold ``prefetch`` messages at once; one that drains or dies takes nothing more. One that has room
    looks for overdue messages whenever it has been given a message, and every ``poll_interval_s`` while it gets none.
    """

    def __init__(self, *, clock: Clock, prefetch: int, poll_interval_s: float) -> None:
        self._clock = clock
        self._prefetch = prefetch
        self._poll_interval_s = poll_interval_s
        self._looked_s: dict[Member, float] = {}
        self._idle: deque[Member] = deque()

    def follow(self, ready: Iterable[Member], changed: Member) -> None:
        """Take notice of a consumer whose life has changed."""
        if changed.life is Life.READY:
            self._idle.extend([changed] * self._prefetch)

    def take(self) -> Member | None:
        """Return a consumer that has room for a message, which it is given now; None if all are busy."""
        while self._idle:
            consumer = self._idle.popleft()
            if consumer.life is Life.READY:
                self._looked_s[consumer] = self._clock.now
                return consumer
        return None

    def until_a_look_s(self) -> float | None:
        """Return how long until a consumer looks for overdue messages; None if none has room for one."""
        able = {member for member in self._idle if member.life is Life.READY}
        now_s, every_s = self._clock.now, self._poll_interval_s
        if not every_s:
            return 0.0 if able else None
        return min(
            (every_s - (now_s - self._looked_s.get(each, each.ready_s)) % every_s for each in able), default=None
        )

    def worked(self, consumer: Member) -> None:
        """Take notice that the consumer has ended its work on one message."""
        self._idle.append(consumer)

    def settled(self) -> None:
        """Take notice that a message was acknowledged or is back in the line: here the consumers' room decides."""


class Owner:
    """One consumer owns the line: partition ``number`` belongs to ready consumer ``number mod consumers``.

    The next message is not delivered before the last one is settled, so that their order holds.
    """

    def __init__(self, *, number: int) -> None:
        self._number = number
        self._ready: tuple[Member, ...] = ()
        self._out = False

    def follow(self, ready: Iterable[Member], changed: Member) -> None:
        """Take notice of a consumer whose life has changed: the partitions are dealt out anew."""
        self._ready = tuple(ready)

    def take(self) -> Member | None:
        """Return the owner, which is given a message now; None if the last one is still out or nobody is there."""
        if self._out or not self._ready:
            return None
        self._out = True
        return self._ready[self._number % len(self._ready)]

    def until_a_look_s(self) -> float | None:
        """Return that the owner looks at once: the broker of partitions sees to what is overdue."""
        return 0.0 if self._ready else None

    def worked(self, consumer: Member) -> None:
        """Take notice that the consumer has ended its work: here the message's fate decides."""

    def settled(self) -> None:
        """Take notice that the message that was out is acknowledged, dead or back in the line."""
        self._out = False


Consumers = Competing | Owner
