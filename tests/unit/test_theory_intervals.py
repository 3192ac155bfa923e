"""Intervals against textbook examples, tables, and their own promise: coverage."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.errors import DomainError, NotEnoughData
from lab.theory.intervals import (
    Interval,
    mean_interval,
    paired_interval,
    prediction_interval,
    proportion_interval,
    quantile_interval,
)
from lab.theory.student import normal_quantile, t_cdf, t_quantile

unhurried = settings(deadline=None)  # a busy machine is not a wrong answer

LAW = [1.20, 1.50, 1.68, 1.89, 0.95, 1.49, 1.58, 1.55, 0.50, 1.09]
samples = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40)


def test_mean_interval_is_that_of_the_textbook():
    """Law's ten values give 1.34 +- 0.24 at 90 %."""
    interval = mean_interval(LAW, 0.90)
    assert (round(interval.mean, 2), round(interval.half_width, 2), interval.n) == (1.34, 0.24, 10)
    assert interval.level == 0.90


@pytest.mark.parametrize(
    ("probability", "freedom", "table"),
    [(0.975, 1, 12.706), (0.975, 4, 2.776), (0.95, 9, 1.833), (0.995, 10, 3.169), (0.975, 120, 1.980)],
)
def test_t_quantile_is_the_tables(probability, freedom, table):
    """Quantiles of Student's t as printed in any statistics book, and the distribution as their inverse."""
    assert t_quantile(probability, degrees_of_freedom=freedom) == pytest.approx(table, abs=5e-4)
    quantile = t_quantile(probability, degrees_of_freedom=freedom)
    assert t_cdf(quantile, degrees_of_freedom=freedom) == pytest.approx(probability, abs=1e-9)


def test_normal_quantile_is_the_tables():
    """The 97.5 % point of the normal distribution."""
    assert normal_quantile(0.975) == pytest.approx(1.959964, abs=1e-6)


def test_prediction_interval_by_hand():
    """Five values with t(0.975; 4) = 2.776 from the table."""
    values = [51.4, 49.5, 48.7, 49.3, 51.6]
    interval = prediction_interval(values, 0.95)
    assert interval.half_width == pytest.approx(2.776 * np.std(values, ddof=1) * math.sqrt(1.2), rel=1e-3)
    assert interval.mean == pytest.approx(50.1)


@unhurried
@given(samples)
def test_prediction_interval_is_wider_by_the_square_root_of_n_plus_one(values):
    """Both come from the same t and s: their widths differ by a known factor."""
    mean, prediction = mean_interval(values), prediction_interval(values)
    factor = math.sqrt(len(values) + 1)
    assert prediction.half_width == pytest.approx(factor * mean.half_width, rel=1e-6, abs=1e-6)


@unhurried
@given(samples, st.floats(0.01, 100.0), st.floats(-1e3, 1e3))
def test_mean_interval_follows_the_unit(values, scale, shift):
    """Another unit of the values scales and shifts the interval, nothing else."""
    plain, other = mean_interval(values), mean_interval([scale * x + shift for x in values])
    assert other.low == pytest.approx(scale * plain.low + shift, rel=1e-6, abs=1e-3)
    assert other.high == pytest.approx(scale * plain.high + shift, rel=1e-6, abs=1e-3)


@unhurried
@given(samples, st.floats(0.01, 0.98))
def test_a_higher_level_is_never_narrower(values, level):
    """The 99 % interval holds every lower one."""
    lower, higher = mean_interval(values, level), mean_interval(values, 0.99)
    assert higher.low <= lower.low <= lower.high <= higher.high


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_intervals_cover_as_often_as_they_say(level):
    """Of 4000 samples of five normal values, the promised share of intervals holds the truth."""
    generator = np.random.default_rng(20240607)
    repeats = 4000
    values = generator.normal(10.0, 3.0, size=(repeats, 6))
    mean_hits = sum(mean_interval(row[:5], level).contains(10.0) for row in values)
    further_hits = sum(prediction_interval(row[:5], level).contains(row[5]) for row in values)
    assert proportion_interval(mean_hits, repeats, 0.999).contains(level)
    assert proportion_interval(further_hits, repeats, 0.999).contains(level)


def test_quantile_interval_is_over_replications_not_observations():
    """Two replications of 1000 observations count as two values, each its own quantile."""
    replications = [np.arange(1001) + shift for shift in (0, 10)]
    interval = quantile_interval(replications, 0.99, 0.95)
    assert interval == mean_interval([990.0, 1000.0], 0.95)
    assert interval.n == 2


@pytest.mark.parametrize(("quantile", "needed"), [(0.5, 2), (0.9, 10), (0.99, 100), (0.999, 1000), (0.01, 100)])
def test_quantile_interval_refuses_quantiles_beyond_the_data(quantile, needed):
    """A p99 takes a hundred observations in each replication; one fewer is an error that names it."""
    assert quantile_interval([range(needed), range(needed)], quantile).n == 2
    with pytest.raises(NotEnoughData, match="replication 1 has"):
        quantile_interval([range(needed), range(needed - 1)], quantile)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_proportion_interval_is_newcombes_table(successes, trials, low, high):
    """Wilson's score interval at 95 % as published by Newcombe (1998), and its mirror image."""
    interval = proportion_interval(successes, trials)
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)
    mirrored = proportion_interval(trials - successes, trials)
    assert mirrored.low == pytest.approx(1.0 - interval.high, abs=1e-12)


