"""The cache: eviction, room, life, protection and scope, each rule on a schedule worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab.errors import Unsupported
from lab.scenario.schedule import Schedule
from lab.simulation.build import Context, World
from lab.simulation.cache import Cache, LocalCaches
from lab.simulation.replicate import replicate
from lab.simulation.request import Handling, Outcome, Request
from tests.unit.backends import observe, scenario, service, waiting

_LOOK_UP = {"kind": "cached", "cache": "items", "miss": [waiting("100ms")]}


def _keys(count: int = 100) -> dict[str, Any]:
    return {
        "kind": "open",
        "arrival_rate": "1/s",
        "endpoints": {"get": "100%"},
        "keys": {"kind": "uniform", "count": count},
    }


def _cached(*, replicas: int = 1, look_up: dict[str, Any] = _LOOK_UP, **cache: Any) -> Any:
    items = {"kind": "cache", "access_time": "1ms", **cache}
    edge = {"kind": "load_balancer", "targets": "api", "algorithm": "roundrobin"}
    api = service(look_up, replicas=replicas)
    return scenario({"edge": edge, "api": api, "items": items}, entry="edge", workload=_keys())


def _hits(visits: pd.DataFrame) -> list[bool]:
    return [bool(hit) for hit in visits[visits["hit"].notna()]["hit"]]


def _worked(visits: pd.DataFrame) -> int:
    """How often the 100 ms of a miss were spent, by anyone."""
    own_s = visits[visits["component"].isin(["api", "items"])]["service_time_s"]
    return int((own_s > 0.09).sum())


# -- eviction and room --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("eviction", "last"),
    [
        ("lru", [True, False]),  # 0 was read later than 1
        ("fifo", [False, False]),  # 0 was stored first; then storing 0 drops 1
        ("lfu", [True, False]),  # 0 was used three times, 1 once
        ("sampled_lru", [True, False]),  # five samples see both entries
        ("sampled_lfu", [True, False]),  # a use at count 5 raises it surely
        ("noeviction", [True, True]),  # 2 was never stored
    ],
)
def test_who_goes_when_it_is_full(eviction: str, last: list[bool]) -> None:
    """Room for two: 0, 1, then 0 twice more, then 2 comes; are 0 and 1 still there?"""
    described = _cached(capacity=2, eviction=eviction)
    _, visits = observe(described, [0, 2, 4, 6, 8, 10, 12], keys=[0, 1, 0, 0, 2, 0, 1])
    assert _hits(visits) == [False, False, True, True, False, *last]


def test_a_refused_write_says_so_and_spoils_nothing() -> None:
    """noeviction, room for one: the second key is served all the same, its write ends in an error."""
    requests, visits = observe(_cached(capacity=1, eviction="noeviction"), [0, 1], keys=[0, 1])
    assert requests["outcome"].tolist() == ["ok", "ok"]
    assert visits[visits["operation"] == "set"]["outcome"].tolist() == ["ok", "error"]


def test_random_eviction_is_a_function_of_the_request() -> None:
    """Two runs evict the same keys, and over many evictions both places are hit."""
    schedule = list(range(40)), [0, 1, 2, 3] * 10
    runs = [observe(_cached(capacity=2, eviction="random"), schedule[0], keys=schedule[1])[1] for _ in range(2)]
    assert _hits(runs[0]) == _hits(runs[1])
    assert 0 < sum(_hits(runs[0])) < 30  # LRU and FIFO would never hit in this circle


def test_bytes_are_freed_until_the_new_entry_fits() -> None:
    """Room for 1000 B; each key has 400 B: two fit, and the third drops the older."""
    described = _cached(capacity_bytes="1000B", entry_size="400B")
    _, visits = observe(described, [0, 1, 2, 3, 4], keys=[0, 1, 2, 1, 0])
    assert _hits(visits) == [False, False, False, True, False]


def test_a_key_has_one_size_and_a_large_entry_drops_several() -> None:
    """Sizes of 1 to 10 kB drawn by key: after each write the sizes of what is there fit into 20 kB."""
    described = _cached(capacity_bytes="20000B", entry_sizes={"kind": "uniform", "low": "1000B", "high": "10000B"})
    world = World(scenario=described, seed=1, replication=0, requests=0, own={})
    cache = world.part("items")
    assert isinstance(cache, Cache)
    sizes = world.stream("items/size")
    inside = cache._contents.expiry_s
    dropped = 0
    for key in [*range(50), *range(50)]:
        before = len(inside)
        world.clock.process(cache.handle(Request(key, 0, "set", key, 0)))
        world.clock.run()
        taken = sum(1000 + 9000 * sizes.uniform(each) for each in inside)
        assert taken <= 20_000
        dropped = max(dropped, before + 1 - len(inside))
    assert dropped >= 2
    assert 2 <= len(inside) <= 20


def test_an_entry_larger_than_the_cache_is_refused_and_drops_nobody() -> None:
    """Nothing of 2 kB fits into 1 kB."""
    _, visits = observe(_cached(capacity_bytes="1000B", entry_size="2000B"), [0, 1])
    assert _hits(visits) == [False, False]
    assert set(visits[visits["operation"] == "set"]["outcome"]) == {"error"}


# -- life ---------------------------------------------------------------------------------------------


def test_jitter_spreads_the_lives() -> None:
    """A life of 10 s with 50 %: of 200 keys stored at once a tenth is gone after 6 s, nine tenths after 14 s."""
    gone = {}
    for after_s in (4.9, 6.0, 14.0, 15.3):
        described = _cached(ttl="10s", ttl_jitter="50%").with_({"workload.keys.count": 200})
        _, visits = observe(described, [0.0] * 200 + [after_s] * 200, keys=[*range(200), *range(200)])
        gone[after_s] = 1 - sum(_hits(visits)[200:]) / 200
    assert gone[4.9] == 0
    assert gone[6.0] == pytest.approx(0.1, abs=0.06)
    assert gone[14.0] == pytest.approx(0.9, abs=0.06)
    assert gone[15.3] == 1


def test_a_warm_cache_holds_the_most_popular_keys_of_all_ages() -> None:
    """Of keys 0 to 99 with a life of 10 s about half are there after 5 s; key 100 never was."""
    described = _cached(ttl="10s", warm={"kind": "most_popular", "entries": 100}).with_({"workload.keys.count": 101})
    _, at_once = observe(described, [0.0] * 101, keys=list(range(101)))
    assert _hits(at_once) == [True] * 100 + [False]
    _, later = observe(described, [5.0] * 100, keys=list(range(100)))
    assert 35 <= sum(_hits(later)) <= 65


def test_a_warm_cache_is_filled_as_far_as_it_has_room() -> None:
    """Room for three: keys 0, 1 and 2, and key 2 goes first."""
    described = _cached(capacity=3, warm={"kind": "most_popular", "entries": 9})
    _, visits = observe(described, [0, 1, 2, 3, 4, 5], keys=[2, 1, 0, 3, 2, 0])
    assert _hits(visits) == [True, True, True, False, False, True]
    _, visits = observe(described, [0, 1, 2, 3], keys=[9, 0, 1, 2])
    assert _hits(visits) == [False, True, True, False]


def test_an_invalidated_key_is_missed_next_time() -> None:
    """Reads hit until the write at 2 s deletes the key, which costs one access."""
    api = service(_LOOK_UP) | {"endpoints": {"get": [_LOOK_UP], "put": [{"kind": "invalidate", "cache": "items"}]}}
    workload = _keys() | {"endpoints": {"get": "50%", "put": "50%"}}
    described = scenario({"api": api, "items": {"kind": "cache", "access_time": "1ms"}}, workload=workload)
    schedule = Schedule(
        intended_start_s=np.array([0.0, 1.0, 2.0, 3.0]), endpoint=("get", "get", "put", "get"), key=np.zeros(4, int)
    )
    observed = replicate(described, schedule, seed=1, replication=0)
    assert _hits(pd.DataFrame(observed.visits)) == [False, True, False]
    assert observed.requests["sojourn_time_s"][2] == pytest.approx(0.001)


def test_flush_loses_everything() -> None:
    """A hit before, a miss after; and it can be full again."""
    world = World(scenario=_cached(capacity=2), seed=1, replication=0, requests=0, own={})
    cache = world.part("items")
    assert isinstance(cache, Cache)

    def ask(operation: str, key: int) -> object:
        return world.clock.run(until=world.clock.process(cache.handle(Request(0, 0, operation, key, 0))))

    for key in (0, 1, 2):
        ask("set", key)
    assert [ask("get", key) for key in (0, 1, 2)] == [Outcome.ERROR, Outcome.OK, Outcome.OK]
    cache.flush()
    assert [ask("get", key) for key in (0, 1, 2)] == [Outcome.ERROR] * 3
    for key in (5, 6, 7):
        ask("set", key)
    assert [ask("get", key) for key in (5, 6, 7)] == [Outcome.ERROR, Outcome.OK, Outcome.OK]


# -- scope --------------------------------------------------------------------------------------------


def test_a_cache_in_each_replica_is_filled_by_each() -> None:
    """Two replicas in turn: each misses once, then both hit, in no time; rows tell which replica."""
    described = _cached(replicas=2, scope="replica").with_({"components.items.access_time": None})
    requests, visits = observe(described, [0, 1, 2, 3])
    assert _hits(visits) == [False, False, True, True]
    assert requests["sojourn_time_s"].tolist() == pytest.approx([0.1, 0.1, 0.0, 0.0])
    assert visits[visits["operation"] == "set"]["replica"].tolist() == [0, 1]


def test_two_tiers() -> None:
    """Local before shared: the second replica's miss finds what the first one stored in the shared cache."""
    shared = {"kind": "cached", "cache": "shared", "miss": [waiting("100ms")]}
    parts = {
        "edge": {"kind": "load_balancer", "targets": "api", "algorithm": "roundrobin"},
        "api": service({"kind": "cached", "cache": "local", "miss": [shared]}, replicas=2),
        "local": {"kind": "cache", "scope": "replica", "capacity": 1},
        "shared": {"kind": "cache", "access_time": "1ms"},
    }
    requests, visits = observe(scenario(parts, entry="edge"), [0, 1, 2, 3])
    assert requests["sojourn_time_s"].tolist() == pytest.approx([0.102, 0.001, 0.0, 0.0])
    assert _hits(visits[visits["component"] == "shared"]) == [False, True]


