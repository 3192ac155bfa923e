"""Messages of several priorities in one line."""

from __future__ import annotations

from collections import deque
from typing import Generic, Protocol, TypeVar

_PUBLISH = "publish"


def publishing(priority: int) -> str:
    """Return the operation by which a message of this priority is published.

    >>> publishing(0), publishing(7)
    ('publish', 'publish 7')
    """
    return f"{_PUBLISH} {priority}" if priority else _PUBLISH


def priority_of(operation: str) -> int:
    """Return the priority of a message that was published by this operation.

    >>> priority_of("publish"), priority_of("publish 7")
    (0, 7)
    """
    return int(operation.removeprefix(_PUBLISH) or 0)


class HasPriority(Protocol):
    """A message; higher priorities go first."""

    @property
    def priority(self) -> int:
        """From 0 on."""
        ...


M = TypeVar("M", bound=HasPriority)


class ByPriority(Generic[M]):
    """A line of several classes: the highest priority first, first come first served within it.

    It looks like the deque that a line of one class is: what comes back to its head is the first of its class.
    """

    def __init__(self, *, highest: int) -> None:
        self._highest = highest
        self._classes: tuple[deque[M], ...] = tuple(deque() for _ in range(highest + 1))

    def append(self, message: M, /) -> None:
        """Let a message wait behind those of its class."""
        self._class_of(message).append(message)

    def appendleft(self, message: M, /) -> None:
        """Let a message wait before those of its class."""
        self._class_of(message).appendleft(message)

    def popleft(self) -> M:
        """Take the first of the highest class that has one."""
        return next(each for each in reversed(self._classes) if each).popleft()

    def _class_of(self, message: M) -> deque[M]:
        return self._classes[min(message.priority, self._highest)]
