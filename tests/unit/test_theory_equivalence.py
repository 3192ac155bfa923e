"""Equivalence tests: what they accept, what they refuse, and how often they err."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lab.errors import DomainError, NotEnoughData
from lab.theory.equivalence import Verdict, tost_difference, tost_log_ratio
from lab.theory.intervals import proportion_interval

unhurried = settings(deadline=None)  # a busy machine is not a wrong answer

TIGHT = [99.0, 101.0, 100.0, 98.0, 102.0]


@pytest.mark.parametrize(
    ("predicted", "verdict"),
    [
        (100.0, Verdict.EQUIVALENT),
        (105.0, Verdict.EQUIVALENT),
        (109.5, Verdict.UNDECIDED),
        (120.0, Verdict.DIFFERENT),
    ],
)
def test_verdict_by_distance_from_a_precise_measurement(predicted, verdict):
    """With a scatter of 1.6 %, 5 % off passes a margin of 10 %, 9.5 % cannot be told, 20 % fails."""
    found = tost_log_ratio(predicted, TIGHT, 0.10)
    assert found.verdict is verdict
    assert found.equivalent is (verdict is Verdict.EQUIVALENT)


def test_scattered_measurements_prove_nothing():
    """The burden of proof lies with the model: a right mean amid noise is undecided, not equivalent."""
    assert tost_log_ratio(100.0, [60.0, 140.0, 100.0], 0.10).verdict is Verdict.UNDECIDED


@unhurried
@given(
    st.lists(st.floats(50.0, 200.0), min_size=3, max_size=10),
    st.floats(50.0, 200.0),
    st.floats(0.01, 0.5),
    st.floats(0.01, 0.2),
)
def test_p_value_is_the_larger_of_two_one_sided_t_tests(measured, predicted, margin, alpha):
    """SciPy's t test, run once against each margin, gives the same p; the interval gives the same verdict."""
    logs = np.log(predicted) - np.log(measured)
    if np.std(logs) < 1e-6:
        return
    bound = math.log1p(margin)
    above = stats.ttest_1samp(logs, -bound, alternative="greater").pvalue
    below = stats.ttest_1samp(logs, bound, alternative="less").pvalue
    found = tost_log_ratio(predicted, measured, margin, alpha)
    assert found.p_value == pytest.approx(max(above, below), abs=1e-9)
    inside = found.low_margin < found.interval.low and found.interval.high < found.high_margin
    if abs(found.p_value - alpha) > 1e-9:
        assert found.equivalent is inside


def test_a_model_at_the_margin_passes_as_seldom_as_alpha_says():
    """Models exactly 10 % off are called equivalent in about 5 % of 3000 experiments."""
    generator = np.random.default_rng(11)
    repeats = 3000
    passed = sum(
        tost_log_ratio(1.1, np.exp(generator.normal(0.0, 0.03, size=5)), 0.10, 0.05).equivalent for _ in range(repeats)
    )
    assert proportion_interval(passed, repeats, 0.999).contains(0.05)


def test_swapping_prediction_and_measurement_mirrors_the_result():
    """On the log scale too high and too low by the same factor are the same error."""
    high = tost_log_ratio([105.0, 106.0, 104.0], [100.0, 100.0, 100.0], 0.1)
    low = tost_log_ratio([100.0, 100.0, 100.0], [105.0, 106.0, 104.0], 0.1)
    assert high.p_value == pytest.approx(low.p_value)
    assert high.interval.mean == pytest.approx(1.0 / low.interval.mean)


def test_paired_predictions_cancel_the_scatter_of_the_runs():
    """Each run's own prediction decides what a single one leaves open."""
    measured = [60.0, 140.0, 100.0]
    assert tost_log_ratio([61.0, 142.0, 103.0], measured, 0.10).equivalent
    assert not tost_log_ratio(102.0, measured, 0.10).equivalent


def test_the_interval_is_of_the_ratio():
    """Bias reads directly: 2 % too high on average."""
    found = tost_log_ratio([102.0, 204.0, 51.0], [100.0, 200.0, 50.0], 0.05)
    assert found.interval.mean == pytest.approx(1.02)
    assert found.interval.level == pytest.approx(0.90)
    assert (found.low_margin, found.high_margin) == pytest.approx((1 / 1.05, 1.05))


@pytest.mark.parametrize(("offset", "equivalent"), [(0.0, True), (0.004, True), (0.02, False)])
def test_differences_without_scatter_are_decided_by_the_margin(offset, equivalent):
    """Identical values have a standard error of 0, and still get a verdict."""
    found = tost_difference(0.5 + offset, [0.5, 0.5, 0.5], 0.005)
    assert found.equivalent is equivalent
    assert found.p_value == (0.0 if equivalent else 1.0)
    assert found.verdict is (Verdict.EQUIVALENT if equivalent else Verdict.DIFFERENT)


def test_ratios_of_zero_are_judged_by_their_difference():
    """An error ratio of 0 in both worlds is equivalent; its logarithm is refused, with the way out."""
    assert tost_difference(0.0, [0.0, 0.0], 0.005).equivalent
    with pytest.raises(DomainError, match=r"measured is 0\.0"):
        tost_log_ratio(0.1, [0.0, 0.1], 0.1)
    with pytest.raises(DomainError, match=r"predicted is 0\.0"):
        tost_log_ratio(0.0, [0.1, 0.1], 0.1)


def test_one_measurement_is_not_enough():
    """A single run shows no scatter, so it cannot judge."""
    with pytest.raises(NotEnoughData):
        tost_log_ratio(1.0, [1.0], 0.1)
    with pytest.raises(NotEnoughData):
        tost_difference(1.0, [], 0.1)


@pytest.mark.parametrize(("margin", "alpha"), [(0.0, 0.05), (-0.1, 0.05), (0.1, 0.0), (0.1, 0.5), (0.1, math.nan)])
def test_margin_and_alpha_have_domains(margin, alpha):
    """A margin of nothing and a risk of a half are refused."""
    with pytest.raises(DomainError):
        tost_log_ratio(1.0, [1.0, 1.1], margin, alpha)


def test_predictions_must_match_the_runs():
    """Two predictions for three measured runs cannot be paired."""
    with pytest.raises(DomainError, match="paired"):
        tost_log_ratio([1.0, 1.0], [1.0, 1.1, 1.2], 0.1)
