"""Who gets the next message of a line: consumers that compete for it, or the one that owns the partition."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from lab.simulation.fleet import Life, Member


class Competing:
    """All consumers take from one line, whoever has been idle longest first.

    Each replica may hold ``prefetch`` messages at once; one that drains or dies takes nothing more.
    """

    def __init__(self, *, prefetch: int) -> None:
        self._prefetch = prefetch
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
                return consumer
        return None

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

    def worked(self, consumer: Member) -> None:
        """Take notice that the consumer has ended its work: here the message's fate decides."""

    def settled(self) -> None:
        """Take notice that the message that was out is acknowledged, dead or back in the line."""
        self._out = False


Consumers = Competing | Owner
