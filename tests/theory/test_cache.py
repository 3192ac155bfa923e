"""Caches against exact small chains, renewal arguments, and straightforward simulations of the rules."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lab
from lab.randomness import Stream
from lab.scenario.hits import hit_ratios
from lab.scenario.schedule import draw_schedule
from lab.simulation.cache.early import EarlyRefresh
from lab.simulation.cache.eviction import draw
from lab.simulation.cache.keys import Keys
from lab.simulation.replicate import replicate
from lab.simulation.request import Request
from lab.theory import exact_lru, fifo_random_cache, zipf
from lab.theory.intervals import Interval, mean_interval

LEVEL = 0.999


def _scenario(cache: dict[str, Any], *, keys: int, exponent: float, rate: str, run: dict[str, Any]) -> lab.Scenario:
    """One replica whose misses take no time before a cache that takes none."""
    look_up = {"kind": "cached", "cache": "items", "miss": [{"kind": "wait", "time": "0s"}]}
    return lab.Scenario.model_validate(
        {
            "name": "cache",
            "workload": {
                "kind": "open",
                "arrival_rate": rate,
                "endpoints": {"get": "100%"},
                "keys": {"kind": "zipf", "exponent": exponent, "count": keys},
            },
            "entry": "api",
            "components": {
                "api": {"kind": "service", "endpoints": {"get": [look_up]}},
                "items": {"kind": "cache", "access_time": "0s", **cache},
            },
            "run": run,
        }
    )


def _visits(scenario: lab.Scenario, replication: int) -> pd.DataFrame:
    schedule = draw_schedule(scenario, seed=scenario.run.seed, replication=replication)
    observed = replicate(scenario, schedule, seed=scenario.run.seed, replication=replication)
    return pd.DataFrame(observed.visits)


def _hit_ratio(scenario: lab.Scenario) -> Interval:
    """The interval of the hit ratio after the warm-up."""
    ratios = []
    for replication in range(scenario.run.replications):
        visits = _visits(scenario, replication)
        counted = visits[visits["hit"].notna() & (visits["arrival_s"] >= scenario.run.warm_up)]
        ratios.append(float(counted["hit"].astype(bool).mean()))
    return mean_interval(ratios, LEVEL)


# -- eviction -----------------------------------------------------------------------------------------


def _after_lfu(popularity: Any, capacity: int) -> float:
    """A0: all but one place hold the most popular; the last one holds what was missed last."""
    stay, rest = popularity[: capacity - 1], popularity[capacity - 1 :]
    return float(stay.sum() + (rest**2).sum() / rest.sum())


EXACT = {
    "lru": lambda rates, capacity: exact_lru.hit_ratio(request_rates_per_s=rates, capacity=capacity),
    "fifo": lambda rates, capacity: fifo_random_cache.exact_hit_ratio(request_rates_per_s=rates, capacity=capacity),
    "random": lambda rates, capacity: fifo_random_cache.exact_hit_ratio(request_rates_per_s=rates, capacity=capacity),
    "lfu": _after_lfu,
}


@pytest.mark.slow
@pytest.mark.parametrize("eviction", EXACT)
def test_a_small_cache_hits_as_the_exact_chain_says(eviction: str) -> None:
    """Room for 2 of 12 keys: the exact ratio lies in the interval, that of a popularity 5 % steeper does not."""
    run = {"duration": "35s", "warm_up": "5s", "replications": 10, "seed": 3}
    found = _hit_ratio(_scenario({"capacity": 2, "eviction": eviction}, keys=12, exponent=1.5, rate="100/s", run=run))
    exact, twin = (EXACT[eviction](zipf.probabilities(exponent=e, count=12), 2) for e in (1.5, 1.5 * 1.05))
    assert found.contains(exact), f"exact {exact:.4f} outside {found}"
    assert not found.contains(twin), f"twin {twin:.4f} inside {found}"


@pytest.mark.slow
@pytest.mark.parametrize(("eviction", "least", "most"), [("random", 0.0, 0.01), ("lfu", -0.03, 0.005)])
def test_the_arithmetic_is_near_for_many_keys(eviction: str, least: float, most: float) -> None:
    """Room for 100 of 1000 keys: the approximation is right to a hundredth; counting popularities takes long."""
    run = {"duration": "30s", "warm_up": "10s", "replications": 2, "seed": 4}
    scenario = _scenario({"capacity": 100, "eviction": eviction}, keys=1000, exponent=0.9, rate="500/s", run=run)
    expected = hit_ratios(scenario, 500.0)["items"]
    ratios = _hit_ratio(scenario)
    if eviction == "random":
        assert abs(ratios.mean - expected) < most
    else:
        assert least < ratios.mean - expected < most


# -- Redis' sampled evictions, written down once more as plainly as can be ------------------------------


def _redis(scenario: lab.Scenario, *, lfu: bool, room: int = 40, pool_size: int = 16, factor: float = 10) -> list[bool]:
    """Which requests hit under Redis' rules, with the very uniform numbers that the simulator draws."""
    schedule = draw_schedule(scenario, seed=scenario.run.seed, replication=0)
    evictions, counting = (
        Stream(seed=scenario.run.seed, replication=0, name=f"items/{name}") for name in ("eviction", "frequency")
    )
    there: list[int] = []
    last: dict[int, int] = {}
    count: dict[int, int] = {}
    pool: list[tuple[int, int]] = []  # (idle, key), ascending
    hits = []
    for number, (at_s, key) in enumerate(zip(schedule.intended_start_s.tolist(), schedule.key.tolist(), strict=True)):
        clock = math.floor(at_s / 60) if lfu else math.floor(at_s)
        hits.append(key in there)
        if key in there:
            decayed = max(0, count[key] - (clock - last[key]))
            raised = counting.uniform(number) < 1 / (max(0, decayed - 5) * factor + 1)
            count[key], last[key] = min(255, decayed + raised), clock
            continue
        while len(there) >= room:
            chosen: list[int] = []
            for ordinal in range(5):  # five different places, by Floyd
                most = len(there) - 5 + ordinal
                place = int(draw(evictions, Request(number, 0, "set", key, 0), 0, ordinal) * (most + 1))
                chosen.append(most if place in chosen else place)
            for item in (there[place] for place in chosen):
                idle = 255 - max(0, count[item] - (clock - last[item])) if lfu else clock - last[item]
                smaller = [entry for entry in pool if entry[0] < idle]
                larger = pool[len(smaller) :]
                if len(pool) < pool_size:
                    pool = [*smaller, (idle, item), *larger]
                elif smaller:
                    pool = [*smaller[1:], (idle, item), *larger]
            while True:
                best = pool.pop()[1]
                if best in there:
                    there[there.index(best)] = there[-1]
                    there.pop()
                    break
        there.append(key)
        count[key], last[key] = 5, clock
    return hits


