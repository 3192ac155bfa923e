"""A replica's connections to a cache: opened at start, then reused. Every exchange leaves a span."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from reference_backend.caching import Cache, EarlyRefresh
from reference_backend.draws import Draws
from reference_backend.entries import Values, entry_name, life_ms, lock_name
from reference_backend.ports import LOOPBACK
from reference_backend.spans import CacheOperation, Trace

# Deletes a lock only for whom it belongs to: it may have fallen meanwhile, and somebody else may have it.
_UNLOCK = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) else return 0 end"


class CacheClient:
    """One cache, as a replica uses it: a cache that fails is one that has nothing, keeps nothing and locks nothing."""

    def __init__(self, *, name: str, spec: Cache, port: int, draws: Draws) -> None:
        self.name = name
        self.spec = spec
        self._values = Values(spec)
        self._draws = draws
        self._redis = Redis(
            host=LOOPBACK, port=port, max_connections=100_000, socket_timeout=None, socket_connect_timeout=5.0
        )

    async def open(self, connections: int) -> None:
        """Open connections ahead, so that no request pays for one and the server's memory is settled."""
        pool = self._redis.connection_pool
        opened = [await pool.get_connection() for _ in range(connections)]  # type: ignore[no-untyped-call]  # redis-py's own
        for connection in opened:
            await pool.release(connection)

    async def get(self, key: int, trace: Trace) -> bool:
        """Look a key up; return whether it was there, and need not be refreshed."""
        since_s = time.monotonic()
        worked, value = await self._asked("get", self._redis.get(entry_name(key)), trace)
        if not worked:
            return False
        hit = value is not None and not self.due(value)
        trace.add_cache(self.name, "get", since_s=since_s, outcome="ok", hit=hit)
        return hit

    async def check(self, key: int, trace: Trace) -> bool:
        """Look whether a key is there by now; no look-up of its own in the figures."""
        worked, value = await self._told("check", self._redis.get(entry_name(key)), trace)
        return worked and value is not None

    async def put(self, key: int, trace: Trace, *, recomputed_s: float) -> None:
        """Store a key's value for the cache's time to live.

        Args:
            key: the key.
            trace: of the request.
            recomputed_s: how long the work for it took, in seconds.
        """
        life = life_ms(self.spec, self._draws.uniform())
        expiry_s = math.inf if life is None else self.now_s() + life / 1000
        value = self._values.made(expiry_s=expiry_s, recomputed_s=recomputed_s)
        await self._told("set", self._redis.set(entry_name(key), value, px=life), trace)

    async def delete(self, key: int, trace: Trace) -> None:
        """Take a key out."""
        await self._told("delete", self._redis.delete(entry_name(key)), trace)

    async def lock(self, key: int, token: str, hold_s: float, trace: Trace) -> bool:
        """Take the lock of a key for at most ``hold_s`` seconds; return whether it was free."""
        asking = self._redis.set(lock_name(key), token, nx=True, px=max(1, round(hold_s * 1000)))
        worked, answer = await self._told("lock", asking, trace)
        return worked and bool(answer)

    async def unlock(self, key: int, token: str, trace: Trace) -> None:
        """Give the lock of a key back, if it is still this one's."""
        await self._told("unlock", self._redis.eval(_UNLOCK, 1, lock_name(key), token), trace)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    @staticmethod
    def now_s() -> float:
        """Return the clock that expiries are counted on: it is the same for all processes of this machine."""
        return time.monotonic()

    def due(self, value: bytes) -> bool:
        """Return whether this look-up should recompute an entry that is there; a matter of chance."""
        protection = self.spec.stampede_protection
        if not isinstance(protection, EarlyRefresh):
            return False
        expiry_s, recomputed_s = self._values.read(value)
        return self.now_s() - recomputed_s * protection.beta * math.log(self._draws.uniform()) >= expiry_s

    async def _told(self, operation: CacheOperation, answer: Awaitable[Any], trace: Trace) -> tuple[bool, Any]:
        """Do as :meth:`_asked` does, and record an exchange that worked too."""
        since_s = time.monotonic()
        worked, value = await self._asked(operation, answer, trace)
        if worked:
            trace.add_cache(self.name, operation, since_s=since_s, outcome="ok", hit=None)
        return worked, value

    async def _asked(self, operation: CacheOperation, answer: Awaitable[Any], trace: Trace) -> tuple[bool, Any]:
        """Return whether the server did what it was asked, and its answer; record it if it did not."""
        since_s = time.monotonic()
        try:
            return True, await answer
        except (RedisError, OSError):
            trace.add_cache(self.name, operation, since_s=since_s, outcome="error", hit=None)
            return False, None
