"""One server with service of any kind, and with constant service: exact sums, limits and published figures."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.errors import DomainError
from lab.theory import md1, mg1, mm1

unhurried = settings(deadline=None)  # a busy machine is not a wrong answer


@unhurried
@given(st.floats(0.01, 0.99), st.floats(1e-4, 100.0))
def test_pollaczek_khinchine_holds_mm1_and_md1(busy, service_time_s):
    """With scv 1 it is M/M/1, with scv 0 M/D/1, and the latter waits half as long."""
    queue = {"arrival_rate_per_s": busy / service_time_s, "service_time_s": service_time_s}
    exponential = mg1.waiting_time_s_mean(service_time_scv=1.0, **queue)
    assert exponential == pytest.approx(mm1.waiting_time_s_mean(**queue))
    assert md1.waiting_time_s_mean(**queue) == pytest.approx(exponential / 2)
    assert md1.sojourn_time_s_mean(**queue) == pytest.approx(exponential / 2 + service_time_s)
    for name in ("sojourn_time_s_mean", "number_in_system_mean"):
        found = getattr(mg1, name)(service_time_scv=1.0, **queue)
        assert found == pytest.approx(getattr(mm1, name)(**queue))


def test_md1_of_thirty_clients():
    """Thirty clients of 1 s think time and 20 ms constant service, taken as open: 34.3 ms on average."""
    mean_s = md1.sojourn_time_s_mean(arrival_rate_per_s=30 / 1.02, service_time_s=0.02)
    assert mean_s == pytest.approx(0.0343, abs=5e-5)


def test_pollaczek_khinchine_with_rare_long_services():
    """Service of 0.1 ms, but 10 ms once in a thousand, at 80 %: 4.11 ms on average (Brooker, 2023)."""
    mean_ms = 0.999 * 0.1 + 0.001 * 10.0
    second_moment = 2 * (0.999 * 0.1**2 + 0.001 * 10.0**2)
    sojourn = mg1.sojourn_time_s_mean(
        arrival_rate_per_s=0.8 / mean_ms,
        service_time_s=mean_ms,
        service_time_scv=second_moment / mean_ms**2 - 1,
    )
    assert sojourn == pytest.approx(4.11, abs=5e-3)


def test_mg1_numbers_follow_from_times():
    """Little's law again, in the queue."""
    queue = {"arrival_rate_per_s": 7.0, "service_time_s": 0.1, "service_time_scv": 3.0}
    assert mg1.number_in_queue_mean(**queue) == pytest.approx(7.0 * mg1.waiting_time_s_mean(**queue))


def _irwin_hall(count: int, x: Fraction) -> Fraction:
    """P(the sum of ``count`` uniforms on (0, 1) is at most x), exactly."""
    if count == 0:
        return Fraction(1)
    terms = ((-1) ** j * math.comb(count, j) * (x - j) ** count for j in range(min(count, math.floor(x)) + 1))
    return min(sum(terms, Fraction(0)) / math.factorial(count), Fraction(1))


@pytest.mark.parametrize("busy", [0.1, 0.5, 0.7])
@pytest.mark.parametrize(
    "services", [Fraction(0), Fraction(3, 10), Fraction(1), Fraction(5, 2), Fraction(8), Fraction(31, 3)]
)
def test_md1_wait_is_a_geometric_sum_of_residual_services(busy, services):
    """Pollaczek-Khinchine in full: a geometric number of uniform remainders, summed in exact fractions."""
    depth = math.ceil(math.log(1e-14) / math.log(busy))
    within = math.fsum((1 - busy) * busy**k * float(_irwin_hall(k, services)) for k in range(depth + 1))
    found = md1.waiting_time_tail(time_s=float(services) * 0.02, arrival_rate_per_s=busy / 0.02, service_time_s=0.02)
    assert found == pytest.approx(1 - within, abs=1e-12)


@pytest.mark.parametrize("busy", [0.3, 0.8, 0.9])
def test_md1_mean_is_the_area_under_its_tail(busy):
    """The exact distribution and Pollaczek-Khinchine's mean agree."""
    end = md1.waiting_time_s_quantile(quantile=1 - 1e-9, arrival_rate_per_s=busy, service_time_s=1.0)
    steps_per_service = 40
    count = math.ceil(end) * steps_per_service
    heights = [
        md1.waiting_time_tail(time_s=i / steps_per_service, arrival_rate_per_s=busy, service_time_s=1.0)
        for i in range(count + 1)
    ]
    area = (math.fsum(heights) - (heights[0] + heights[-1]) / 2) / steps_per_service
    assert area == pytest.approx(md1.waiting_time_s_mean(arrival_rate_per_s=busy, service_time_s=1.0), rel=1e-4)


@pytest.mark.parametrize("busy", [0.5, 0.8, 0.95, 0.99])
def test_md1_tail_falls_by_its_known_factor(busy):
    """Far out each service time divides the tail by tau, the root above 1 of rho (tau - 1) = ln tau."""
    low, high = 1.0 + 1e-9, 1.0
    while busy * (high - 1) <= math.log(high):
        high += 1.0
    low = max(low, 1 / busy)  # where rho (tau - 1) - ln tau is lowest
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if busy * (middle - 1) < math.log(middle) else (low, middle)
    queue = {"arrival_rate_per_s": busy, "service_time_s": 1.0}
    ratio = md1.waiting_time_tail(time_s=12.0, **queue) / md1.waiting_time_tail(time_s=13.0, **queue)
    assert ratio == pytest.approx(low, rel=1e-6)


@unhurried
@given(st.floats(0.0, 0.97), st.floats(0.0, 200.0), st.floats(0.0, 10.0))
def test_md1_tail_is_a_tail(busy, services, more):
    """It starts at rho, never rises and stays in [0, 1], far beyond where alternating sums break down."""
    queue = {"arrival_rate_per_s": busy, "service_time_s": 1.0}
    assert md1.waiting_time_tail(time_s=0.0, **queue) == pytest.approx(busy, abs=1e-14)
    early = md1.waiting_time_tail(time_s=services, **queue)
    late = md1.waiting_time_tail(time_s=services + more, **queue)
    assert 0.0 <= late <= early + 1e-14 <= 1.0 + 1e-14


@unhurried
@given(st.floats(0.05, 0.97), st.floats(0.01, 0.999))
def test_md1_quantiles_invert_tails(busy, quantile):
    """Of the waits beyond the quantile there is a share of 1 - q, or the quantile is 0."""
    queue = {"arrival_rate_per_s": busy / 0.05, "service_time_s": 0.05}
    wait = md1.waiting_time_s_quantile(quantile=quantile, **queue)
    if wait == 0.0:
        assert busy <= 1 - quantile + 1e-12
    else:
        assert md1.waiting_time_tail(time_s=wait, **queue) == pytest.approx(1 - quantile, rel=1e-9)
    assert md1.sojourn_time_s_quantile(quantile=quantile, **queue) == pytest.approx(wait + 0.05)


def test_md1_refuses_what_it_cannot_sum():
    """At a utilisation of 0.99999 and a very long time the exact sum is out of reach, and says so."""
    with pytest.raises(DomainError, match="too many to sum"):
        md1.waiting_time_tail(time_s=1e6, arrival_rate_per_s=0.99999, service_time_s=1.0)