@pytest.mark.slow
@pytest.mark.parametrize("eviction", ["sampled_lru", "sampled_lfu"])
def test_sampled_eviction_is_that_of_redis(eviction: str) -> None:
    """Request by request a plain simulation of the rules hits and misses alike; with other constants it does not."""
    run = {"duration": "200s", "replications": 1, "seed": 5}
    scenario = _scenario({"capacity": 40, "eviction": eviction}, keys=400, exponent=0.9, rate="30/s", run=run)
    visits, lfu = _visits(scenario, 0), eviction == "sampled_lfu"
    own = visits[visits["hit"].notna()]["hit"].astype(bool).tolist()
    assert own == _redis(scenario, lfu=lfu)
    assert own != _redis(scenario, lfu=lfu, room=38)
    assert own != _redis(scenario, lfu=lfu, pool_size=15)
    assert (own != _redis(scenario, lfu=lfu, factor=10.5)) == lfu


def test_every_sample_is_as_likely() -> None:
    """Each of the 10 pairs of 5 keys is drawn in a tenth of 20,000 samples, by a 99.9 % interval for each."""
    keys, draws = Keys(), Stream(seed=1, replication=0, name="items/eviction")
    for key in range(6):
        keys.add(key)
    keys.remove(2)
    pairs = Counter(
        frozenset(keys.some(2, lambda ordinal, number=number: draws.uniform(number, 0, ordinal)))
        for number in range(20_000)
    )
    assert len(pairs) == 10
    assert all(abs(count - 2000) < 3.9 * math.sqrt(20_000 * 0.1 * 0.9) for count in pairs.values())


@pytest.mark.slow
def test_sampled_lru_is_lru_where_it_sees_all_and_random_where_its_clock_sees_nothing() -> None:
    """Many samples at a low rate nearly give Che's ratio; where all turns over within a second, RANDOM's.

    Not quite Che's: a candidate stays in the pool as idle as it once was, and goes although it was used since.
    """
    run = {"duration": "600s", "warm_up": "100s", "replications": 2, "seed": 6}
    cache = {"capacity": 40, "eviction": "sampled_lru", "samples": 16}
    slow = _scenario(cache, keys=400, exponent=0.9, rate="10/s", run=run)
    lru = hit_ratios(slow, 10.0)["items"]
    assert lru - 0.025 < _hit_ratio(slow).mean < lru + 0.01
    run = {"duration": "5s", "warm_up": "1s", "replications": 2, "seed": 6}
    quick = _scenario({"capacity": 200, "eviction": "sampled_lru"}, keys=2000, exponent=0.9, rate="2000/s", run=run)
    lru, random = (
        hit_ratios(quick.with_({"components.items.eviction": name}), 2000.0)["items"] for name in ("lru", "random")
    )
    assert lru - random > 0.03
    assert hit_ratios(quick, 2000.0)["items"] == random
    assert _hit_ratio(quick).mean == pytest.approx(random, abs=0.015)


