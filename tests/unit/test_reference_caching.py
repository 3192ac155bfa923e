"""Who works for a miss in the reference backend's replicas: each, one a process, or one over all."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from reference_backend.cache_client import CacheClient
from reference_backend.cached import Cached
from reference_backend.caching import Cache, Protection, SingleFlight
from reference_backend.caching import EarlyRefresh as Early
from reference_backend.caching import Lock as Locking
from reference_backend.draws import Draws
from reference_backend.entries import Values, entry_name, life_ms
from reference_backend.spans import Trace
from reference_backend.work import PreciseSleep


class Shelf:
    """A cache without a server, which several replicas may share."""

    def __init__(self) -> None:
        self.there: set[int] = set()
        self.locked: set[int] = set()


class Client:
    """One replica's way to the shelf; each exchange lets others go on."""

    def __init__(self, shelf: Shelf, protection: Protection) -> None:
        self._shelf = shelf
        self.name = "items"
        self.spec = Cache(kind="cache", stampede_protection=protection)

    async def get(self, key: int, trace: Trace) -> bool:
        """Look up."""
        await asyncio.sleep(0)
        return key in self._shelf.there

    check = get

    async def put(self, key: int, trace: Trace, *, recomputed_s: float) -> None:
        """Store."""
        await asyncio.sleep(0)
        self._shelf.there.add(key)

    async def lock(self, key: int, token: str, hold_s: float, trace: Trace) -> bool:
        """Take the lock, if it is free."""
        await asyncio.sleep(0)
        free = key not in self._shelf.locked
        self._shelf.locked.add(key)
        return free

    async def unlock(self, key: int, token: str, trace: Trace) -> None:
        """Give the lock back."""
        self._shelf.locked.discard(key)


class World:
    """Replicas that share a shelf, and the work that their misses cost."""

    def __init__(self, protection: Protection, *, replicas: int = 1, fails: bool = False) -> None:
        shelf, self.sleep = Shelf(), PreciseSleep()
        clients = [cast(CacheClient, Client(shelf, protection)) for _ in range(replicas)]
        self._replicas = [Cached(client=client, sleep=self.sleep) for client in clients]
        self._fails = fails
        self.worked = 0
        self.traces: list[Trace] = []

    async def ask(self, replica: int, key: int = 1) -> None:
        """Have a request look a key up."""
        trace = Trace(request=len(self.traces), attempt=0, operation="get", arrival_s=0.0, replica=replica)
        self.traces.append(trace)
        await self._replicas[replica].run(key, trace, self._work)

    async def _work(self) -> None:
        self.worked += 1
        await asyncio.sleep(0.005)
        if self._fails:
            raise ValueError("the database is down")

    def operations(self) -> list[str]:
        """Return what was waited for, over all requests."""
        return sorted(row[2] for trace in self.traces for row in trace.rows)


def run(protection: Protection, asks: list[tuple[int, int]], *, replicas: int = 1, fails: bool = False) -> Any:
    """Have requests (replica, key) come at once; return the world, and how each request ended."""

    async def act() -> Any:
        world = World(protection, replicas=replicas, fails=fails)
        endings = await asyncio.gather(*(world.ask(*each) for each in asks), return_exceptions=True)
        world.sleep.close()
        return world, endings

    return asyncio.run(act())


def test_without_protection_every_miss_works() -> None:
    """Three requests for one key at once cost three times the work."""
    world, endings = run(Cache(kind="cache").stampede_protection, [(0, 1)] * 3)
    assert (world.worked, endings, world.operations()) == (3, [None] * 3, [])


def test_a_single_flight_is_one_a_replica_and_key() -> None:
    """Of two replicas each works once for a key, however many ask; another key is another flight."""
    asks = [(0, 1), (0, 1), (1, 1), (1, 1), (0, 2)]
    world, endings = run(SingleFlight(kind="single_flight"), asks, replicas=2)
    assert (world.worked, endings, world.operations()) == (3, [None] * 5, ["flight", "flight"])


def test_who_joined_a_flight_shares_its_error() -> None:
    """The work fails once, for all; it is not tried again behind the first one's back."""
    world, endings = run(SingleFlight(kind="single_flight"), [(0, 1)] * 3, fails=True)
    assert world.worked == 1
    assert [str(ending) for ending in endings] == ["the database is down"] * 3
    assert [row[8] for trace in world.traces for row in trace.rows] == ["error", "error"]


def test_under_a_lock_one_over_all_replicas_works() -> None:
    """The others look again every poll until the entry is there."""
    protection = Locking(kind="lock", poll_s=0.004, lock_timeout_s=5.0)
    world, endings = run(protection, [(0, 1), (0, 1), (1, 1)], replicas=2)
    assert (world.worked, endings) == (1, [None] * 3)
    assert set(world.operations()) == {"poll"}


def test_whoever_has_waited_for_a_lock_too_long_works_without_it() -> None:
    """The work of the lock's owner fails, so the entry never comes; the others look once each and work."""
    world, endings = run(Locking(kind="lock", poll_s=0.001, lock_timeout_s=1e-6), [(0, 1)] * 3, fails=True)
    assert world.worked == 3
    assert [str(ending) for ending in endings] == ["the database is down"] * 3


@pytest.mark.parametrize(("left_s", "is_due"), [(-0.001, True), (1e9, False)])
def test_an_early_refresh_is_sure_at_the_expiry_and_out_of_the_question_long_before(
    left_s: float, is_due: bool
) -> None:
    """In between it is a matter of chance."""
    spec = Cache(kind="cache", ttl_s=1.0, stampede_protection=Early(kind="early_refresh"))
    client = CacheClient(name="items", spec=spec, port=1, draws=Draws("any"))
    value = Values(spec).made(expiry_s=client.now_s() + left_s, recomputed_s=0.2)
    assert [client.due(value) for _ in range(50)] == [is_due] * 50


def test_an_early_refresh_is_as_likely_as_its_exponential_law_has_it() -> None:
    """As long before the expiry as recomputing takes, exp(-1) of the look-ups recompute."""
    spec = Cache(kind="cache", ttl_s=1.0, stampede_protection=Early(kind="early_refresh"))
    client = CacheClient(name="items", spec=spec, port=1, draws=Draws("law"))
    value = Values(spec).made(expiry_s=client.now_s() + 1000.0, recomputed_s=1000.0)
    assert sum(client.due(value) for _ in range(5000)) / 5000 == pytest.approx(0.368, abs=0.02)


def test_entries_take_the_same_room_whatever_their_key() -> None:
    """Names are as long, and a value is as long as was asked for, its head included."""
    early = Cache(kind="cache", ttl_s=1.0, value_bytes=100, stampede_protection=Early(kind="early_refresh"))
    for spec in (Cache(kind="cache", value_bytes=100), early):
        assert len(Values(spec).made(expiry_s=1.0, recomputed_s=0.0)) == 100
    assert len({len(entry_name(key)) for key in (0, 7, 1999, 9_999_999)}) == 1


def test_lives_are_spread_evenly_around_the_time_to_live() -> None:
    """From one bound to the other, never to nothing."""
    spec = Cache(kind="cache", ttl_s=2.0, ttl_jitter=0.25)
    assert [life_ms(spec, uniform) for uniform in (0.0, 0.5, 1.0)] == [1500, 2000, 2500]
    assert life_ms(Cache(kind="cache"), 0.5) is None
    assert life_ms(Cache(kind="cache", ttl_s=1e-6), 0.5) == 1
