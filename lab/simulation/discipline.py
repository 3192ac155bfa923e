"""Queue disciplines other than first in, first out: waiting rooms out of which a line calls the next."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from lab.simulation.clock import Handover


class Stack:
    """Last in, first out: the newest is called first, however long the others have waited."""

    def __init__(self) -> None:
        self._waiting: list[Handover] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def append(self, place: Handover) -> None:
        """Let somebody wait."""
        self._waiting.append(place)

    def popleft(self) -> Handover:
        """Call the next: the last who came."""
        return self._waiting.pop()


class AdaptiveStack:
    """First come, first served while fewer than ``threshold`` wait; from that many on the newest is called first.

    Source: HHVM, job-queue.h (lifoSwitchThreshold).
    """

    def __init__(self, threshold: int) -> None:
        self._threshold = threshold
        self._waiting: deque[Handover] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def append(self, place: Handover) -> None:
        """Let somebody wait."""
        self._waiting.append(place)

    def popleft(self) -> Handover:
        """Call the next: the first who came, or the last if too many wait."""
        return self._waiting.pop() if len(self._waiting) >= self._threshold else self._waiting.popleft()


class Classes:
    """By urgency: the lowest number first, first come first served among equals; nobody's service is interrupted."""

    def __init__(self, urgencies: Iterable[int]) -> None:
        self._waiting: dict[int, deque[Handover]] = {urgency: deque() for urgency in sorted(set(urgencies))}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def append(self, place: Handover) -> None:
        """Let somebody wait among those of the same urgency."""
        self._waiting[place.urgency].append(place)

    def popleft(self) -> Handover:
        """Call the next: who has waited longest among the most urgent."""
        return next(waiting for waiting in self._waiting.values() if waiting).popleft()
