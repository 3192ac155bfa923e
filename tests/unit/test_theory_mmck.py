"""M/M/c/K against its own Markov chain, its limits, and Little's law."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lab.theory import erlang, littles_law, mm1, mmc, mmck

unhurried = settings(deadline=None)  # a busy machine is not a wrong answer

systems = st.builds(
    lambda busy, service_time_s, servers, room: {
        "arrival_rate_per_s": busy * servers / service_time_s,
        "service_time_s": service_time_s,
        "servers": servers,
        "capacity": servers + room,
    },
    busy=st.floats(0.01, 5.0),
    service_time_s=st.floats(1e-3, 10.0),
    servers=st.integers(1, 12),
    room=st.integers(0, 15),
)


@unhurried
@given(systems)
def test_probabilities_solve_the_markov_chain(system):
    """Solving the balance equations of the chain by linear algebra gives the same shares of time."""
    size = system["capacity"] + 1
    generator = np.zeros((size, size))
    for n in range(size - 1):
        generator[n, n + 1] = system["arrival_rate_per_s"]
        generator[n + 1, n] = min(n + 1, system["servers"]) / system["service_time_s"]
    generator -= np.diag(generator.sum(axis=1))
    scaled = generator * system["service_time_s"]
    balance = np.vstack([scaled.T, np.ones(size)])
    solved = np.linalg.lstsq(balance, np.append(np.zeros(size), 1.0), rcond=None)[0]
    assert mmck.number_in_system_probabilities(**system) == pytest.approx(solved, abs=1e-9)


@unhurried
@given(st.floats(0.05, 3.0), st.integers(1, 20))
def test_one_server_has_a_closed_form(busy, capacity):
    """M/M/1/K blocks (1 - rho) rho^K / (1 - rho^(K+1))."""
    found = mmck.blocking_probability(arrival_rate_per_s=busy, service_time_s=1.0, servers=1, capacity=capacity)
    expected = busy**capacity / math.fsum(busy**n for n in range(capacity + 1))
    assert found == pytest.approx(expected)


@unhurried
@given(st.floats(0.1, 30.0), st.integers(1, 30))
def test_without_a_queue_it_is_erlang_b(offered, servers):
    """K = c is the loss system."""
    found = mmck.blocking_probability(arrival_rate_per_s=offered, service_time_s=1.0, servers=servers, capacity=servers)
    assert found == pytest.approx(erlang.blocking_probability(offered_load=offered, servers=servers))


@pytest.mark.parametrize(("busy", "servers"), [(0.3, 1), (0.8, 1), (0.8, 4), (0.95, 16)])
def test_with_endless_room_it_is_mmc(busy, servers):
    """As K grows, nobody is turned away and the waits become M/M/c's."""
    queue = {"arrival_rate_per_s": busy * servers / 0.02, "service_time_s": 0.02, "servers": servers}
    roomy = {**queue, "capacity": 2000}
    assert mmck.blocking_probability(**roomy) < 1e-30
    for name in (
        "waiting_time_s_mean",
        "sojourn_time_s_mean",
        "number_in_system_mean",
        "number_in_queue_mean",
    ):
        assert getattr(mmck, name)(**roomy) == pytest.approx(getattr(mmc, name)(**queue))
    for time_s in (0.0, 0.01, 0.2):
        expected = mmc.waiting_time_tail(time_s=time_s, **queue)
        assert mmck.waiting_time_tail(time_s=time_s, **roomy) == pytest.approx(expected, rel=1e-9)
    p99 = mmck.waiting_time_s_quantile(quantile=0.99, **roomy)
    assert p99 == pytest.approx(mmc.waiting_time_s_quantile(quantile=0.99, **queue), abs=1e-12)


@unhurried
@given(systems)
def test_flows_balance_and_little_holds(system):
    """What is admitted is served; numbers are that flow times the times of the admitted."""
    flow = mmck.throughput_per_s(**system)
    blocked = mmck.blocking_probability(**system)
    assert flow == pytest.approx(system["arrival_rate_per_s"] * (1 - blocked), rel=1e-9)
    assert flow <= min(system["arrival_rate_per_s"], system["servers"] / system["service_time_s"]) * (1 + 1e-12)
    assert littles_law.number_in_system(
        throughput_per_s=flow, sojourn_time_s=mmck.sojourn_time_s_mean(**system)
    ) == pytest.approx(mmck.number_in_system_mean(**system))
    assert littles_law.number_in_system(
        throughput_per_s=flow, sojourn_time_s=mmck.waiting_time_s_mean(**system)
    ) == pytest.approx(mmck.number_in_queue_mean(**system), abs=1e-12)
    assert 0.0 < mmck.utilisation(**system) < 1.0 + 1e-12


@unhurried
@given(systems, st.floats(0.0, 30.0))
def test_wait_of_the_admitted_is_a_mix_of_erlangs(system, services):
    """Who finds n >= c waits for n - c + 1 departures: SciPy's gamma distribution, weighted by the chain."""
    shares = mmck.number_in_system_probabilities(**system)
    servers, capacity = system["servers"], system["capacity"]
    time_s = services * system["service_time_s"] / servers
    admitted = math.fsum(shares[:-1])
    expected = math.fsum(
        shares[n] / admitted * stats.gamma.sf(services, n - servers + 1) for n in range(servers, capacity)
    )
    assert mmck.waiting_time_tail(time_s=time_s, **system) == pytest.approx(expected, rel=1e-8, abs=1e-13)


@unhurried
@given(systems, st.floats(0.01, 0.99))
def test_waiting_quantiles_invert_tails(system, quantile):
    """Of the admitted a share of 1 - q waits longer, or the quantile is 0."""
    wait = mmck.waiting_time_s_quantile(quantile=quantile, **system)
    tail = mmck.waiting_time_tail(time_s=wait, **system)
    assert tail <= (1 - quantile) * (1 + 1e-9)
    assert wait == 0.0 or tail == pytest.approx(1 - quantile, rel=1e-6)


def test_deep_overload_is_computed_not_overflowed():
    """A thousand times too much: the servers are full, and the admitted find all other places taken."""
    system = {"arrival_rate_per_s": 64_000.0, "service_time_s": 1.0, "servers": 64, "capacity": 1064}
    assert mmck.throughput_per_s(**system) == pytest.approx(64.0)
    assert mmck.utilisation(**system) == pytest.approx(1.0)
    assert mmck.waiting_time_s_mean(**system) == pytest.approx(1000 / 64, rel=1e-3)
    assert mmck.waiting_time_tail(time_s=1000.0, **system) < 1e-300


def test_nothing_arrives():
    """Without arrivals the system is empty, and nobody who came would wait."""
    system = {"arrival_rate_per_s": 0.0, "service_time_s": 1.0, "servers": 2, "capacity": 4}
    assert mmck.number_in_system_probabilities(**system) == (1.0, 0.0, 0.0, 0.0, 0.0)
    assert (mmck.throughput_per_s(**system), mmck.waiting_time_s_mean(**system)) == (0.0, 0.0)


def test_mm1_limit_from_below():
    """More room: more are kept waiting, towards M/M/1's mean and never beyond it."""
    queue = {"arrival_rate_per_s": 0.8, "service_time_s": 1.0}
    means = [mmck.waiting_time_s_mean(servers=1, capacity=k, **queue) for k in (1, 2, 5, 20, 80)]
    assert means == sorted(means)
    assert means[0] == 0.0
    assert means[-1] < mm1.waiting_time_s_mean(**queue)
