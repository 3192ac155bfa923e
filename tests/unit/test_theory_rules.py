"""Rules for sizing: Kingman, Halfin and Whitt, Gunther, and fan-out, each against what is exact."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lab.errors import DomainError, NotEnoughData, Unstable
from lab.theory import erlang, fan_out, kingman, mg1, mmc, staffing, usl
from lab.theory.usl import Scalability

# -- Kingman ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scv", [0.0, 0.5, 1.0, 7.0])
def test_kingman_is_exact_for_poisson_arrivals(scv):
    """It is Pollaczek and Khinchine's formula, and with exponential services M/M/c's."""
    queue = {"arrival_rate_per_s": 8.0, "service_time_s": 0.1}
    found = kingman.waiting_time_s_mean(arrival_scv=1.0, service_time_scv=scv, **queue)
    assert found == pytest.approx(mg1.waiting_time_s_mean(service_time_scv=scv, **queue))
    many = {"arrival_rate_per_s": 35.0, "service_time_s": 0.1, "servers": 4}
    found = kingman.waiting_time_s_mean(arrival_scv=1.0, service_time_scv=1.0, **many)
    assert found == pytest.approx(mmc.waiting_time_s_mean(**many))


def dm1_waiting_time(busy):
    """D/M/1 exactly: a wait of sigma / (1 - sigma) services, sigma the root below 1 of s = exp((s - 1) / rho)."""
    sigma = 0.0
    for _ in range(4000):  # climbs to the root from below
        sigma = math.exp((sigma - 1.0) / busy)
    return sigma / (1.0 - sigma)


@pytest.mark.parametrize(("busy", "within"), [(0.5, 1.1), (0.8, 0.25), (0.95, 0.06), (0.99, 0.02)])
def test_kingman_gets_better_with_the_load(busy, within):
    """Regular arrivals, exponential services: too high, by less and less; and the bound is above the truth."""
    exact = dm1_waiting_time(busy)
    queue = {"arrival_rate_per_s": busy, "arrival_scv": 0.0, "service_time_s": 1.0, "service_time_scv": 1.0}
    found = kingman.waiting_time_s_mean(**queue)
    assert exact < found < exact * (1.0 + within)
    assert exact < kingman.waiting_time_s_mean_max(**queue)


def test_kingmans_bound_is_above_and_near_in_heavy_traffic():
    """For M/M/1 at 99 % the bound is one percent high."""
    queue = {"arrival_rate_per_s": 0.99, "arrival_scv": 1.0, "service_time_s": 1.0, "service_time_scv": 1.0}
    ratio = kingman.waiting_time_s_mean_max(**queue) / kingman.waiting_time_s_mean(**queue)
    assert 1.0 < ratio < 1.015


def test_kingman_refuses():
    """Overload, and variability below none."""
    queue = {"arrival_rate_per_s": 0.9, "arrival_scv": 1.0, "service_time_s": 1.0, "service_time_scv": 1.0}
    with pytest.raises(Unstable, match="grows"):
        kingman.waiting_time_s_mean(**{**queue, "arrival_rate_per_s": 1.0})
    for function in (kingman.waiting_time_s_mean, kingman.waiting_time_s_mean_max):
        for name in ("arrival_scv", "service_time_scv"):
            with pytest.raises(DomainError, match=rf"^{name}"):
                function(**{**queue, name: -0.1})


# -- square-root staffing ---------------------------------------------------------------------------


def test_halfin_and_whitt_is_the_limit_of_erlang_c():
    """A million erlangs with one root to spare; and all wait without any to spare."""
    assert staffing.waiting_probability(beta=0.0) == 1.0
    found = erlang.waiting_probability(offered_load=1e6, servers=1_001_000)
    assert found == pytest.approx(staffing.waiting_probability(beta=1.0), rel=2e-3)
    assert staffing.waiting_probability(beta=50.0) == 0.0


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("offered", [1.0, 7.5, 100.0, 5000.0])
def test_the_rule_is_within_two_servers_of_erlang(offered, share):
    """Also for one erlang, far from the limit that it is derived for."""
    found = staffing.servers(offered_load=offered, waiting_probability_max=share)
    exact = erlang.servers_for_waiting(offered_load=offered, waiting_probability_max=share)
    assert abs(found - exact) <= 2
    assert found > offered


def test_beta_inverts_the_share():
    """There and back; impossible shares are refused."""
    for share in (1e-6, 0.1, 0.999):
        assert staffing.waiting_probability(beta=staffing.beta(waiting_probability_max=share)) == pytest.approx(share)
    with pytest.raises(DomainError, match="waiting_probability_max"):
        staffing.servers(offered_load=3.0, waiting_probability_max=0.0)
    with pytest.raises(DomainError, match="offered_load"):
        staffing.servers(offered_load=1e300, waiting_probability_max=0.5)


# -- the universal scalability law ------------------------------------------------------------------


def test_without_coherency_it_is_amdahl():
    """Speed-up N / (s N + 1 - s), at most 1 / s; without contention either it is linear."""
    law = Scalability(unit_throughput_per_s=1.0, contention=0.05, coherency=0.0)
    for many in (1, 2, 20, 1000):
        assert law.throughput_per_s(concurrency=many) == pytest.approx(1.0 / (0.05 + 0.95 / many))
    assert law.throughput_per_s_max == pytest.approx(20.0)
    assert law.peak_concurrency == math.inf
    linear = Scalability(unit_throughput_per_s=3.0, contention=0.0, coherency=0.0)
    assert linear.throughput_per_s(concurrency=40) == pytest.approx(120.0)
    assert linear.throughput_per_s_max == math.inf


def test_the_peak_is_a_peak():
    """Neighbours on both sides have less; sqrt(0.96 / 0.0006) = 40 by hand."""
    law = Scalability(unit_throughput_per_s=90.0, contention=0.04, coherency=0.0006)
    assert law.peak_concurrency == pytest.approx(40.0)
    assert law.throughput_per_s_max == pytest.approx(law.throughput_per_s(concurrency=40))
    for other in (39.0, 41.0):
        assert law.throughput_per_s(concurrency=other) < law.throughput_per_s_max


def test_a_fit_finds_parameters_through_noise():
    """Points 1 % up and down in turn: the parameters come out within a tenth, and exactly from exact points."""
    law = Scalability(unit_throughput_per_s=120.0, contention=0.08, coherency=0.002)
    levels = np.array([1, 2, 3, 5, 8, 12, 16, 24, 32, 48])
    exact = np.array([law.throughput_per_s(concurrency=n) for n in levels])
    found = usl.fit(concurrencies=levels, throughputs_per_s=exact)
    assert (found.unit_throughput_per_s, found.contention, found.coherency) == pytest.approx((120.0, 0.08, 0.002))
    noisy = usl.fit(concurrencies=levels, throughputs_per_s=exact * (1.0 + 0.01 * (-1.0) ** np.arange(10)))
    assert noisy.contention == pytest.approx(0.08, rel=0.1)
    assert noisy.coherency == pytest.approx(0.002, rel=0.1)


def test_a_fit_of_linear_points_has_no_losses():
    """Better than linear cannot be fitted: the losses stop at 0."""
    found = usl.fit(concurrencies=[1, 2, 4], throughputs_per_s=[10.0, 20.5, 42.0])
    assert (found.contention, found.coherency) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("levels", "flow", "error", "says"),
    [
        ([1, 2, 2], [1.0, 2.0, 2.1], NotEnoughData, "2 different"),
        ([1, 2, 3], [1.0, 2.0], DomainError, "one length"),
        ([1, 2, 3], [1.0, 2.0, 0.0], DomainError, "throughputs_per_s"),
        ([0, 2, 3], [1.0, 2.0, 2.0], DomainError, "concurrencies"),
        ([1, 2, 3], [10.0, 1.8, 1.4], DomainError, "fall from the lowest"),
    ],
)
def test_a_fit_refuses(levels, flow, error, says):
    """Too few levels, values that are none, and what does not scale at all."""
    with pytest.raises(error, match=says):
        usl.fit(concurrencies=levels, throughputs_per_s=flow)


def test_the_law_refuses():
    """Parameters and concurrencies outside their domain."""
    for wrong in ({"unit_throughput_per_s": 0.0}, {"contention": 1.5}, {"coherency": -0.1}):
        with pytest.raises(DomainError, match=next(iter(wrong))):
            Scalability(**{"unit_throughput_per_s": 1.0, "contention": 0.1, "coherency": 0.0, **wrong})
    with pytest.raises(DomainError, match="concurrency"):
        Scalability(unit_throughput_per_s=1.0, contention=0.1, coherency=0.0).throughput_per_s(concurrency=-1.0)


# -- fan-out ----------------------------------------------------------------------------------------


def test_the_tail_at_scale():
    """A hundred servers, each slow once in a hundred: 63 % of requests are slow; 2,000 at 1 in 10,000: 18 %."""
    assert fan_out.slow_probability(branches=100, branch_slow_probability=0.01) == pytest.approx(0.63, abs=5e-3)
    assert fan_out.slow_probability(branches=2000, branch_slow_probability=1e-4) == pytest.approx(0.18, abs=5e-3)
    assert fan_out.slow_probability(branches=3, branch_slow_probability=1.0) == 1.0
    assert fan_out.branch_quantile(branches=1, quantile=0.9) == pytest.approx(0.9)


def test_the_slowest_of_many_has_the_mean_under_its_tail():
    """Harmonic numbers: H(10) = 2.929, and the area under 1 - (1 - e^-t)^10; quantiles invert it."""
    mean = fan_out.exponential_maximum_s_mean(branches=10, branch_time_s=1.0)
    assert mean == pytest.approx(2.9289683, abs=1e-7)
    heights = [1.0 - (1.0 - math.exp(-step / 200)) ** 10 for step in range(8001)]
    assert (math.fsum(heights) - heights[0] / 2) / 200 == pytest.approx(mean, rel=1e-5)
    p99 = fan_out.exponential_maximum_s_quantile(quantile=0.99, branches=10, branch_time_s=1.0)
    assert (1.0 - math.exp(-p99)) ** 10 == pytest.approx(0.99)


def test_fan_out_refuses():
    """No branch, and shares that are none."""
    with pytest.raises(DomainError, match="branches"):
        fan_out.exponential_maximum_s_mean(branches=0, branch_time_s=1.0)
    with pytest.raises(DomainError, match="quantile"):
        fan_out.exponential_maximum_s_quantile(quantile=1.0, branches=2, branch_time_s=1.0)
    with pytest.raises(DomainError, match="branch_slow_probability"):
        fan_out.slow_probability(branches=2, branch_slow_probability=1.2)
