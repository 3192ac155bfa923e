"""What is in a cache, until when, and how much room it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lab.simulation.cache.eviction import Eviction
from lab.simulation.request import Request


class Contents:
    """Entries with their expiry; room is made before a new one is stored, so that it is never its own victim.

    An entry that is too old goes when it is looked at, and until then takes up room (Valkey also sweeps old entries
    out in the background; that is not modelled).

    Args:
        eviction: which entry goes when it is full.
        room: how much fits, in the unit of ``size``.
        size: what the entry of a key takes up: 1, or whole bytes.
        life_s: how long the entry lives that a request stores; stays readable.
        stale_for_s: how long after its life an entry is still served.
    """

    def __init__(
        self,
        *,
        eviction: Eviction,
        room: float,
        size: Callable[[int], int],
        life_s: Callable[[Request], float],
        stale_for_s: float = 0.0,
    ) -> None:
        self._eviction = eviction
        self._room = room
        self._size = size
        self.life_s = life_s
        self._stale_for_s = stale_for_s
        self._taken = 0
        self.expiry_s: dict[int, float] = {}

    def holds(self, request: Request, now_s: float) -> bool:
        """Return whether the request's key may be served now; what is too old for it goes."""
        expiry_s = self.expiry_s.get(request.key)
        if expiry_s is None:
            return False
        if expiry_s + self._stale_for_s <= now_s:
            self.drop(request.key)
            return False
        self._eviction.used(request)
        return True

    def stale(self, key: int, now_s: float) -> bool:
        """Return whether the key is there, but its life is over."""
        return self.expiry_s.get(key, now_s + 1) <= now_s

    def put(self, request: Request, now_s: float) -> bool:
        """Store the request's key, if room can be made for it, and return whether it is there."""
        return self.keep(request, now_s + self.life_s(request))

    def keep(self, request: Request, expiry_s: float) -> bool:
        """Store the request's key until a time, if room can be made for it, and return whether it is there."""
        key = request.key
        if key in self.expiry_s:
            self._eviction.used(request)
        else:
            size = self._size(key)
            if not self._make_room(size, request):
                return False
            self._taken += size
            self._eviction.stored(request)
        self.expiry_s[key] = expiry_s
        return True

    def _make_room(self, size: int, request: Request) -> bool:
        evicted = 0
        while self._taken + size > self._room:
            victim = self._eviction.victim(request, evicted) if size <= self._room else None
            if victim is None:
                return False
            self.drop(victim)
            evicted += 1
        return True

    def drop(self, key: int) -> None:
        """Take the key out, if it is there."""
        if self.expiry_s.pop(key, None) is not None:
            self._taken -= self._size(key)
            self._eviction.gone(key)

    def clear(self) -> None:
        """Take everything out."""
        self.expiry_s.clear()
        self._taken = 0
        self._eviction.clear()

    def fill(self, writes: Iterable[Request], age: Callable[[int], float]) -> None:
        """Store what is there at time 0, as far as all of it fits.

        Args:
            writes: one a key, the most popular first; it is stored last, so that it counts as the latest used.
            age: the share of a key's life that is over, 0 to 1.
        """
        fitting, taken = [], 0
        for write in writes:
            taken += self._size(write.key)
            if taken > self._room:
                break
            fitting.append(write)
        for write in reversed(fitting):
            self.put(write, 0.0)
            self.expiry_s[write.key] *= 1 - age(write.key)
