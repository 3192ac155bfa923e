"""Queues with a steady state: published tables, identities between models, and independent computations."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lab.errors import DomainError, Unstable
from lab.theory import littles_law, md1, mg1, mm1, mmc
from lab.theory.utilisation import offered_load, stable_utilisation, utilisation

unhurried = settings(deadline=None)  # a busy machine is not a wrong answer

busy_ratios = st.floats(0.01, 0.99)
service_times = st.floats(1e-4, 100.0)
server_counts = st.integers(1, 60)


def arguments(busy: float, service_time_s: float, servers: int = 1) -> dict[str, float]:
    """The arrival rate and service time that give a utilisation."""
    return {"arrival_rate_per_s": busy * servers / service_time_s, "service_time_s": service_time_s}


# -- M/M/c and M/M/1 --------------------------------------------------------------------------------


@unhurried
@given(busy_ratios, service_times, st.floats(0.0, 20.0), st.floats(0.001, 0.999))
def test_one_server_is_mm1(busy, service_time_s, services, quantile):
    """M/M/c with c = 1 gives M/M/1's own closed forms, figure by figure."""
    queue = arguments(busy, service_time_s)
    time_s = services * service_time_s
    for name in ("waiting_time_s_mean", "sojourn_time_s_mean", "number_in_system_mean"):
        assert getattr(mmc, name)(servers=1, **queue) == pytest.approx(getattr(mm1, name)(**queue), rel=1e-9)
    for name in ("waiting_time_tail", "sojourn_time_tail"):
        expected = getattr(mm1, name)(time_s=time_s, **queue)
        assert getattr(mmc, name)(time_s=time_s, servers=1, **queue) == pytest.approx(expected, rel=1e-9)
    for name in ("waiting_time_s_quantile", "sojourn_time_s_quantile"):
        expected = getattr(mm1, name)(quantile=quantile, **queue)
        found = getattr(mmc, name)(quantile=quantile, servers=1, **queue)
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-9 * service_time_s)


def test_mm1_at_80_percent():
    """The numbers everybody knows: at 80 % the wait is four service times, the time in all five."""
    queue = {"arrival_rate_per_s": 40.0, "service_time_s": 0.02}
    assert mm1.waiting_time_s_mean(**queue) == pytest.approx(0.08)
    assert mm1.sojourn_time_s_mean(**queue) == pytest.approx(0.10)
    assert mm1.number_in_system_mean(**queue) == pytest.approx(4.0)
    assert mm1.sojourn_time_s_quantile(quantile=0.99, **queue) == pytest.approx(0.1 * math.log(100.0))
    assert mm1.waiting_time_tail(time_s=0.0, **queue) == pytest.approx(0.8)


@unhurried
@given(busy_ratios, service_times)
@pytest.mark.slow
def test_mm1_states_are_a_distribution_with_that_mean(busy, service_time_s):
    """The shares of time sum to one, and their mean is the number in the system."""
    assume(busy < 0.95)
    queue = arguments(busy, service_time_s)
    shares = [mm1.number_in_system_probability(number=n, **queue) for n in range(1000)]
    assert math.fsum(shares) == pytest.approx(1.0)
    mean = math.fsum(n * share for n, share in enumerate(shares))
    assert mean == pytest.approx(mm1.number_in_system_mean(**queue), rel=1e-6)


@unhurried
@given(busy_ratios, service_times, server_counts, st.floats(0.001, 0.999))
def test_quantiles_invert_tails(busy, service_time_s, servers, quantile):
    """A share 1 - q takes longer than the quantile; for waits, at most that share."""
    queue = {**arguments(busy, service_time_s, servers), "servers": servers}
    sojourn = mmc.sojourn_time_s_quantile(quantile=quantile, **queue)
    assert mmc.sojourn_time_tail(time_s=sojourn, **queue) == pytest.approx(1 - quantile, rel=1e-6)
    waiting = mmc.waiting_time_s_quantile(quantile=quantile, **queue)
    assert mmc.waiting_time_tail(time_s=waiting, **queue) <= (1 - quantile) * (1 + 1e-9)
    assert waiting == 0.0 or mmc.waiting_time_tail(time_s=waiting, **queue) == pytest.approx(1 - quantile)


@pytest.mark.slow
@unhurried
@given(busy_ratios, service_times, server_counts)
def test_means_are_the_areas_under_the_tails(busy, service_time_s, servers):
    """Integrating the tail of the sojourn time numerically gives its mean."""
    assume(busy < 0.9)
    queue = {**arguments(busy, service_time_s, servers), "servers": servers}
    end_s = mmc.sojourn_time_s_quantile(quantile=1 - 1e-10, **queue)
    steps = 4000
    width = end_s / steps
    heights = [mmc.sojourn_time_tail(time_s=i * width, **queue) for i in range(steps + 1)]
    area = width * (math.fsum(heights) - (heights[0] + heights[-1]) / 2)
    assert area == pytest.approx(mmc.sojourn_time_s_mean(**queue), rel=1e-3)


def test_sojourn_tail_where_both_exponentials_are_equal():
    """At c - a = 1 waiting and serving have the same rate: an Erlang-2, approached from both sides."""
    at = {"service_time_s": 1.0, "servers": 3}
    exact = mmc.sojourn_time_tail(time_s=2.0, arrival_rate_per_s=2.0, **at)
    waits = mmc.waiting_probability(arrival_rate_per_s=2.0, **at)
    assert exact == pytest.approx((1 - waits) * math.exp(-2) + waits * 3 * math.exp(-2), rel=1e-12)
    for nearby in (2.0 - 1e-9, 2.0 + 1e-9):
        assert mmc.sojourn_time_tail(time_s=2.0, arrival_rate_per_s=nearby, **at) == pytest.approx(exact, rel=1e-7)


