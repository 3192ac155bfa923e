"""The places inside a waiting room's application: each held for a request, or for as long as a client is active."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from simpy.events import Event

from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.request import Request


class Places(Protocol):
    """Who is inside."""

    @property
    def free(self) -> bool:
        """Whether one more may come in."""
        ...

    def returns(self, request: Request) -> bool:
        """Return whether the request is of a client that has a place; that the client is active is noted."""
        ...

    def take(self, request: Request) -> None:
        """Give the request a place, or its client."""
        ...

    def leave(self) -> bool:
        """Note that a request has ended; return whether that freed a place."""
        ...


class RequestPlaces:
    """A place is held for one request, from when it is let in to its answer."""

    def __init__(self, most: int | None) -> None:
        self._free: float = math.inf if most is None else most

    @property
    def free(self) -> bool:
        """Whether one more request may come in."""
        return self._free > 0

    def returns(self, request: Request) -> bool:
        """No request has a place yet when it comes."""
        return False

    def take(self, request: Request) -> None:
        """Give the request a place."""
        self._free -= 1

    def leave(self) -> bool:
        """Free the place of a request that has ended."""
        self._free += 1
        return True


class SessionPlaces:
    """A client keeps its place until it has asked for nothing for ``duration_s``, as by a cookie that expires.

    ::

        outside --let in--> inside --the last request came duration_s ago--> outside
                              ^  | asks again
                              `--'

    Args:
        client_of: which client sent a request, by its number.
        freed: called when a place has become free.

    Source: Cloudflare Waiting Room, ``total_active_users`` and ``session_duration`` (renewed with each request).
    """

    def __init__(
        self,
        *,
        clock: Clock,
        most: int | None,
        duration_s: float,
        client_of: Callable[[int], int],
        freed: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._most: float = math.inf if most is None else most
        self._duration_s = duration_s
        self._client_of = client_of
        self._freed = freed
        self._active_s: dict[int, float] = {}  # by client that is inside: when it last asked

    @property
    def free(self) -> bool:
        """Whether one more client may come in."""
        return len(self._active_s) < self._most

    def returns(self, request: Request) -> bool:
        """Return whether the client is inside, and let it stay."""
        client = self._client_of(request.number)
        if client not in self._active_s:
            return False
        self._active_s[client] = self._clock.now
        return True

    def take(self, request: Request) -> None:
        """Let the client in."""
        client = self._client_of(request.number)
        self._active_s[client] = self._clock.now
        self._look_again(client, self._duration_s)

    def leave(self) -> bool:
        """Keep the place: the client may ask for more."""
        return False

    def _look_again(self, client: int, after_s: float) -> None:
        def look(_: Event) -> None:
            idle_s = self._clock.now - self._active_s[client]
            left_s = self._duration_s - idle_s
            if left_s > self._clock.now * 2e-16 + 1e-12:  # or a rounded sum of times would look for ever
                self._look_again(client, left_s)
            else:
                del self._active_s[client]
                self._freed()

        Timer(self._clock, after_s, Order.EXPIRY, look)
