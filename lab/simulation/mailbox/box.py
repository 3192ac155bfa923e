"""What is kept for one recipient."""

from __future__ import annotations

from collections import deque

from lab.randomness import splitmix64
from lab.simulation.log import Visit
from lab.simulation.request import Request


class Message:
    """A message to one recipient.

    Attributes:
        job: the request that delivers it.
        stay: the row of its present stay: until a delivery has ended.
        deliveries: how often its delivery was begun.
        gone: dropped or expired.
    """

    __slots__ = ("deliveries", "gone", "job", "stay")

    def __init__(self, *, job: Request, stay: Visit) -> None:
        self.job = job
        self.stay = stay
        self.deliveries = 0
        self.gone = False


class Box:
    """The messages of one recipient, in order.

    Attributes:
        recipient: its number.
        waiting: those that wait; among them may be some that are gone.
        length: how many really wait.
        out: whether one is being delivered.
        planned: whether a time is set at which to go on.
    """

    __slots__ = ("length", "out", "planned", "recipient", "waiting")

    def __init__(self, recipient: int) -> None:
        self.recipient = recipient
        self.waiting: deque[Message] = deque()
        self.length = 0
        self.out = False
        self.planned = False

    def put(self, message: Message) -> None:
        """Keep a message behind the others."""
        self.waiting.append(message)
        self.length += 1

    def put_back(self, message: Message) -> None:
        """Keep a message before the others."""
        self.waiting.appendleft(message)
        self.length += 1

    def take(self) -> Message:
        """Take the oldest."""
        message = self.waiting.popleft()
        while message.gone:
            message = self.waiting.popleft()
        self.length -= 1
        return message

    def lose(self, message: Message) -> None:
        """Keep a message no longer that waits somewhere in the line."""
        message.gone = True
        self.length -= 1


def members(group: int, size: int, recipients: int) -> list[int]:
    """Return the members of a group: as many recipients as it has, each once, the same ones every time.

    >>> members(7, 3, 100) == members(7, 3, 100), len(set(members(7, 3, 3)))
    (True, 3)
    """
    found: dict[int, None] = {}
    draw = splitmix64(group)
    while len(found) < size:
        draw = splitmix64(draw)
        found[draw % recipients] = None
    return list(found)