@unhurried
@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.01, 0.999))
def test_proportion_interval_stays_a_probability_and_holds_its_estimate(counts, level):
    """Whatever the counts, 0 <= low <= share <= high <= 1, with some width."""
    interval = proportion_interval(*counts, level)
    assert 0.0 <= interval.low <= interval.mean <= interval.high <= 1.0
    assert interval.low < interval.high


def test_paired_interval_cancels_what_both_share():
    """Scatter common to both sides leaves the interval of the difference narrow."""
    shared = np.random.default_rng(7).normal(100.0, 30.0, size=10)
    wobble = np.array([0.1, -0.1] * 5)
    interval = paired_interval(shared + 1.0 + wobble, shared)
    assert interval.contains(1.0)
    assert interval.half_width < 0.1
    assert not interval.contains(0.0)


def test_paired_interval_refuses_unequal_numbers():
    """What has no partner cannot be paired."""
    with pytest.raises(DomainError, match="3 values were to be paired with 2"):
        paired_interval([1.0, 2.0, 3.0], [1.0, 2.0])


@pytest.mark.parametrize("interval_of", [mean_interval, prediction_interval])
@pytest.mark.parametrize("values", [[], [1.0]])
def test_fewer_than_two_values_are_not_enough(interval_of, values):
    """No data and one value are errors, never a number."""
    with pytest.raises(NotEnoughData, match=f"from {len(values)} value"):
        interval_of(values)


def test_other_intervals_refuse_too_few_as_well():
    """One pair, one replication, no trial."""
    with pytest.raises(NotEnoughData):
        paired_interval([1.0], [2.0])
    with pytest.raises(NotEnoughData):
        quantile_interval([range(100)], 0.5)
    with pytest.raises(NotEnoughData, match="no trial"):
        proportion_interval(0, 0)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_values_must_be_finite(wrong):
    """NaN and infinity are refused instead of spreading into the result."""
    with pytest.raises(DomainError, match="finite"):
        mean_interval([1.0, wrong])
    with pytest.raises(DomainError, match="replication 1 holds"):
        quantile_interval([[1.0, 2.0], [1.0, wrong]], 0.5)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0, -0.1, math.nan])
def test_levels_lie_between_0_and_1(level):
    """95 instead of 0.95 is caught in each function."""
    with pytest.raises(DomainError, match="level"):
        mean_interval(LAW, level)
    with pytest.raises(DomainError, match="level"):
        proportion_interval(1, 2, level)


def test_more_successes_than_trials_are_refused():
    """A count that is not a count of the same trials."""
    with pytest.raises(DomainError, match="successes is 3"):
        proportion_interval(3, 2)


def test_constant_values_give_an_interval_of_one_point():
    """Without scatter the interval is the value."""
    interval = mean_interval([2.5, 2.5, 2.5])
    assert (interval.low, interval.mean, interval.high) == (2.5, 2.5, 2.5)


def test_contains_and_overlaps_include_the_ends():
    """Intervals are closed; NaN lies in none."""
    left = Interval(low=1.0, high=2.0, mean=1.5, level=0.95, n=5)
    touching = Interval(low=2.0, high=3.0, mean=2.5, level=0.95, n=5)
    apart = Interval(low=2.1, high=3.0, mean=2.5, level=0.95, n=5)
    held = [left.contains(value) for value in (1.0, 1.5, 2.0, 0.999, 2.001, math.nan)]
    assert held == [True, True, True, False, False, False]
    assert [left.overlaps(touching), touching.overlaps(left)] == [True, True]
    assert [left.overlaps(apart), apart.overlaps(left)] == [False, False]


@pytest.mark.parametrize(("low", "high"), [(2.0, 1.0), (math.nan, 1.0), (1.0, math.nan)])
def test_an_empty_interval_cannot_be_made(low, high):
    """Ends in the wrong order, or none, are refused."""
    with pytest.raises(DomainError, match="empty"):
        Interval(low=low, high=high, mean=1.0, level=0.95, n=2)


def test_importing_the_theory_does_not_import_scipy():
    """SciPy takes long to import, so it waits until an interval is asked for; so it does for lab itself."""
    code = (
        "import sys, pkgutil, importlib, lab\n"
        "assert 'scipy' not in sys.modules, 'import lab is slow'\n"
        "import lab.theory as t\n"
        "names = [m.name for m in pkgutil.iter_modules(t.__path__)]\n"
        "[importlib.import_module('lab.theory.' + name) for name in names]\n"
        "assert 'intervals' in names and 'scipy' not in sys.modules, sorted(names)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