def test_the_caches_of_replicas_are_flushed_together_and_asked_by_nobody_else() -> None:
    """The part that stands for them all."""
    world = World(scenario=_cached(replicas=2, scope="replica"), seed=1, replication=0, requests=0, own={})
    world.part("edge")
    caches = world.part("items")
    assert isinstance(caches, LocalCaches)
    ones = [caches.of("api", replica) for replica in (0, 1)]
    assert ones[0] is not ones[1]
    for cache in ones:
        world.clock.run(until=world.clock.process(cache.handle(Request(0, 0, "set", 0, 0))))
    caches.flush()
    for cache in ones:
        answer = world.clock.run(until=world.clock.process(cache.handle(Request(0, 0, "get", 0, 0))))
        assert answer is Outcome.ERROR
    with pytest.raises(Unsupported, match="it lives in each process"):
        caches.handle(Request(0, 0, "get", 0, 0))


# -- stampedes ----------------------------------------------------------------------------------------


def test_single_flight_works_once_and_the_others_wait_for_it() -> None:
    """Miss at 0, joined at 10 and 20 ms: all have it when the first has stored it, 102 ms after the start."""
    requests, visits = observe(_cached(stampede_protection="single_flight"), [0.0, 0.01, 0.02, 0.2])
    assert requests["end_s"].tolist() == pytest.approx([0.102, 0.102, 0.102, 0.201])
    assert _worked(visits) == 1
    flights = visits[visits["operation"] == "flight"]
    assert flights["waiting_time_s"].tolist() == pytest.approx([0.091, 0.081])
    assert flights["component"].unique().tolist() == ["items"]


