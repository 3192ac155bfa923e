"""MSER-5 on series whose warm-up is known, and against its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.errors import DomainError, NotEnoughData
from lab.theory.warm_up import truncation_point

unhurried = settings(deadline=None)  # a busy machine is not a wrong answer


def test_a_step_is_cut_where_it_ends():
    """Twenty high observations before a steady rest: exactly these go."""
    assert truncation_point([100.0] * 20 + [1.0, 3.0] * 90) == 20


def test_a_step_within_a_batch_drops_the_batch():
    """Batches are five observations: a start of 18 takes the fourth batch with it."""
    assert truncation_point([100.0] * 18 + [1.0, 3.0] * 91) == 20


def test_a_steady_series_loses_nothing():
    """A constant, a large constant, and a regular swing have no warm-up."""
    for series in ([2.5] * 200, [0.1 + 1e9] * 200, [1.0, 3.0] * 100):
        assert truncation_point(series) == 0


def test_an_exponential_start_is_cut_in_its_tail():
    """A start that dies out with a time constant of 100 in noise of 1 is cut after some time constants."""
    noise = np.random.default_rng(3).normal(0.0, 1.0, size=4000)
    series = 20.0 + noise + 30.0 * np.exp(-np.arange(4000) / 100.0)
    found = truncation_point(series)
    assert 200 <= found <= 900
    assert abs(series[found:].mean() - 20.0) < 0.1 < abs(series.mean() - 20.0)


@unhurried
@given(st.lists(st.floats(-100.0, 100.0), min_size=50, max_size=150))
@pytest.mark.slow
def test_it_is_the_minimum_of_the_definition(values):
    """The point found has the least squared error over squared count, computed the plain way."""
    batches = [sum(values[i : i + 5]) / 5 for i in range(0, len(values) - 4, 5)]
    count = len(batches)

    def statistic(dropped):
        rest = batches[dropped:]
        mean = math.fsum(rest) / len(rest)
        return math.fsum((x - mean) ** 2 for x in rest) / len(rest) ** 2

    statistics = [statistic(dropped) for dropped in range(count - 5 + 1)]
    least = min(statistics)
    try:
        found = truncation_point(values)
    except NotEnoughData:
        assert min(statistics[: count // 2 + 1]) >= least - 1e-9
        assert min(statistics[count // 2 + 1 :]) <= least + 1e-9
    else:
        assert found % 5 == 0
        assert 2 * found <= count * 5
        assert statistics[found // 5] <= least + 1e-9


def test_a_series_that_never_settles_is_refused():
    """A queue that grows to the end of the run has no steady state to cut to."""
    with pytest.raises(NotEnoughData, match="more than half"):
        truncation_point(np.arange(1000.0))


def test_a_start_longer_than_half_the_run_is_refused():
    """Sixty per cent of start leave too little to trust."""
    with pytest.raises(NotEnoughData, match="run longer"):
        truncation_point([100.0 - i for i in range(60)] * 2 + [1.0, 3.0] * 40)


@pytest.mark.parametrize("count", [0, 1, 49])
def test_short_series_are_refused(count):
    """Ten batches are the least."""
    with pytest.raises(NotEnoughData, match=f"in {count} observations"):
        truncation_point([1.0] * count)


def test_the_batch_size_can_be_chosen():
    """Plain MSER (batches of one) finds the step to the observation."""
    assert truncation_point([100.0] * 18 + [2.0] * 100, batch_size=1) == 18


@pytest.mark.parametrize("series", [[1.0] * 60 + [math.nan], [[1.0] * 60, [1.0] * 60], [math.inf] * 60])
def test_series_must_be_flat_and_finite(series):
    """NaN (a request without an answer), tables and infinities are refused."""
    with pytest.raises(DomainError, match="flat and hold finite"):
        truncation_point(series)
