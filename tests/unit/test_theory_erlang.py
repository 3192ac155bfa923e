"""Erlang's formulas: published tables, their definitions, and the fewest servers that keep a promise."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.errors import DomainError, Unstable
from lab.theory import erlang, mmc

unhurried = settings(deadline=None)  # a busy machine is not a wrong answer


@pytest.mark.parametrize(
    ("servers", "offered"),
    [(2, 0.1526), (5, 1.361), (10, 4.461), (15, 8.108), (20, 12.03), (50, 37.90), (100, 84.06)],
)
def test_erlang_b_is_the_tables_column_of_1_percent(servers, offered):
    """The traffic that so many lines carry with 1 % blocked, to the four digits printed."""
    assert erlang.blocking_probability(offered_load=offered, servers=servers) == pytest.approx(0.01, rel=2e-3)


@unhurried
@given(st.floats(0.1, 40.0), st.integers(1, 40))
def test_erlang_b_is_its_definition(offered, servers):
    """The recursion equals a^c/c! over the sum of a^k/k!."""
    terms = [offered**k / math.factorial(k) for k in range(servers + 1)]
    expected = terms[-1] / math.fsum(terms)
    assert erlang.blocking_probability(offered_load=offered, servers=servers) == pytest.approx(expected, rel=1e-10)


def test_erlang_b_neither_overflows_nor_vanishes():
    """Ten thousand servers, where powers and factorials would overflow."""
    assert 0.0 < erlang.blocking_probability(offered_load=10_000.0, servers=10_000) < 0.01


def test_erlang_c_call_centre():
    """360 calls in half an hour of 4 minutes each, 55 agents: a worked example that circulates widely."""
    centre = {"arrival_rate_per_s": 360 / 1800, "service_time_s": 240.0, "servers": 55}
    assert mmc.waiting_probability(**centre) == pytest.approx(0.239, abs=5e-4)
    assert mmc.waiting_time_s_mean(**centre) == pytest.approx(8.2, abs=0.05)
    assert 1.0 - mmc.waiting_time_tail(time_s=15.0, **centre) == pytest.approx(0.846, abs=5e-4)


@unhurried
@given(st.floats(0.01, 0.99), st.integers(1, 60))
def test_erlang_c_is_above_erlang_b_and_below_one(busy, servers):
    """Those who wait are more than those who would be lost: they keep the system full."""
    offered = busy * servers
    waits = erlang.waiting_probability(offered_load=offered, servers=servers)
    assert erlang.blocking_probability(offered_load=offered, servers=servers) < waits < 1.0


def test_two_servers_have_a_closed_form():
    """For c = 2 Erlang C is 2 rho^2 / (1 + rho)."""
    for busy in (0.1, 0.5, 0.8, 0.95):
        expected = 2 * busy**2 / (1 + busy)
        assert erlang.waiting_probability(offered_load=2 * busy, servers=2) == pytest.approx(expected)


@pytest.mark.parametrize(("offered", "servers", "blocked"), [(5.0, 10, 0.0184), (2.0, 3, 4 / 19), (1.0, 1, 0.5)])
def test_erlang_b_by_hand(offered, servers, blocked):
    """The textbook's 5 erlangs on 10 lines, and two cases that are fractions."""
    assert erlang.blocking_probability(offered_load=offered, servers=servers) == pytest.approx(blocked, abs=5e-5)


@unhurried
@given(st.floats(0.0, 80.0), st.floats(1e-6, 0.9))
def test_the_servers_found_are_the_fewest(offered, most):
    """With as many the promise is kept, with one fewer it is broken or the queue has no steady state."""
    servers = erlang.servers_for_blocking(offered_load=offered, blocking_probability_max=most)
    assert erlang.blocking_probability(offered_load=offered, servers=servers) <= most
    if servers > 1:
        assert erlang.blocking_probability(offered_load=offered, servers=servers - 1) > most
    servers = erlang.servers_for_waiting(offered_load=offered, waiting_probability_max=most)
    assert erlang.waiting_probability(offered_load=offered, servers=servers) <= most
    if servers > 1 and offered < servers - 1:
        assert erlang.waiting_probability(offered_load=offered, servers=servers - 1) > most


def test_nothing_offered_needs_one_server():
    """Without arrivals nobody is blocked or waits, and the least is one server."""
    assert erlang.blocking_probability(offered_load=0.0, servers=1) == 0.0
    assert erlang.waiting_probability(offered_load=0.0, servers=3) == 0.0
    assert erlang.servers_for_waiting(offered_load=0.0, waiting_probability_max=0.5) == 1


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: erlang.blocking_probability(offered_load=-1.0, servers=2), "offered_load"),
        (lambda: erlang.waiting_probability(offered_load=math.nan, servers=2), "offered_load"),
        (lambda: erlang.waiting_probability(offered_load=1.0, servers=0), "servers"),
        (lambda: erlang.servers_for_blocking(offered_load=1.0, blocking_probability_max=0.0), "blocking_probability"),
        (lambda: erlang.servers_for_waiting(offered_load=1.0, waiting_probability_max=1.0), "waiting_probability"),
        (lambda: erlang.servers_for_waiting(offered_load=1e9, waiting_probability_max=0.1), "offered_load"),
    ],
)
def test_erlang_refuses(call, named):
    """The message starts with the argument's name."""
    with pytest.raises(DomainError, match=f"^{named}"):
        call()


def test_erlang_c_has_no_answer_in_overload():
    """Two erlangs keep two servers busy for ever, and the queue grows."""
    with pytest.raises(Unstable, match="grows"):
        erlang.waiting_probability(offered_load=2.0, servers=2)
