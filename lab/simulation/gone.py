"""Which attempts nobody waits for any more: parts that would notice may ask, or be told."""

from __future__ import annotations

from collections.abc import Callable

from lab.simulation.request import Request


class Gone:
    """The attempts that clients gave up, and when.

    A part that notices a client's leaving asks :meth:`since` when it takes a request up, or has itself told with
    :meth:`tell` while the request waits. Whoever does neither works on for nobody, and pays nothing for it.

    Attributes:
        gave_up_s: when, by number of the request and attempt.
    """

    def __init__(self) -> None:
        self.gave_up_s: dict[tuple[int, int], float] = {}
        self._told: dict[tuple[int, int], list[Callable[[], None]]] = {}

    def since(self, request: Request) -> float | None:
        """Return when the client gave this attempt up, or None if it still waits, or others do."""
        return None if request.goes_on else self.gave_up_s.get((request.number, request.attempt))

    def tell(self, request: Request, told: Callable[[], None]) -> None:
        """Have ``told`` called when the client gives this attempt up, at that very time."""
        if not request.goes_on:
            self._told.setdefault((request.number, request.attempt), []).append(told)

    def forget(self, request: Request, told: Callable[[], None]) -> None:
        """No longer have ``told`` called: what it waited for has ended."""
        waiting = self._told.get((request.number, request.attempt), [])
        if told in waiting:
            waiting.remove(told)
        if not waiting:
            self._told.pop((request.number, request.attempt), None)

    def note(self, number: int, attempt: int, now_s: float) -> None:
        """Note that a client gave up an attempt now."""
        self.gave_up_s[number, attempt] = now_s
        for told in self._told.pop((number, attempt), ()):
            told()