# -- life ---------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("jitter", ["0%", "60%"])
def test_a_time_to_live_alone_hits_as_renewal_says(jitter: str) -> None:
    """Each life of T on average is one miss and rate x T hits, jitter or not; a life 5 % longer hits more often."""
    run = {"duration": "25s", "warm_up": "5s", "replications": 40, "seed": 8}
    cache = {"ttl": "2s", "ttl_jitter": jitter}
    found = _hit_ratio(_scenario(cache, keys=50, exponent=0, rate="40/s", run=run))
    assert found.contains(1.6 / 2.6), str(found)
    assert not found.contains(1.68 / 2.68), str(found)


# -- early refresh ------------------------------------------------------------------------------------


def test_the_chance_of_an_early_refresh_is_exponential() -> None:
    """With a recomputing time of 0.4 s: 0.7 % 2 s before expiry, 36.8 % 0.4 s before, 77.9 % 0.1 s before."""
    early = EarlyRefresh(beta=1.0, draws=Stream(seed=1, replication=0, name="items/early_refresh"))
    early.missed(Request(0, 0, "get", 0, 0), 0.0)
    early.written(Request(0, 0, "set", 0, 0), 0.4)
    looks, expiry_s = 20_000, 100.0
    for before_s, chance in ((2.0, math.exp(-5.0)), (0.4, math.exp(-1.0)), (0.1, math.exp(-0.25))):
        due = sum(early.due(Request(n, 0, "get", 0, 0), expiry_s - before_s, expiry_s) for n in range(looks))
        assert abs(due / looks - chance) < 3.3 * math.sqrt(chance * (1 - chance) / looks)
    assert not any(early.due(Request(n, 0, "get", 1, 0), 99.9, expiry_s) for n in range(100))  # never recomputed
    assert all(early.due(Request(n, 0, "get", 0, 0), expiry_s, expiry_s) for n in range(100))


def test_the_first_early_refresh_comes_when_gumbel_says() -> None:
    """Looks at rate r thinned by exp(-x / d) come first at x = d (ln r d + 0.5772) on average; not with d 5 % off."""
    delta_s, rate_per_s, looks = 0.4, 30.0, Stream(seed=2, replication=0, name="looks")
    early = EarlyRefresh(beta=1.0, draws=Stream(seed=2, replication=0, name="items/early_refresh"))
    early.missed(Request(0, 0, "get", 0, 0), 0.0)
    early.written(Request(0, 0, "set", 0, 0), delta_s)
    firsts, number = [], 0
    for _ in range(2000):
        left_s, due = 20 * delta_s, False
        while not due:
            left_s += math.log(looks.uniform(number)) / rate_per_s
            due = early.due(Request(number, 0, "get", 0, 0), -left_s, 0.0)
            number += 1
        firsts.append(left_s)
    found = mean_interval(firsts, LEVEL)
    theory_s, twin_s = (d * (math.log(rate_per_s * d) + 0.57722) for d in (delta_s, 1.05 * delta_s))
    assert found.contains(theory_s), f"{theory_s:.4f} outside {found}"
    assert not found.contains(twin_s), f"{twin_s:.4f} inside {found}"


def _recomputings(rate_per_s: float, rng: np.random.Generator, *, until_s: float, delta_s: float, ttl_s: float) -> Any:
    """When recomputings of one key begin, by a plain simulation of XFetch."""
    begins, ends, at_s, expiry_s = list[float](), list[float](), 0.0, 0.0
    while at_s < until_s:
        at_s += rng.exponential(1 / rate_per_s)
        expiry_s = max([expiry_s, *(end_s + ttl_s for end_s in ends if end_s <= at_s)])
        ends = [end_s for end_s in ends if end_s > at_s]
        known = expiry_s > 0  # before the first result there is nothing to refresh early
        if not known or at_s - delta_s * math.log(rng.random()) >= expiry_s:
            begins.append(at_s)
            ends.append(at_s + delta_s)
    return np.array(begins)


def _a_life(begins_s: Any, ttl_s: float) -> float:
    """Recomputings a life of the entry: those that begin within half a life of each other belong together."""
    return len(begins_s) / (1 + int((np.diff(begins_s) > ttl_s / 2).sum()))


