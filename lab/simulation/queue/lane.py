"""Messages, and the lines in which they wait."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from lab.simulation.log import Visit
from lab.simulation.queue.consumers import Consumers
from lab.simulation.queue.priorities import ByPriority
from lab.simulation.request import Request
from lab.simulation.variate import Variate


class Message:
    """What one publishing left behind.

    Attributes:
        job: the request that its consumer is sent.
        stay: the row of its present stay: in its lane, then unacknowledged.
        deliveries: how often it was delivered.
        out: whether it is delivered and not settled.
        failed: whether its present delivery ended without success.
        priority: of its publishing; higher ones go first where the queue heeds it.
        done: acknowledged, dropped or dead: nothing becomes of it any more.
    """

    __slots__ = ("deliveries", "done", "failed", "job", "lane", "out", "priority", "stay")

    def __init__(self, *, job: Request, lane: Lane, stay: Visit, priority: int) -> None:
        self.job = job
        self.priority = priority
        self.lane = lane
        self.stay = stay
        self.deliveries = 0
        self.out = False
        self.failed = False
        self.done = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanges:
    """How long exchanges with the broker take.

    Attributes:
        publish: one publishing.
        access: a consumer's fetching or acknowledging; None where that is 0.
    """

    publish: Variate
    access: Variate | None


@dataclass(slots=True, kw_only=True)
class Lane:
    """Messages in order, and those who take them.

    Attributes:
        messages: those that wait; among them may be some that are done.
        overdue: those that are out beyond their visibility timeout, until a consumer looks; some may be settled since.
        length: how many really wait.
    """

    consumers: Consumers
    messages: deque[Message] | ByPriority[Message]
    overdue: deque[tuple[Message, int]] = field(default_factory=deque)
    length: int = 0

    def next_overdue(self) -> Message | None:
        """Take out the message that has been overdue for longest, if there is one."""
        while self.overdue:
            message, delivery = self.overdue.popleft()
            if message.out and message.deliveries == delivery:
                return message
        return None