def test_sojourn_tail_does_not_overflow_far_out():
    """A thousand service times out the tail is 0 or next to it, never an error."""
    for servers in (1, 3, 50):
        tail = mmc.sojourn_time_tail(
            time_s=1000.0, arrival_rate_per_s=0.5 * servers, service_time_s=1.0, servers=servers
        )
        assert 0.0 <= tail < 1e-200


@unhurried
@given(busy_ratios, st.integers(1, 30))
def test_pooling_shortens_waits(busy, servers):
    """At the same utilisation, more servers behind one queue wait less."""
    few = mmc.waiting_time_s_mean(servers=servers, **arguments(busy, 1.0, servers))
    more = mmc.waiting_time_s_mean(servers=servers + 1, **arguments(busy, 1.0, servers + 1))
    assert more < few


@unhurried
@given(busy_ratios, service_times, server_counts)
def test_little_holds_between_the_figures(busy, service_time_s, servers):
    """Numbers and times belong together, in queue and in system."""
    queue = {**arguments(busy, service_time_s, servers), "servers": servers}
    rate = queue["arrival_rate_per_s"]
    in_system = littles_law.number_in_system(throughput_per_s=rate, sojourn_time_s=mmc.sojourn_time_s_mean(**queue))
    assert in_system == pytest.approx(mmc.number_in_system_mean(**queue))
    assert littles_law.sojourn_time_s(
        number_in_system=mmc.number_in_queue_mean(**queue), throughput_per_s=rate
    ) == pytest.approx(mmc.waiting_time_s_mean(**queue))
    assert littles_law.throughput_per_s(
        number_in_system=in_system, sojourn_time_s=mmc.sojourn_time_s_mean(**queue)
    ) == pytest.approx(rate)


# -- utilisation and stability ----------------------------------------------------------------------


def test_utilisation_law():
    """The worked numbers of the docstrings, and overload as a plain number."""
    assert offered_load(arrival_rate_per_s=200.0, service_time_s=0.02) == pytest.approx(4.0)
    assert utilisation(arrival_rate_per_s=200.0, service_time_s=0.02, servers=5) == pytest.approx(0.8)
    assert utilisation(arrival_rate_per_s=200.0, service_time_s=0.02, servers=2) == pytest.approx(2.0)


UNSTABLE = {"arrival_rate_per_s": 120.0, "service_time_s": 0.02}


@pytest.mark.parametrize(
    "call",
    [
        lambda: stable_utilisation(servers=2, **UNSTABLE),
        lambda: mm1.waiting_time_s_mean(**UNSTABLE),
        lambda: mm1.number_in_system_probability(number=0, **UNSTABLE),
        lambda: mm1.sojourn_time_s_quantile(quantile=0.5, **UNSTABLE),
        lambda: mmc.sojourn_time_s_mean(servers=2, **UNSTABLE),
        lambda: mmc.waiting_time_tail(time_s=1.0, servers=2, **UNSTABLE),
        lambda: mg1.waiting_time_s_mean(service_time_scv=1.0, **UNSTABLE),
        lambda: md1.waiting_time_s_quantile(quantile=0.5, **UNSTABLE),
    ],
)
def test_overload_has_no_steady_state(call):
    """Every model of an unbounded queue refuses it."""
    with pytest.raises(Unstable, match="grows"):
        call()


def test_unstable_shows_the_arithmetic():
    """The message holds the rate, the time, the product, and by how much the queue grows."""
    with pytest.raises(Unstable) as caught:
        mmc.waiting_time_s_mean(servers=2, **UNSTABLE)
    for part in ("120/s", "0.02 s", "2.4 servers' work", "2 servers", "utilisation 1.2", "by 20 requests/s"):
        assert part in str(caught.value)


def test_exactly_full_is_unstable_too():
    """At a utilisation of exactly 1 the mean wait is infinite, not merely large."""
    with pytest.raises(Unstable):
        mm1.waiting_time_s_mean(arrival_rate_per_s=1.0, service_time_s=1.0)


def test_no_arrivals_no_wait():
    """Without arrivals nobody waits, in every model."""
    nobody = {"arrival_rate_per_s": 0.0, "service_time_s": 0.5}
    waits = [
        mm1.waiting_time_s_mean(**nobody),
        mmc.waiting_time_s_mean(servers=3, **nobody),
        md1.waiting_time_tail(time_s=0.0, **nobody),
        mg1.number_in_system_mean(service_time_scv=2.0, **nobody),
    ]
    assert waits == [0.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    "call",
    [
        lambda: littles_law.sojourn_time_s(number_in_system=1.0, throughput_per_s=0.0),
        lambda: littles_law.throughput_per_s(number_in_system=1.0, sojourn_time_s=0.0),
        lambda: littles_law.number_in_system(throughput_per_s=-1.0, sojourn_time_s=1.0),
    ],
)
def test_little_refuses_to_divide_by_nothing(call):
    """Where nothing flows there is no time in the system: an error, never 0."""
    with pytest.raises(DomainError):
        call()
