"""Closed networks: a published table, the three algorithms against each other, and their asymptotes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.errors import DomainError, Unsupported
from lab.theory import bottleneck, convolution, machine_repairman, mm1, mmc, mva
from lab.theory.closed_network import Station

unhurried = settings(deadline=None)  # a busy machine is not a wrong answer

JAIN = [Station(demand_s=16 * 0.125), Station(demand_s=10 * 0.3), Station(demand_s=5 * 0.2)]


@pytest.mark.parametrize("solve", [mva.solve, convolution.solve])
@pytest.mark.parametrize(
    ("users", "sojourn_s", "throughput", "numbers"),
    [
        (1, 6.000, 0.100, (0.200, 0.300, 0.100)),
        (2, 7.400, 0.175, (0.421, 0.684, 0.193)),
        (3, 9.088, 0.229, (0.651, 1.158, 0.273)),
        (5, 13.256, 0.290, (1.088, 2.365, 0.388)),
        (17, 47.045, 0.333, (1.974, 13.195, 0.499)),
        (20, 56.016, 0.333, (1.991, 16.177, 0.500)),
    ],
)
def test_a_published_table(solve, users, sojourn_s, throughput, numbers):
    """Table 34.1 of Jain (1991), The Art of Computer Systems Performance Analysis, to its three decimals."""
    found = solve(stations=JAIN, population=users, think_time_s=4.0)
    assert found.sojourn_time_s_mean == pytest.approx(sojourn_s, abs=6e-4)
    assert found.throughput_per_s == pytest.approx(throughput, abs=6e-4)
    assert found.numbers_mean == pytest.approx(numbers, abs=6e-4)


@settings(unhurried, max_examples=30)
@given(
    st.lists(st.tuples(st.floats(0.0, 10.0), st.sampled_from([1, None])), min_size=1, max_size=4),
    st.integers(1, 40),
    st.floats(0.01, 100.0),
)
def test_mean_values_and_convolution_agree(demands, users, think_s):
    """Two algorithms that share no step give the same figures, and Little's law closes the cycle."""
    stations = [Station(demand_s=demand, servers=servers) for demand, servers in demands]
    found = mva.solve(stations=stations, population=users, think_time_s=think_s)
    other = convolution.solve(stations=stations, population=users, think_time_s=think_s)
    assert other.throughput_per_s == pytest.approx(found.throughput_per_s, rel=1e-9)
    assert other.residence_times_s == pytest.approx(found.residence_times_s, rel=1e-8, abs=1e-10)
    thinking = found.throughput_per_s * think_s
    assert math.fsum(found.numbers_mean) + thinking == pytest.approx(users)
    bounds = {"stations": stations, "population": users, "think_time_s": think_s}
    assert found.throughput_per_s <= bottleneck.throughput_per_s_max(**bounds) * (1 + 1e-12)
    assert found.sojourn_time_s_mean >= bottleneck.sojourn_time_s_min(**bounds) * (1 - 1e-12) - 1e-9


@pytest.mark.parametrize(("users", "servers"), [(1, 1), (7, 1), (7, 3), (40, 4), (300, 50), (5, 8)])
def test_convolution_of_one_station_is_the_machine_repairman(users, servers):
    """One station of several servers, with thinking: the birth-death chain says the same, also where MVA cannot."""
    found = convolution.solve(stations=[Station(demand_s=0.4, servers=servers)], population=users, think_time_s=2.0)
    cycle = {"population": users, "think_time_s": 2.0, "service_time_s": 0.4, "servers": servers}
    assert found.throughput_per_s == pytest.approx(machine_repairman.throughput_per_s(**cycle), rel=1e-9)
    assert found.sojourn_time_s_mean == pytest.approx(machine_repairman.sojourn_time_s_mean(**cycle), rel=1e-9)


def test_saturated_servers_do_not_upset_the_convolution():
    """Sixty-four servers, a thousand users: fully busy, where load-dependent MVA is known to break down."""
    found = convolution.solve(stations=[Station(demand_s=1.0, servers=64)], population=1000, think_time_s=1.0)
    assert found.throughput_per_s == pytest.approx(64.0, rel=1e-9)
    assert found.sojourn_time_s_mean == pytest.approx(1000 / 64 - 1.0, rel=1e-9)


def test_the_order_of_stations_does_not_matter():
    """Nor does a delay differ from thinking."""
    stations = [Station(demand_s=1.0), Station(demand_s=2.0, servers=3), Station(demand_s=5.0, servers=None)]
    forward = convolution.solve(stations=stations, population=9)
    backward = convolution.solve(stations=stations[::-1], population=9)
    assert forward.residence_times_s == pytest.approx(backward.residence_times_s[::-1])
    thinking = convolution.solve(stations=stations[:2], population=9, think_time_s=5.0)
    assert thinking.throughput_per_s == pytest.approx(forward.throughput_per_s)
    assert thinking.sojourn_time_s_mean == pytest.approx(forward.sojourn_time_s_mean - 5.0)


