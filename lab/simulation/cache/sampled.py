"""Evictions as Redis and Valkey do them: look at a few entries at random, keep the best candidates, take the best.

Source of the rules: Redis 7, src/evict.c (evictionPoolPopulate, performEvictions, LFULogIncr, LFUDecrAndReturn),
with lfu-log-factor 10 and lfu-decay-time 1.
"""

from __future__ import annotations

from bisect import bisect_left

from lab.randomness import Stream, child_visit, name_key
from lab.simulation.cache.eviction import draw
from lab.simulation.cache.keys import Keys
from lab.simulation.clock import Clock
from lab.simulation.request import Request

_POOL = 16
_CLOCK_S = 1.0  # resolution of the LRU clock: uses within one second look the same
_FIRST_COUNT, _MOST, _LOG_FACTOR, _DECAY_S = 5, 255, 10, 60.0
_WRITES = name_key("write")


class Pool:
    """The best candidates that were ever seen, by how idle they were then; they may have been used or left since."""

    def __init__(self) -> None:
        self._candidates: list[tuple[int, int]] = []  # idle, key: the best last

    def offer(self, key: int, idle: int) -> None:
        """Take it in if there is room, or if it is idler than the worst one, which then falls out."""
        candidates = self._candidates
        place = bisect_left(candidates, idle, key=lambda candidate: candidate[0])
        if len(candidates) == _POOL:
            if place == 0:
                return
            del candidates[0]
            place -= 1
        candidates.insert(place, (idle, key))

    def take(self, there: Keys) -> int | None:
        """Take the best out, and whatever better ones have left the cache; None if no other was in."""
        while self._candidates:
            _, key = self._candidates.pop()
            if key in there:
                return key
        return None

    def clear(self) -> None:
        """Take all out."""
        self._candidates.clear()


class SampledLru:
    """Of some entries at random, and the pool, the one not used for longest by a clock that counts seconds."""

    def __init__(self, *, clock: Clock, draws: Stream, samples: int) -> None:
        self._clock = clock
        self._draws = draws
        self._samples = samples
        self._keys, self._pool = Keys(), Pool()
        self._used_at: dict[int, int] = {}

    def used(self, request: Request) -> None:
        """Note the second."""
        self._used_at[request.key] = int(self._clock.now / _CLOCK_S)

    def stored(self, request: Request) -> None:
        """Note the second."""
        self._keys.add(request.key)
        self.used(request)

    def victim(self, request: Request, nth: int) -> int | None:
        """The best of the pool, after some more have been looked at."""
        now = int(self._clock.now / _CLOCK_S)
        for key in self._keys.some(self._samples, lambda ordinal: draw(self._draws, request, nth, ordinal)):
            self._pool.offer(key, now - self._used_at[key])
        return self._pool.take(self._keys)

    def gone(self, key: int) -> None:
        """It stays in the pool as a ghost."""
        self._keys.remove(key)
        del self._used_at[key]

    def clear(self) -> None:
        """Start over."""
        self._keys.clear()
        self._pool.clear()
        self._used_at.clear()


class SampledLfu:
    """Of some entries at random, and the pool, the one with the lowest count of uses.

    The count is a logarithmic one of 8 bits: it starts at 5, a use at count c raises it with probability
    1 / (10 x max(c - 5, 0) + 1), and each minute boundary since the last use takes one off.
    """

    def __init__(self, *, clock: Clock, draws: tuple[Stream, Stream], samples: int) -> None:
        self._clock = clock
        self._draws, self._counting = draws
        self._samples = samples
        self._keys, self._pool = Keys(), Pool()
        self._counted: dict[int, tuple[int, int]] = {}  # key -> count, minute of the last use

    def used(self, request: Request) -> None:
        """Take off what has decayed, then raise the count by chance."""
        count = self.count(request.key)
        if count < _MOST:
            visit = request.visit if request.operation == "get" else child_visit(request.visit, _WRITES)
            uniform = self._counting.uniform(request.number, request.attempt, visit)
            if uniform < 1 / (max(count - _FIRST_COUNT, 0) * _LOG_FACTOR + 1):
                count += 1
        self._counted[request.key] = (count, self._minute())

    def stored(self, request: Request) -> None:
        """It starts at 5, so that it does not go at once."""
        self._keys.add(request.key)
        self._counted[request.key] = (_FIRST_COUNT, self._minute())

    def count(self, key: int) -> int:
        """Return the count of a key that is there, decayed up to now."""
        count, minute = self._counted[key]
        return max(count - (self._minute() - minute), 0)

    def victim(self, request: Request, nth: int) -> int | None:
        """The best of the pool, after some more have been looked at."""
        for key in self._keys.some(self._samples, lambda ordinal: draw(self._draws, request, nth, ordinal)):
            self._pool.offer(key, _MOST - self.count(key))
        return self._pool.take(self._keys)

    def gone(self, key: int) -> None:
        """It stays in the pool as a ghost."""
        self._keys.remove(key)
        del self._counted[key]

    def clear(self) -> None:
        """Start over."""
        self._keys.clear()
        self._pool.clear()
        self._counted.clear()

    def _minute(self) -> int:
        return int(self._clock.now / _DECAY_S)
