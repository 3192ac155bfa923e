"""A cdn against renewal arguments: tiers whose answers age together, and how many fetches an expiry costs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lab
from lab.scenario.hits import hit_ratios
from lab.scenario.schedule import draw_schedule
from lab.simulation.replicate import replicate
from lab.theory import ttl_cache, ttl_tiers
from lab.theory.intervals import mean_interval

LEVEL = 0.999


def _scenario(parts: dict[str, Any], *, rate: str, keys: dict[str, Any], run: dict[str, Any]) -> lab.Scenario:
    workload = {"kind": "open", "arrival_rate": rate, "endpoints": {"get": "100%"}, "keys": keys}
    return lab.Scenario.model_validate(
        {"name": "cdn", "workload": workload, "entry": "edge", "components": parts, "run": run}
    )


def _origin(time: Any) -> dict[str, Any]:
    return {"kind": "service", "endpoints": {"get": [{"kind": "wait", "time": time}]}}


def _visits(scenario: lab.Scenario) -> list[pd.DataFrame]:
    """The visits of each replication that came after the warm-up."""
    found = []
    for replication in range(scenario.run.replications):
        schedule = draw_schedule(scenario, seed=scenario.run.seed, replication=replication)
        observed = replicate(scenario, schedule, seed=scenario.run.seed, replication=replication)
        visits = pd.DataFrame(observed.visits)
        found.append(visits[visits["arrival_s"] >= scenario.run.warm_up])
    return found


def _ratio(visits: pd.DataFrame, tier: str) -> float:
    looked_up = visits[(visits["component"] == tier) & visits["hit"].notna()]
    return float(looked_up["hit"].astype(bool).mean())


@pytest.mark.slow
def test_tiers_age_together() -> None:
    """4 places before 1: each tier hits as the common cycle has it, not as one 5 % longer, nor as tiers for themselves.

    Were the age not carried along, the inner tier would hit like a cache of its own behind four others.
    """
    run = {"duration": "70s", "warm_up": "10s", "replications": 8, "seed": 4}
    tier = {"kind": "cdn", "max_age": {"get": "2s"}}
    parts = {
        "edge": tier | {"targets": "shield", "points_of_presence": 4},
        "shield": tier | {"targets": "api"},
        "api": _origin("0s"),
    }
    every = _visits(_scenario(parts, rate="150/s", keys={"kind": "uniform", "count": 100}, run=run))
    theory, twin = (
        ttl_tiers.hit_ratios(request_rates_per_s=[1.5], ttl_s=ttl_s, places=[4, 1])[:, 0] for ttl_s in (2.0, 2.1)
    )
    alone = ttl_cache.hit_ratio(request_rates_per_s=[1.5 / 4], ttl_s=2.0)
    for number, name in enumerate(("edge", "shield")):
        found = mean_interval([_ratio(visits, name) for visits in every], LEVEL)
        assert found.contains(theory[number]), f"{name}: {theory[number]:.4f} outside {found}"
        assert not found.contains(twin[number]), f"{name}: twin {twin[number]:.4f} inside {found}"
        assert not found.contains(alone), f"{name}: {alone:.4f} inside {found}"


@pytest.mark.slow
def test_room_decides_by_che_tier_by_tier() -> None:
    """Room for 100 of 2000 keys in each of two places, for 400 behind: within 0.01 of Che, then 0.03."""
    run = {"duration": "60s", "warm_up": "20s", "replications": 2, "seed": 5}
    tier = {"kind": "cdn", "max_age": {"get": "24h"}}
    parts = {
        "edge": tier | {"targets": "shield", "points_of_presence": 2, "capacity": 100},
        "shield": tier | {"targets": "api", "capacity": 400},
        "api": _origin("0s"),
    }
    scenario = _scenario(parts, rate="400/s", keys={"kind": "zipf", "exponent": 0.9, "count": 2000}, run=run)
    expected, every = hit_ratios(scenario, 400.0), _visits(scenario)
    for name, most in (("edge", 0.01), ("shield", 0.03)):
        assert np.mean([_ratio(visits, name) for visits in every]) == pytest.approx(expected[name], abs=most)


def _one_object(*, collapsing: bool, fetch: Any, life: str = "500ms") -> list[pd.DataFrame]:
    run = {"duration": "200s", "warm_up": "10s", "replications": 20, "seed": 6}
    edge = {"kind": "cdn", "targets": "api", "max_age": {"get": life}, "request_collapsing": collapsing}
    parts = {"edge": edge, "api": _origin(fetch)}
    return _visits(_scenario(parts, rate="20/s", keys={"kind": "uniform", "count": 1}, run=run))


@pytest.mark.slow
def test_collapsing_fetches_once_a_window() -> None:
    """One fetch in 0.5 s of life + 0.5 s of fetching + 1/20 s; 10 wait for each. A fetch 5 % longer is rejected."""
    every = _one_object(collapsing=True, fetch="500ms")
    fetches = [int((visits["component"] == "api").sum()) for visits in every]
    waits = [int((visits["operation"] == "collapsed").sum()) for visits in every]
    rate = mean_interval([each / 190.0 for each in fetches], LEVEL)
    waiting = mean_interval([each / fetched for each, fetched in zip(waits, fetches, strict=True)], LEVEL)
    assert rate.contains(1 / (0.5 + 0.5 + 1 / 20)), str(rate)
    assert not rate.contains(1 / (0.5 + 0.525 + 1 / 20)), str(rate)
    assert waiting.contains(20 * 0.5), str(waiting)
    assert not waiting.contains(20 * 0.525), str(waiting)


def _fetches_an_expiry(visits: pd.DataFrame) -> float:
    """Mean number of fetches that begin before the first of them is back."""
    fetches = visits[visits["component"] == "api"].sort_values("arrival_s")
    windows, stored_s = 0, -math.inf
    for begin_s, end_s in zip(fetches["arrival_s"], fetches["departure_s"].fillna(math.inf), strict=True):
        if begin_s >= stored_s:
            windows, stored_s = windows + 1, end_s
        stored_s = min(stored_s, end_s)
    return len(fetches) / windows


@pytest.mark.slow
def test_without_collapsing_every_miss_fetches() -> None:
    """An expiry costs 1 + rate x fetch time of them, 11; a rate 5 % higher is rejected."""
    found = mean_interval([_fetches_an_expiry(each) for each in _one_object(collapsing=False, fetch="500ms")], LEVEL)
    assert found.contains(1 + 20 * 0.5), str(found)
    assert not found.contains(1 + 21 * 0.5), str(found)


@pytest.mark.slow
def test_the_first_fetch_to_come_back_ends_the_misses() -> None:
    """Of exponential fetches a birth and death sum tells how many begin before one ends: 4.3, far fewer than 11."""
    fetch = {"kind": "exponential", "mean": "500ms"}
    every = _one_object(collapsing=False, fetch=fetch, life="5s")
    chances = np.array([20 / (20 + fetching / 0.5) for fetching in range(1, 200)])
    found = mean_interval([_fetches_an_expiry(visits) for visits in every], LEVEL)
    assert found.contains(1 + float(np.cumprod(chances).sum())), str(found)
    assert not found.contains(1 + 20 * 0.5), str(found)