# -- the machine repairman --------------------------------------------------------------------------


def test_two_machines_by_hand():
    """Equal times, one repairman: weights 1, 2, 2; he is busy for 4/5 of the time."""
    pair = {"population": 2, "think_time_s": 1.0, "service_time_s": 1.0, "servers": 1}
    assert machine_repairman.number_in_system_probabilities(**pair) == pytest.approx((0.2, 0.4, 0.4))
    assert machine_repairman.utilisation(**pair) == pytest.approx(0.8)
    assert machine_repairman.sojourn_time_s_mean(**pair) == pytest.approx(1.5)


@unhurried
@given(st.integers(1, 60), st.floats(0.1, 50.0), st.integers(1, 12))
def test_repairmans_cycle_closes(users, think_s, servers):
    """Throughput is the population over think and sojourn time; the arrival theorem and Little's law agree."""
    cycle = {"population": users, "think_time_s": think_s, "service_time_s": 1.0, "servers": servers}
    sojourn_s = machine_repairman.sojourn_time_s_mean(**cycle)
    throughput = machine_repairman.throughput_per_s(**cycle)
    assert throughput == pytest.approx(users / (think_s + sojourn_s), rel=1e-9)
    shares = machine_repairman.number_in_system_probabilities(**cycle)
    assert math.fsum(n * share for n, share in enumerate(shares)) == pytest.approx(throughput * sojourn_s, rel=1e-9)


def test_many_rare_users_are_poisson_arrivals():
    """A hundred thousand users who think for long: M/M/1 and M/M/c."""
    for servers, plain in ((1, mm1.sojourn_time_s_mean), (3, None)):
        cycle = {"population": 100_000, "think_time_s": 100_000 / (0.5 * servers), "service_time_s": 1.0}
        found = machine_repairman.sojourn_time_s_mean(servers=servers, **cycle)
        open_s = mmc.sojourn_time_s_mean(arrival_rate_per_s=0.5 * servers, service_time_s=1.0, servers=servers)
        assert found == pytest.approx(open_s, rel=1e-3)
        if plain is not None:
            assert found == pytest.approx(plain(arrival_rate_per_s=0.5, service_time_s=1.0), rel=1e-3)


def test_repairmans_tail_has_its_mean():
    """The area under the tail of the wait is its mean, and quantiles invert it."""
    cycle = {"population": 12, "think_time_s": 4.0, "service_time_s": 1.0, "servers": 2}
    heights = [machine_repairman.waiting_time_tail(time_s=step / 100, **cycle) for step in range(3001)]
    area = (math.fsum(heights) - (heights[0] + heights[-1]) / 2) / 100
    assert area == pytest.approx(machine_repairman.waiting_time_s_mean(**cycle), rel=1e-4)
    p99 = machine_repairman.waiting_time_s_quantile(quantile=0.99, **cycle)
    assert machine_repairman.waiting_time_tail(time_s=p99, **cycle) == pytest.approx(0.01)


# -- bounds and refusals ----------------------------------------------------------------------------


def test_bounds_are_met_at_the_ends():
    """One user meets the first bound, very many the second; they cross at N* = (6 + 4) / 3."""
    network = {"stations": JAIN, "think_time_s": 4.0}
    one = mva.solve(population=1, **network).throughput_per_s
    assert one == pytest.approx(bottleneck.throughput_per_s_max(population=1, **network))
    many = mva.solve(population=200, **network).throughput_per_s
    assert many == pytest.approx(bottleneck.throughput_per_s_max(population=200, **network)) == pytest.approx(1 / 3)
    assert bottleneck.saturation_population(**network) == pytest.approx(10 / 3)
    servers = [Station(demand_s=6.0, servers=4), Station(demand_s=1.0)]
    assert bottleneck.throughput_per_s_max(stations=servers, population=99) == pytest.approx(4 / 6)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: mva.solve(stations=[], population=1), "stations is empty"),
        (lambda: convolution.solve(stations=[Station(demand_s=0.0)], population=1), "takes no time"),
        (lambda: mva.solve(stations=JAIN, population=0), "population"),
        (lambda: Station(demand_s=-1.0), "demand_s"),
        (lambda: Station(demand_s=1.0, servers=0), "servers"),
        (
            lambda: bottleneck.saturation_population(stations=[Station(demand_s=1.0, servers=None)]),
            "saturates it",
        ),
        (
            lambda: machine_repairman.throughput_per_s(population=1, think_time_s=0.0, service_time_s=1.0, servers=1),
            "think_time_s",
        ),
    ],
)
def test_closed_networks_refuse(call, says):
    """Nothing to go to, nothing that takes time, nobody there."""
    with pytest.raises(DomainError, match=says):
        call()


def test_mean_value_analysis_names_who_can():
    """Several servers need more than mean values; the message points to the convolution."""
    with pytest.raises(Unsupported, match=r"stations\[0\] has 2 servers.*convolution"):
        mva.solve(stations=[Station(demand_s=1.0, servers=2)], population=3)