@pytest.mark.slow
@pytest.mark.parametrize("rate", [3, 30])
def test_early_refreshes_a_life_are_those_of_a_plain_simulation(rate: int) -> None:
    """One key, 0.4 s to recompute, 6 s to live: as many recomputings a life, between one and three of them."""
    work = {"components.api.endpoints.get.0.miss.0.time.mean": "400ms"}
    cache = {"ttl": "6s", "stampede_protection": "early_refresh"}
    run = {"duration": f"{6000 // rate}s", "replications": 8, "seed": 9}
    scenario = _scenario(cache, keys=1, exponent=0, rate=f"{rate}/s", run=run).with_(work)
    rng, own, plain = np.random.default_rng(11), [], []
    for replication in range(8):
        visits = _visits(scenario, replication)
        own.append(_a_life(visits[visits["hit"].eq(False)]["arrival_s"].to_numpy(), 6.0))
        begins_s = _recomputings(rate, rng, until_s=6000 / rate, delta_s=0.4, ttl_s=6.0)
        plain.append(_a_life(begins_s, 6.0))
    interval = mean_interval([a - b for a, b in zip(own, plain, strict=True)], LEVEL)
    assert interval.contains(0.0), str(interval)
    assert interval.half_width < 0.7
    assert 1.2 < np.mean(own) < 3.0


# -- stampedes ----------------------------------------------------------------------------------------


def _stampede(protection: Any, *, replicas: int = 3, rate: str = "400/s", seed: int = 12) -> lab.Scenario:
    """One hot key that lives 1 s and takes 50 ms to fetch, asked for by three replicas."""
    look_up = {
        "kind": "cached",
        "cache": "items",
        "miss": [{"kind": "query", "database": "main", "query": "get"}],
    }
    return lab.Scenario.model_validate(
        {
            "name": "stampede",
            "workload": {"kind": "open", "arrival_rate": rate, "endpoints": {"get": "100%"}},
            "entry": "edge",
            "components": {
                "edge": {"kind": "load_balancer", "targets": "api", "algorithm": "random"},
                "api": {"kind": "service", "replicas": replicas, "endpoints": {"get": [look_up]}},
                "items": {"kind": "cache", "ttl": "1s", "access_time": "1ms", "stampede_protection": protection},
                "main": {"kind": "database", "pool": {"size": 1000}, "round_trip": "0s", "queries": {"get": "50ms"}},
            },
            "run": {"duration": "30s", "replications": 1, "seed": seed},
        }
    )


def _bursts(visits: pd.DataFrame) -> pd.DataFrame:
    """The queries, with the number of the expiry that led to them."""
    queries = visits[(visits["component"] == "main") & (visits["outcome"] == "ok")].sort_values("arrival_s")
    return queries.assign(burst=(queries["arrival_s"].diff() > 0.5).cumsum())


def test_single_flight_queries_once_an_expiry_and_replica() -> None:
    """At each of some 28 expiries every one of three replicas asks the database exactly once."""
    queries = _bursts(_visits(_stampede("single_flight"), 0))
    each = queries.groupby(["burst", "replica"]).size()
    assert queries["burst"].nunique() > 25
    assert (each == 1).all()
    assert len(each) == 3 * queries["burst"].nunique()


def test_a_lock_queries_once_an_expiry() -> None:
    """Over all replicas."""
    queries = _bursts(_visits(_stampede("lock"), 0))
    assert queries["burst"].nunique() > 25
    assert (queries.groupby("burst").size() == 1).all()


def test_stale_while_revalidate_queries_once_an_expiry_and_nobody_waits() -> None:
    """After the first fetch each refresh is one query in the background, and every answer comes in a millisecond."""
    visits = _visits(_stampede("stale_while_revalidate"), 0)
    queries = _bursts(visits)
    warm = queries[queries["burst"] > 0]
    assert warm["burst"].nunique() > 25
    assert (warm.groupby("burst").size() == 1).all()
    assert warm["background"].all()
    answers = visits[(visits["component"] == "edge") & (visits["arrival_s"] > 0.1)]
    assert (answers["departure_s"] - answers["arrival_s"]).max() == pytest.approx(0.001)


@pytest.mark.slow
def test_without_protection_each_expiry_costs_what_arrives_meanwhile() -> None:
    """From the first miss to its write pass 52 ms: 1 + 400/s x 0.051 s queries (its own look-up came before)."""
    counts = []
    for replication in range(2):
        queries = _bursts(_visits(_stampede("none", replicas=1), replication))
        sizes = queries.groupby("burst").size()
        counts.append(sizes[sizes.index < sizes.index.max()])  # the last burst may be cut by the end
    interval = mean_interval(pd.concat(counts), LEVEL)
    assert interval.contains(1 + 400 * 0.051), str(interval)
    assert not interval.contains(1 + 400 * 0.060), str(interval)