def test_single_flight_is_one_a_replica() -> None:
    """Two replicas, four at once: two do the work."""
    described = _cached(replicas=2, stampede_protection="single_flight")
    _, visits = observe(described, [0.0, 0.01, 0.02, 0.03])
    assert _worked(visits) == 2
    assert (visits["operation"] == "flight").sum() == 2


def test_single_flight_shares_the_error_too() -> None:
    """The leader's query finds no connection: whoever waited for it fails with it, and the next one tries again."""
    query = {"kind": "query", "database": "main", "query": "get"}
    parts = {
        "api": {
            "kind": "service",
            "endpoints": {"get": [{"kind": "cached", "cache": "items", "miss": [query]}]},
        },
        "other": service(query),
        "items": {"kind": "cache", "access_time": "1ms", "stampede_protection": "single_flight"},
        "main": {
            "kind": "database",
            "pool": {"size": 1, "timeout": "50ms"},
            "round_trip": "0s",
            "queries": {"get": "200ms"},
        },
    }
    described = scenario(parts, workload=_keys())
    requests, _ = observe(described, [0.0, 0.1, 0.12, 0.4], keys=[7, 0, 0, 0])
    assert requests["outcome"].tolist() == ["ok", "error", "error", "ok"]
    assert requests["end_s"].tolist()[1:3] == pytest.approx([0.151, 0.151])


