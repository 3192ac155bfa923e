"""Read-through by one replica: a look-up, and what a miss leads to, with or without protection against stampedes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from itertools import count
from typing import assert_never

from reference_backend.cache_client import CacheClient
from reference_backend.caching import EarlyRefresh, Lock, NoProtection, SingleFlight
from reference_backend.spans import Trace
from reference_backend.work import PreciseSleep

Work = Callable[[], Awaitable[None]]


class FlightEnded(Exception):
    """The miss that this one waited for did not come to an end."""


class Cached:
    """The look-ups of one replica in one cache.

    ``single_flight``: one miss of a key at a time works; others that miss it meanwhile wait for its end, or its error.
    ``lock``: whoever gets the key's lock in the cache looks once more and works; the others look again every poll, and
    after the lock's timeout work themselves.
    """

    def __init__(self, *, client: CacheClient, sleep: PreciseSleep) -> None:
        self._client = client
        self._sleep = sleep
        self._flights: dict[int, asyncio.Future[Exception | None]] = {}
        self._numbers = count()

    async def run(self, key: int, trace: Trace, work: Work) -> None:
        """Look a key up; on a miss see to it that the work is done and the value stored.

        Raises:
            Exception: what the work raises, also when another's was waited for.
        """
        if await self._client.get(key, trace):
            return
        missed_s = time.monotonic()
        protection = self._client.spec.stampede_protection
        match protection:
            case NoProtection() | EarlyRefresh():
                await self._work(key, trace, work, missed_s)
            case SingleFlight():
                await self._fly(key, trace, work, missed_s)
            case Lock():
                await self._locked(protection, key, trace, work)
            case _ as never:
                assert_never(never)

    async def invalidate(self, key: int, trace: Trace) -> None:
        """Take a key out of the cache."""
        await self._client.delete(key, trace)

    async def _work(self, key: int, trace: Trace, work: Work, missed_s: float) -> None:
        await work()
        await self._client.put(key, trace, recomputed_s=time.monotonic() - missed_s)

    async def _fly(self, key: int, trace: Trace, work: Work, missed_s: float) -> None:
        under_way = self._flights.get(key)
        if under_way is not None:
            await self._join(under_way, trace)
            return
        flight = self._flights[key] = asyncio.get_running_loop().create_future()
        ending: Exception | None = FlightEnded(f"the replica stopped working on key {key}")  # unless it ends by itself
        try:
            await self._work(key, trace, work, missed_s)
            ending = None
        except Exception as error:
            ending = error
            raise
        finally:
            del self._flights[key]
            flight.set_result(ending)

    async def _join(self, flight: asyncio.Future[Exception | None], trace: Trace) -> None:
        since_s = time.monotonic()
        ending = await asyncio.shield(flight)
        trace.add_waiting(self._client.name, "flight", since_s=since_s, outcome="ok" if ending is None else "error")
        if ending is not None:
            raise ending

    async def _locked(self, protection: Lock, key: int, trace: Trace, work: Work) -> None:
        token = f"{trace.replica}-{next(self._numbers)}-{trace.request}-{trace.attempt}"
        if not await self._client.lock(key, token, protection.lock_timeout_s, trace):
            if not await self._poll(protection, key, trace):
                await self._work(key, trace, work, time.monotonic())
            return
        try:
            if not await self._client.check(key, trace):  # whoever had the lock before may have stored it by now
                await self._work(key, trace, work, time.monotonic())
        finally:
            await self._client.unlock(key, token, trace)

    async def _poll(self, protection: Lock, key: int, trace: Trace) -> bool:
        """Look again and again, at least once; return whether the key is there before patience ends."""
        end_s = time.monotonic() + protection.lock_timeout_s
        while True:
            since_s = time.monotonic()
            await self._sleep.sleep(protection.poll_s)
            trace.add_waiting(self._client.name, "poll", since_s=since_s, outcome="ok")
            found = await self._client.check(key, trace)
            if found or time.monotonic() >= end_s:
                return found
