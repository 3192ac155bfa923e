"""Retries and backlogs: arithmetic by hand, and step-by-step integration."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.errors import DomainError, Unstable
from lab.theory import backlog, retry, retry_storm
from lab.theory.retry_storm import Fate

unhurried = settings(deadline=None)  # a busy machine is not a wrong answer

# -- retries -----------------------------------------------------------------------------------------


@unhurried
@given(st.floats(0.0, 1.0), st.integers(1, 12))
def test_attempts_are_a_sum_of_powers(fails, most):
    """Attempt k is made if the k - 1 before it failed."""
    expected = math.fsum(fails**k for k in range(most))
    found = retry.attempts_mean(failure_probability=fails, max_attempts=most)
    assert found == pytest.approx(expected, rel=1e-12)
    assert 1.0 - 1e-12 <= found <= most + 1e-9


def test_attempts_at_the_ends():
    """Nothing fails: one attempt. Everything fails: all of them, also just short of everything."""
    assert retry.attempts_mean(failure_probability=0.0, max_attempts=4) == 1.0
    assert retry.attempts_mean(failure_probability=1.0, max_attempts=4) == 4.0
    assert retry.attempts_mean(failure_probability=1.0 - 1e-13, max_attempts=4) == pytest.approx(4.0, rel=1e-12)


def test_success_is_what_not_all_attempts_fail():
    """Three attempts at one half succeed in 7 of 8; hopeless and safe cases are exact."""
    assert retry.success_probability(failure_probability=0.5, max_attempts=3) == pytest.approx(7 / 8)
    assert retry.success_probability(failure_probability=1.0, max_attempts=3) == 0.0
    assert retry.success_probability(failure_probability=0.0, max_attempts=3) == 1.0


def test_layers_multiply():
    """Five layers of three attempts hit a dead database 243 times; one layer is the plain formula."""
    assert retry.attempts_mean_through_layers(failure_probability=1.0, max_attempts=3, layers=5) == pytest.approx(243.0)
    assert retry.attempts_mean_through_layers(failure_probability=0.3, max_attempts=3, layers=1) == pytest.approx(
        retry.attempts_mean(failure_probability=0.3, max_attempts=3)
    )
    lower = 1 + 0.5  # two attempts at one half; both fail with 0.25, on which the upper layer tries again
    assert retry.attempts_mean_through_layers(failure_probability=0.5, max_attempts=2, layers=2) == pytest.approx(
        lower * 1.25
    )


@pytest.mark.parametrize(("fails", "most"), [(-0.1, 3), (1.1, 3), (math.nan, 3), (0.5, 0)])
def test_retry_refuses(fails, most):
    """Probabilities outside [0, 1], and no attempt at all."""
    with pytest.raises(DomainError):
        retry.attempts_mean(failure_probability=fails, max_attempts=most)


# -- retry storms ------------------------------------------------------------------------------------


def test_the_storms_threshold_is_capacity_over_attempts():
    """300/s and one retry: from 150/s on a storm stays; a budget of 10 % moves that to 273/s."""
    database = {"capacity_per_s": 300.0, "max_attempts": 2}
    assert retry_storm.arrival_rate_per_s_max(**database) == 150.0
    assert retry_storm.arrival_rate_per_s_max(retry_budget=0.1, **database) == pytest.approx(300 / 1.1)
    assert retry_storm.arrival_rate_per_s_max(capacity_per_s=300.0, max_attempts=1) == 300.0
    assert retry_storm.amplification_max(max_attempts=2, retry_budget=5.0) == 2.0  # attempts bind first
    assert retry_storm.amplification_max(max_attempts=4) == retry.attempts_mean(failure_probability=1.0, max_attempts=4)


def test_fates():
    """Below, between and above the two thresholds; at a threshold nothing is spare to recover with."""
    fates = [
        retry_storm.fate(arrival_rate_per_s=rate, capacity_per_s=300.0, max_attempts=2)
        for rate in (0.0, 149.0, 150.0, 299.0, 300.0)
    ]
    assert fates == [Fate.RECOVERS, Fate.RECOVERS, Fate.METASTABLE, Fate.METASTABLE, Fate.OVERLOADED]


def test_recovery_is_a_backlog_that_drains():
    """The fluid backlog of the outage, less what may wait, at what is spare; never, from the threshold on."""
    database = {"capacity_per_s": 300.0, "attempts": 2.0, "outage_s": 10.0}
    found = retry_storm.recovery_time_s(timeout_s=0.0, arrival_rate_per_s=120.0, **database)
    assert found == backlog.drain_time_s(backlog=2400.0, arrival_rate_per_s=240.0, capacity_per_s=300.0)
    assert retry_storm.recovery_time_s(timeout_s=1.0, arrival_rate_per_s=150.0, **database) == math.inf
    assert retry_storm.recovery_time_s(timeout_s=8.0, arrival_rate_per_s=120.0, **database) == 0.0


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: retry_storm.amplification_max(max_attempts=0), "max_attempts"),
        (lambda: retry_storm.amplification_max(max_attempts=2, retry_budget=-0.1), "retry_budget"),
        (lambda: retry_storm.amplification_max(max_attempts=2, retry_budget=math.nan), "retry_budget"),
        (lambda: retry_storm.arrival_rate_per_s_max(capacity_per_s=0.0, max_attempts=2), "capacity_per_s"),
        (lambda: retry_storm.fate(arrival_rate_per_s=-1.0, capacity_per_s=1.0, max_attempts=2), "arrival_rate_per_s"),
        (
            lambda: retry_storm.recovery_time_s(
                outage_s=1.0, timeout_s=1.0, arrival_rate_per_s=1.0, capacity_per_s=1.0, attempts=0.5
            ),
            "attempts",
        ),
    ],
)
def test_retry_storms_refuse(call, named):
    """The message starts with the argument's name."""
    with pytest.raises(DomainError, match=f"^{named}"):
        call()


