"""Segmented LRU against an exact small chain and characteristic times; a sliding life against renewal; the lesson."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lab
from lab.scenario.hits import hit_ratios
from lab.theory import segmented_lru, zipf
from tests.theory.test_cache import _hit_ratio, _scenario

PATTERNS = Path(__file__).parents[2] / "scenarios" / "patterns"
State = tuple[tuple[int, ...], tuple[int, ...]]  # on probation, protected: the first of each first


def _next(state: State, key: int, room: int, protected_room: int) -> State:
    probation, protected = state
    if key in protected:
        return probation, (key, *(each for each in protected if each != key))
    if key in probation:
        probation, protected = tuple(each for each in probation if each != key), (key, *protected)
        if len(protected) > protected_room:
            probation, protected = (protected[-1], *probation), protected[:-1]
        return probation, protected
    if len(probation) + len(protected) == room:
        probation = probation[:-1]
    return (key, *probation), protected


def _exact(shares: Any, room: int, protected_room: int) -> float:
    """The hit ratio from the chain whose states are the ordered contents of both segments."""
    states: dict[State, int] = {((), ()): 0}
    queue, edges = list(states), []
    while queue:
        state = queue.pop()
        for key, share in enumerate(shares):
            after = _next(state, key, room, protected_room)
            if after not in states:
                states[after] = len(states)
                queue.append(after)
            edges.append((states[state], states[after], share))
    stays = np.full(len(states), 1.0 / len(states))
    begins, ends, weights = (np.array(column) for column in zip(*edges, strict=True))
    for _ in range(3000):
        stays = np.bincount(ends, weights=stays[begins] * weights, minlength=len(states))
    hit = {number: sum(shares[key] for key in (*state[0], *state[1])) for state, number in states.items()}
    return float(sum(stays[number] * ratio for number, ratio in hit.items()))


@pytest.mark.slow
def test_two_small_segments_hit_as_the_exact_chain_says() -> None:
    """Room for 3 of 8 keys, 2 of them protected: the exact ratio lies in the interval, one 5 % steeper does not."""
    run = {"duration": "35s", "warm_up": "5s", "replications": 10, "seed": 3}
    cache = {"capacity": 3, "eviction": "slru", "protected_share": "67%"}
    found = _hit_ratio(_scenario(cache, keys=8, exponent=1.2, rate="100/s", run=run))
    exact, twin = (_exact(zipf.probabilities(exponent=each, count=8), 3, 2) for each in (1.2, 1.2 * 1.05))
    assert found.contains(exact), f"exact {exact:.4f} outside {found}"
    assert not found.contains(twin), f"twin {twin:.4f} inside {found}"


def test_characteristic_times_are_near_the_exact_chain() -> None:
    """Within 0.02 for 8 keys already; with no room for protection it is Che's LRU."""
    shares = zipf.probabilities(exponent=1.0, count=8)
    for room, protected in ((3, 2), (4, 2)):
        ratios = segmented_lru.hit_ratios(
            request_rates_per_s=shares, probationary=room - protected, protected=protected
        )
        assert float(ratios @ shares) == pytest.approx(_exact(shares, room, protected), abs=0.02)


@pytest.mark.slow
def test_the_arithmetic_is_near_for_many_keys() -> None:
    """Room for 100 of 1000 keys, 80 of them protected: right to a hundredth."""
    run = {"duration": "40s", "warm_up": "20s", "replications": 2, "seed": 4}
    scenario = _scenario({"capacity": 100, "eviction": "slru"}, keys=1000, exponent=0.9, rate="500/s", run=run)
    assert abs(_hit_ratio(scenario).mean - hit_ratios(scenario, 500.0)["items"]) < 0.01


@pytest.mark.slow
def test_a_sliding_life_hits_as_renewal_says() -> None:
    """A hit is whoever comes within a life of the one before: 1 - exp(-rate T); a life 5 % longer hits more often."""
    run = {"duration": "25s", "warm_up": "5s", "replications": 20, "seed": 8}
    cache = {"ttl": "2s", "ttl_from": "access"}
    found = _hit_ratio(_scenario(cache, keys=50, exponent=0, rate="40/s", run=run))
    assert found.contains(-np.expm1(-1.6)), str(found)
    assert not found.contains(-np.expm1(-1.68)), str(found)


@pytest.mark.slow
def test_one_hit_wonders_leave_a_protected_segment_alone() -> None:
    """Two segments hit more often than LRU of the same size, and the database gets less."""
    scenario = lab.read_scenario(PATTERNS / "one_hit_wonders.yaml")
    plain = {"components.items.eviction": "lru", "components.items.protected_share": "80%"}
    segments, lru = (lab.simulate(each, progress=False) for each in (scenario, scenario.with_(plain)))
    assert segments.value("hit_ratio", "items") > lru.value("hit_ratio", "items") + 0.03
    rows = lab.difference(lru, segments)
    assert rows[(rows["metric"] == "hit_ratio") & (rows["subject"] == "items")].iloc[0]["low"] > 0