def test_a_lock_lets_one_of_all_replicas_work() -> None:
    """Get, lock, check, work, set, unlock: 105 ms. The other replica polls at 62 ms and finds it at 113 ms."""
    described = _cached(replicas=2, stampede_protection="lock")
    requests, visits = observe(described, [0.0, 0.01])
    assert requests["end_s"].tolist() == pytest.approx([0.105, 0.114])
    assert _worked(visits) == 1
    polls = visits[visits["operation"] == "poll"]
    assert polls["waiting_time_s"].tolist() == pytest.approx([0.05, 0.05])
    assert visits[visits["operation"] == "check"]["arrival_s"].tolist() == pytest.approx([0.002, 0.062, 0.113])


def test_whoever_waits_longer_than_the_lock_timeout_works_too() -> None:
    """A lock of 40 ms, looks every 30 ms: the second has looked in vain at 43 and 74 ms, and works until 174 ms."""
    protection = {"kind": "lock", "poll": "30ms", "lock_timeout": "40ms"}
    requests, visits = observe(_cached(stampede_protection=protection), [0.0, 0.01])
    assert requests["end_s"].tolist() == pytest.approx([0.105, 0.175])
    assert _worked(visits) == 2


def test_a_lock_falls_by_itself() -> None:
    """The third comes when the lock of 40 ms is over, takes it and works; the first one's unlock is not for it."""
    protection = {"kind": "lock", "poll": "30ms", "lock_timeout": "40ms"}
    _, visits = observe(_cached(stampede_protection=protection), [0.0, 0.05])
    assert _worked(visits) == 2
    assert (visits["operation"] == "unlock").sum() == 2


def test_a_stale_entry_is_served_and_refreshed_once_in_the_background() -> None:
    """Stored at 102 ms to live 1 s: at 1.2, 1.21 and 1.25 s it is stale, one refreshes it until 1.302 s."""
    protection = {"kind": "stale_while_revalidate", "stale_for": "1s"}
    requests, visits = observe(_cached(ttl="1s", stampede_protection=protection), [0.0, 1.2, 1.21, 1.25, 2.2, 4.0])
    assert requests["sojourn_time_s"].tolist() == pytest.approx([0.102, 0.001, 0.001, 0.001, 0.001, 0.102])
    assert _hits(visits) == [False, True, True, True, True, False]
    refreshes = visits[visits["operation"] == "refresh"]
    assert refreshes["arrival_s"].tolist() == pytest.approx([1.201])
    assert refreshes["departure_s"].tolist() == pytest.approx([1.302])
    assert refreshes["service_time_s"].tolist() == pytest.approx([0.1])
    assert visits[visits["background"]]["operation"].tolist() == ["refresh", "set"]


def test_early_refresh_recomputes_by_the_formula() -> None:
    """Each look-up before expiry is a miss exactly where now - delta x ln(U) >= expiry, with U at its address."""
    described = _cached(ttl="1s", stampede_protection="early_refresh")
    draws = World(scenario=described, seed=1, replication=0, requests=0, own={}).stream("items/early_refresh")
    starts = [0.0, *(0.2 + 0.11 * step for step in range(80))]
    _, visits = observe(described, starts)
    expiry_s, early = 0.0, 0
    for number, row in enumerate(visits[visits["hit"].notna()].itertuples()):
        at_s = row.departure_s
        there = at_s < expiry_s
        fresh = there and at_s - 0.1 * math.log(draws.uniform(number)) < expiry_s
        assert row.hit == fresh
        early += there and not fresh
        if not fresh:
            expiry_s = at_s + 0.1 + 0.001 + 1.0
    assert early >= 3


def test_a_part_of_ones_own_cannot_be_protected_by_the_lab() -> None:
    """The lock lives in the cache; single flight lives in the caller, so it may be had."""

    class Never:
        def __init__(self, context: Context) -> None:
            self._clock = context.clock

        def handle(self, request: Request) -> Handling:
            yield self._clock.timeout(0)
            return Outcome.ERROR

    with pytest.raises(Unsupported, match="your own part stands for this cache"):
        observe(_cached(stampede_protection="lock"), [0.0], own={"items": Never})
    requests, _ = observe(_cached(stampede_protection="single_flight"), [0.0, 0.01], own={"items": Never})
    assert requests["end_s"].tolist() == pytest.approx([0.1, 0.1])