# -- backlogs ----------------------------------------------------------------------------------------


def test_a_rectangular_spike_by_hand():
    """200/s for 30 s against 80/s piles up 3600, which 60/s of spare capacity clear in a minute."""
    found = backlog.spike(base_per_s=20, peak_per_s=200, rise_s=0, hold_s=30, fall_s=0, capacity_per_s=80)
    assert found == backlog.SpikeBacklog(peak=3600.0, peak_at_s=30.0, empty_at_s=90.0, waiting_time_s_max=45.0)
    grown = backlog.growth(arrival_rate_per_s=200, capacity_per_s=80, duration_s=30)
    assert grown == found.peak
    drained = backlog.drain_time_s(backlog=grown, arrival_rate_per_s=20, capacity_per_s=80)
    assert found.peak_at_s + drained == found.empty_at_s


@unhurried
@given(
    base=st.floats(0.0, 50.0),
    above_base=st.floats(1.0, 200.0),
    capacity_above_base=st.floats(5.0, 150.0),
    rise_s=st.floats(0.0, 20.0),
    hold_s=st.floats(0.0, 20.0),
    fall_s=st.floats(0.0, 20.0),
)
def test_spikes_agree_with_integration(base, above_base, capacity_above_base, rise_s, hold_s, fall_s):
    """Adding up arrivals less capacity in small steps gives the same peak and the same end."""
    peak, capacity = base + above_base, base + capacity_above_base
    found = backlog.spike(
        base_per_s=base, peak_per_s=peak, rise_s=rise_s, hold_s=hold_s, fall_s=fall_s, capacity_per_s=capacity
    )

    def arrivals_per_s(at_s):
        if at_s < rise_s:
            return base + above_base * at_s / rise_s
        if at_s < rise_s + hold_s:
            return peak
        if at_s < rise_s + hold_s + fall_s:
            return peak - above_base * (at_s - rise_s - hold_s) / fall_s
        return base

    step_s = (rise_s + hold_s + fall_s + 1.0) / 2000
    waiting, highest, at_s, empty_at_s = 0.0, 0.0, 0.0, 0.0
    while at_s < rise_s + hold_s + fall_s or waiting > 0.0:
        waiting = max(waiting + step_s * (arrivals_per_s(at_s + step_s / 2) - capacity), 0.0)
        at_s += step_s
        highest = max(highest, waiting)
        empty_at_s = at_s if waiting > 0.0 else empty_at_s
    coarse = step_s * (peak + capacity)
    assert found.peak == pytest.approx(highest, abs=2 * coarse)
    if found.peak > 10 * coarse:
        slack_s = math.sqrt(2 * 4 * coarse * max(fall_s, step_s) / above_base) + 4 * coarse / capacity_above_base
        assert found.empty_at_s == pytest.approx(empty_at_s, abs=slack_s + 3 * step_s)
        assert found.waiting_time_s_max == pytest.approx(found.peak / capacity)


def test_capacity_above_the_peak_leaves_no_backlog():
    """What fits piles nothing up, even if the base would not drain."""
    found = backlog.spike(base_per_s=80, peak_per_s=80, rise_s=1, hold_s=1, fall_s=1, capacity_per_s=80)
    assert (found.peak, found.empty_at_s) == (0.0, 0.0)


def test_a_spike_of_no_length_leaves_no_backlog():
    """A peak that lasts no time brings no request, whatever the base."""
    found = backlog.spike(base_per_s=80, peak_per_s=200, rise_s=0, hold_s=0, fall_s=0, capacity_per_s=80)
    assert (found.peak, found.empty_at_s) == (0.0, 0.0)


def test_what_never_drains_says_so():
    """A base at or above capacity: unstable, with the numbers."""
    with pytest.raises(Unstable, match="100/s arrive and 80/s can be served"):
        backlog.drain_time_s(backlog=10.0, arrival_rate_per_s=100.0, capacity_per_s=80.0)
    with pytest.raises(Unstable, match="never drains"):
        backlog.spike(base_per_s=80, peak_per_s=100, rise_s=1, hold_s=1, fall_s=1, capacity_per_s=80)
    assert backlog.drain_time_s(backlog=0.0, arrival_rate_per_s=100.0, capacity_per_s=80.0) == 0.0


def test_a_spike_downwards_is_refused():
    """A peak below the base is a mix-up of the two."""
    with pytest.raises(DomainError, match="swap"):
        backlog.spike(base_per_s=100, peak_per_s=20, rise_s=1, hold_s=1, fall_s=1, capacity_per_s=80)
