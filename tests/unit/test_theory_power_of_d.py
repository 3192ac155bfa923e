"""The power of d choices: published figures, its differential equations, and exact chains of a few servers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lab.errors import DomainError, Unstable
from lab.theory import join_shortest, mm1, mmc, power_of_d


@pytest.mark.parametrize(
    ("utilisation", "mean"),
    [(0.5, 1.2657), (0.7, 1.6145), (0.8, 1.9474), (0.9, 2.6141), (0.95, 3.3830), (0.99, 5.4320)],
)
def test_two_choices_as_published(utilisation, mean):
    """The times that the fixed point gives for d = 2, as tabulated by Mitzenmacher."""
    found = power_of_d.sojourn_time_s_mean(utilisation=utilisation, service_time_s=1.0, choices=2)
    assert found == pytest.approx(mean, abs=1.5e-4)


@pytest.mark.parametrize("choices", [1, 2, 3, 5])
def test_the_shares_balance(choices):
    """At the fixed point as many queues grow to k as shrink from it: rho (s[k-1]^d - s[k]^d) = s[k] - s[k+1]."""
    s = [power_of_d.queue_length_tail(number=k, utilisation=0.85, choices=choices) for k in range(12)]
    for k in range(1, 11):
        assert 0.85 * (s[k - 1] ** choices - s[k] ** choices) == pytest.approx(s[k] - s[k + 1], rel=1e-9, abs=1e-15)


def test_little_holds_for_the_fixed_point():
    """The mean number at a server is its arrivals times the time in the system."""
    number = math.fsum(power_of_d.queue_length_tail(number=k, utilisation=0.9, choices=2) for k in range(1, 40))
    sojourn = power_of_d.sojourn_time_s_mean(utilisation=0.9, service_time_s=3.0, choices=2)
    assert number == pytest.approx(0.9 * sojourn / 3.0)


def test_one_choice_is_mm1():
    """Random routing: mean, tail and queue lengths of M/M/1."""
    queue = {"arrival_rate_per_s": 4.0, "service_time_s": 0.2}
    one = {"utilisation": 0.8, "service_time_s": 0.2, "choices": 1}
    assert power_of_d.sojourn_time_s_mean(**one) == pytest.approx(mm1.sojourn_time_s_mean(**queue))
    assert power_of_d.sojourn_time_tail(time_s=1.3, **one) == pytest.approx(mm1.sojourn_time_tail(time_s=1.3, **queue))
    assert power_of_d.queue_length_tail(number=7, utilisation=0.8, choices=1) == pytest.approx(0.8**7)


def test_the_tail_has_its_mean():
    """The area under the tail of the time in the system is its mean."""
    two = {"utilisation": 0.9, "service_time_s": 1.0, "choices": 2}
    heights = [power_of_d.sojourn_time_tail(time_s=step / 50, **two) for step in range(2001)]
    area = (math.fsum(heights) - (heights[0] + heights[-1]) / 2) / 50
    assert area == pytest.approx(power_of_d.sojourn_time_s_mean(**two), rel=1e-4)
    assert heights[0] == pytest.approx(1.0)


def test_the_end_of_the_scale():
    """No arrivals, very many choices, very long queues: no overflow, and no 0 / 0."""
    assert power_of_d.sojourn_time_s_mean(utilisation=0.0, service_time_s=2.0, choices=2) == 2.0
    assert power_of_d.sojourn_time_s_mean(utilisation=0.9, service_time_s=2.0, choices=1000) == pytest.approx(2.0)
    assert power_of_d.queue_length_tail(number=5000, utilisation=0.9, choices=2) == 0.0


# -- a few servers, exactly -------------------------------------------------------------------------


@pytest.mark.parametrize("servers", [1, 2, 3])
def test_a_single_choice_makes_independent_queues(servers):
    """However many servers: each is an M/M/1."""
    found = join_shortest.sojourn_time_s_mean(utilisation=0.5, service_time_s=2.0, servers=servers, choices=1)
    assert found == pytest.approx(4.0, rel=1e-4)


def naive_two_servers(busy, chances):
    """Mean number at two servers; ``chances(a, b)`` is how likely the first is joined. States not in order."""
    most = 25
    size = (most + 1) ** 2
    flow = np.zeros((size, size))
    for a in range(most + 1):
        for b in range(most + 1):
            here = a * (most + 1) + b
            first = chances(a, b)
            if a < most:
                flow[here, here + most + 1] += 2 * busy * first
            if b < most:
                flow[here, here + 1] += 2 * busy * (1 - first)
            if a > 0:
                flow[here, here - most - 1] += 1.0
            if b > 0:
                flow[here, here - 1] += 1.0
    balance = (flow - np.diag(flow.sum(axis=1))).T
    balance[0] = 1.0
    steady = np.linalg.solve(balance, np.eye(size)[0]).reshape(most + 1, most + 1)
    lengths = np.arange(most + 1)
    return float(steady.sum(axis=1) @ lengths + steady.sum(axis=0) @ lengths)


@pytest.mark.parametrize(("replacement", "shorter"), [(False, 1.0), (True, 0.75)])
def test_two_servers_against_a_naive_chain(replacement, shorter):
    """Two draws see both servers, or with replacement one of them twice in half of the cases."""

    def chances(a, b):
        return 0.5 if a == b else shorter if a < b else 1.0 - shorter

    found = join_shortest.sojourn_time_s_mean(
        utilisation=0.6, service_time_s=1.0, servers=2, choices=2, replacement=replacement
    )
    assert found == pytest.approx(naive_two_servers(0.6, chances) / 1.2, rel=1e-4)


def test_the_shortest_queue_lies_between_one_queue_and_chance():
    """Separate queues cost something against a common one, and looking saves against not looking."""
    common = mmc.sojourn_time_s_mean(arrival_rate_per_s=2.4, service_time_s=1.0, servers=3)
    times = [
        join_shortest.sojourn_time_s_mean(
            utilisation=0.8, service_time_s=1.0, servers=3, choices=choices, replacement=False
        )
        for choices in (3, 2)
    ]
    assert common < times[0] < times[1] < 5.0


def test_more_servers_come_nearer_to_the_limit():
    """With d = 2 the gap to the fixed point shrinks about as 1 / n."""
    limit = power_of_d.sojourn_time_s_mean(utilisation=0.5, service_time_s=1.0, choices=2)
    gaps = [
        join_shortest.sojourn_time_s_mean(utilisation=0.5, service_time_s=1.0, servers=servers, choices=2) - limit
        for servers in (2, 4)
    ]
    assert 0.0 < gaps[1] < 0.6 * gaps[0]


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: power_of_d.queue_length_tail(number=-1, utilisation=0.5, choices=2), "number"),
        (lambda: power_of_d.sojourn_time_s_mean(utilisation=0.5, service_time_s=1.0, choices=0), "choices"),
        (lambda: power_of_d.sojourn_time_s_mean(utilisation=-0.5, service_time_s=1.0, choices=2), "utilisation"),
        (lambda: join_shortest.queue_length_tails(utilisation=0.0, servers=2, choices=2), "utilisation"),
        (
            lambda: join_shortest.queue_length_tails(utilisation=0.5, servers=2, choices=3, replacement=False),
            "choices is 3, but without replacement",
        ),
        (lambda: join_shortest.queue_length_tails(utilisation=0.99, servers=3, choices=2), "at a utilisation of 0.99"),
    ],
)
def test_choices_are_refused(call, named):
    """Arguments outside their domain, and chains too long to solve."""
    with pytest.raises(DomainError, match=f"^{named}"):
        call()


def test_no_choice_helps_against_overload():
    """At a utilisation of 1 every queue grows."""
    with pytest.raises(Unstable, match="grows"):
        power_of_d.sojourn_time_s_mean(utilisation=1.0, service_time_s=1.0, choices=2)
    with pytest.raises(Unstable, match="grows"):
        join_shortest.queue_length_tails(utilisation=1.2, servers=2, choices=2)
