"""Locks that callers keep in a cache: SET NX PX, and a delete of one's own."""

from __future__ import annotations

from lab.simulation.request import Request


class Locks:
    """One lock a key; it falls by itself when it has been held for ``hold_s``.

    ::

        free --lock--> held --unlock by its owner, or hold_s over--> free
    """

    def __init__(self, *, hold_s: float) -> None:
        self._hold_s = hold_s
        self._held: dict[int, tuple[tuple[int, int, int], float]] = {}  # key -> owner, until when

    def lock(self, request: Request, now_s: float) -> bool:
        """Take the lock of the request's key, and return whether it was free."""
        held = self._held.get(request.key)
        if held is not None and now_s < held[1]:
            return False
        self._held[request.key] = (self._owner(request), now_s + self._hold_s)
        return True

    def unlock(self, request: Request) -> None:
        """Give the lock back, unless it has fallen and somebody else has it."""
        held = self._held.get(request.key)
        if held is not None and held[0] == self._owner(request):
            del self._held[request.key]

    def clear(self) -> None:
        """Forget all locks."""
        self._held.clear()

    def _owner(self, request: Request) -> tuple[int, int, int]:
        return request.number, request.attempt, request.visit
