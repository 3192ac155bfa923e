"""FIFO, RANDOM, exact LRU and perfect LFU: against chains of contents, by hand, and against each other."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from lab.errors import DomainError
from lab.theory import che, exact_lru, fifo_random_cache, perfect_lfu, zipf


def chain_hit_ratios(probabilities, capacity, policy):
    """The stationary hit ratios of a cache, from the chain whose states are its ordered contents."""
    keys = range(len(probabilities))
    states = list(itertools.permutations(keys, capacity))
    number = {state: i for i, state in enumerate(states)}
    matrix = np.zeros((len(states), len(states)))
    for state, i in number.items():
        for key in keys:
            for chance, after in policy(state, key):
                matrix[i, number[after]] += probabilities[key] * chance
    balance = np.vstack([matrix.T - np.eye(len(states)), np.ones(len(states))])
    shares = np.linalg.lstsq(balance, np.append(np.zeros(len(states)), 1.0), rcond=None)[0]
    return np.array([sum(shares[number[s]] for s in states if key in s) for key in keys])


def lru(state, key):
    kept = tuple(other for other in state if other != key)
    return [(1.0, (key, *kept)[: len(state)])]


def fifo(state, key):
    return [(1.0, state if key in state else (key, *state[:-1]))]


def random(state, key):
    if key in state:
        return [(1.0, state)]
    return [(1.0 / len(state), (*state[:i], key, *state[i + 1 :])) for i in range(len(state))]


POPULARITIES = [(0.5, 0.3, 0.2), (0.6, 0.25, 0.1, 0.05), tuple(zipf.probabilities(exponent=1.0, count=5))]


@pytest.mark.parametrize("probabilities", POPULARITIES)
@pytest.mark.parametrize("capacity", [1, 2])
def test_exact_formulas_agree_with_the_chains(probabilities, capacity):
    """All orders of all contents, solved: King's LRU, and Gelenbe's FIFO and RANDOM, which are alike."""
    rates = {"request_rates_per_s": probabilities, "capacity": capacity}
    assert exact_lru.hit_ratios(**rates) == pytest.approx(chain_hit_ratios(probabilities, capacity, lru))
    found = fifo_random_cache.exact_hit_ratios(**rates)
    assert found == pytest.approx(chain_hit_ratios(probabilities, capacity, fifo))
    assert found == pytest.approx(chain_hit_ratios(probabilities, capacity, random))


@pytest.mark.parametrize(
    "hit_ratio",
    [
        che.hit_ratio,
        exact_lru.hit_ratio,
        fifo_random_cache.hit_ratio,
        fifo_random_cache.exact_hit_ratio,
        perfect_lfu.hit_ratio,
    ],
)
def test_among_equals_the_policy_does_not_matter(hit_ratio):
    """Uniform popularity: capacity over keys, exactly, for all of them."""
    for capacity in (0, 1, 7, 12, 15):
        expected = min(capacity / 12, 1.0)
        assert hit_ratio(request_rates_per_s=[3.0] * 12, capacity=capacity) == pytest.approx(expected)


def test_policies_rank_as_they_should():
    """Under independent requests: FIFO, then LRU, then perfect LFU; the unit of the rates does not matter."""
    rates = zipf.probabilities(exponent=0.9, count=14) * 250.0
    figures = [
        policy(request_rates_per_s=rates, capacity=4)
        for policy in (fifo_random_cache.exact_hit_ratio, exact_lru.hit_ratio, perfect_lfu.hit_ratio)
    ]
    assert figures == sorted(figures)
    assert figures[2] - figures[0] > 0.05


@pytest.mark.parametrize(("count", "capacity", "within"), [(3, 1, 0.03), (16, 5, 0.015), (2000, 100, 1e-3)])
def test_the_fifo_approximation_gets_better_with_size(count, capacity, within):
    """Its error falls with the number of keys; it is the approximation's own, as the exact sum shows."""
    rates = {"request_rates_per_s": zipf.probabilities(exponent=1.0, count=count), "capacity": capacity}
    error = fifo_random_cache.hit_ratio(**rates) - fifo_random_cache.exact_hit_ratio(**rates)
    assert 0.0 < abs(error) < within


def test_exact_ratios_fill_the_cache():
    """What is inside adds up to the capacity, also for thousands of keys of rates far apart."""
    rates = 1e6 * zipf.probabilities(exponent=2.0, count=3000)
    found = fifo_random_cache.exact_hit_ratios(request_rates_per_s=rates, capacity=200)
    assert found.sum() == pytest.approx(200.0)
    assert (np.diff(found) <= 1e-12).all()
    assert float(exact_lru.hit_ratios(request_rates_per_s=rates[:15], capacity=6).sum()) == pytest.approx(6.0)


def test_che_is_near_the_exact_lru_of_sixteen_keys():
    """Within half a point of the exact figure already there; a capacity one off is many points away."""
    rates = zipf.probabilities(exponent=0.8, count=16)
    exact = exact_lru.hit_ratio(request_rates_per_s=rates, capacity=6)
    assert che.hit_ratio(request_rates_per_s=rates, capacity=6) == pytest.approx(exact, abs=0.005)
    assert abs(che.hit_ratio(request_rates_per_s=rates, capacity=5) - exact) > 0.05


def test_keys_never_asked_for_stay_outside():
    """A rate of 0 is a miss for ever, and what fits among the others always hits."""
    rates = {"request_rates_per_s": [2.0, 0.0, 1.0]}
    for hit_ratios in (
        exact_lru.hit_ratios,
        fifo_random_cache.hit_ratios,
        fifo_random_cache.exact_hit_ratios,
        perfect_lfu.hit_ratios,
    ):
        assert hit_ratios(capacity=2, **rates).tolist() == [1.0, 0.0, 1.0]
        one = hit_ratios(capacity=1, **rates)
        assert one[1] == 0.0
        assert one.sum() == pytest.approx(1.0)


def test_a_stay_in_the_cache_by_hand():
    """Rates 2 and 1, room for one: 2T/(1+2T) + T/(1+T) = 1, so T = 1/sqrt(2)."""
    found = fifo_random_cache.stay_s_mean(request_rates_per_s=[2.0, 1.0], capacity=1)
    assert found == pytest.approx(0.5**0.5, rel=1e-12)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: exact_lru.hit_ratio(request_rates_per_s=[1.0] * 40, capacity=20), "sets of them"),
        (lambda: exact_lru.hit_ratio(request_rates_per_s=[1.0], capacity=-1), "capacity"),
        (lambda: fifo_random_cache.hit_ratio(request_rates_per_s=[1.0], capacity=1.5), "capacity"),
        (
            lambda: fifo_random_cache.exact_hit_ratio(request_rates_per_s=np.ones(100_000), capacity=1000),
            "use hit_ratios",
        ),
        (lambda: perfect_lfu.hit_ratio(request_rates_per_s=[0.0], capacity=1), "all 0"),
    ],
)
def test_caches_refuse(call, says):
    """Capacities that are none, and sums beyond reach."""
    with pytest.raises(DomainError, match=says):
        call()