# -- a process that dies ------------------------------------------------------------------------------


def _crashed(protection: Any, starts_s: list[float], *, crash_s: float, **cache: Any) -> tuple[World, list[Any]]:
    """The world, and what became of the requests, after the only replica died and was started again."""
    autoscaler = {"kind": "hpa", "metric": "concurrency", "target": "99%", "min": 1, "max": 1}
    parts = {
        "edge": {"kind": "load_balancer", "targets": "api"},
        "api": service(_LOOK_UP, concurrency=50, autoscaler=autoscaler),
        "items": {"kind": "cache", "access_time": "1ms", "stampede_protection": protection, **cache},
    }
    described = scenario(parts, entry="edge", workload=_keys())
    world = World(scenario=described, seed=1, replication=0, requests=0, own={})
    fleet, outcomes = world.fleet("api"), list[Any](starts_s)

    def ask(number: int, start_s: float) -> Handling:
        yield world.clock.timeout(start_s)
        outcome = yield from fleet.ready[0].handle(Request(number, 0, "get", 0, 0))
        outcomes[number] = (round(world.clock.now, 6), outcome)
        return outcome

    def crash() -> Handling:
        yield world.clock.timeout(crash_s)
        fleet.crash(fleet.members[0])
        fleet.start()
        return Outcome.OK

    for number, start_s in enumerate(starts_s):
        world.clock.process(ask(number, start_s))
    world.clock.process(crash())
    world.clock.run(until=20)
    return world, outcomes


def test_a_dead_process_takes_its_flights_with_it() -> None:
    """Leader and waiter die at 50 ms; the next one, in the new process, leads a flight of its own."""
    world, outcomes = _crashed("single_flight", [0.0, 0.01, 0.1], crash_s=0.05)
    assert outcomes == [(0.05, Outcome.ERROR), (0.05, Outcome.ERROR), (0.202, Outcome.OK)]
    (flight,) = (visit for visit in world.log.visits if visit.operation == "flight")
    assert (flight.departure_s, flight.outcome) == (0.05, Outcome.ERROR)


def test_the_lock_of_a_dead_process_holds_until_it_falls() -> None:
    """Nobody unlocks: who comes at 100 ms polls every 50 ms in vain for 300 ms, then works without the lock."""
    protection = {"kind": "lock", "lock_timeout": "300ms"}
    world, outcomes = _crashed(protection, [0.0, 0.01, 0.1], crash_s=0.05)
    assert outcomes == [(0.05, Outcome.ERROR), (0.05, Outcome.ERROR), (0.509, Outcome.OK)]
    polls = [visit for visit in world.log.visits if visit.operation == "poll"]
    assert [visit.outcome for visit in polls] == [Outcome.ERROR] + [Outcome.OK] * 6


def test_a_refresh_in_the_background_dies_with_its_process() -> None:
    """Served stale at 1.2 s, died at 1.25 s; the next reader of the stale entry begins another refresh."""
    protection = {"kind": "stale_while_revalidate", "stale_for": "5s"}
    world, outcomes = _crashed(protection, [0.0, 1.2, 1.3, 2.0], crash_s=1.25, ttl="1s")
    assert [outcome for _, outcome in outcomes] == [Outcome.OK] * 4
    refreshes = [visit for visit in world.log.visits if visit.operation == "refresh"]
    assert [(visit.departure_s, visit.outcome) for visit in refreshes] == [
        (pytest.approx(1.25), Outcome.ERROR),
        (pytest.approx(1.402), Outcome.OK),
    ]


def test_a_cache_in_a_process_dies_with_it() -> None:
    """Stored at 0.1 s, died at 0.5 s: the new process starts cold, and warm entries are for time 0 only."""
    warm = {"kind": "most_popular", "entries": 1}
    _, outcomes = _crashed("none", [0.0, 0.4, 0.6], crash_s=0.5, scope="replica")
    assert [round(end_s, 3) for end_s, _ in outcomes] == [0.102, 0.401, 0.702]
    _, outcomes = _crashed("none", [0.0, 0.4, 0.6], crash_s=0.5, scope="replica", warm=warm)
    assert [round(end_s, 3) for end_s, _ in outcomes] == [0.001, 0.401, 0.702]
