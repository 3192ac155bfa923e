"""Open networks: traffic by hand, queues in a row, and the exact chain of two nodes with feedback."""

from __future__ import annotations

import numpy as np
import pytest

from lab.errors import DomainError, Unstable
from lab.theory import jackson, mm1, mmc
from lab.theory.jackson import Node


def test_queues_in_a_row_are_passed_one_by_one():
    """A tandem: the times add up, each that of M/M/c at the same rate."""
    found = jackson.solve(
        nodes=[Node(service_time_s=0.05, outside_arrival_rate_per_s=10.0), Node(service_time_s=0.15, servers=2)],
        routing=[[0.0, 1.0], [0.0, 0.0]],
    )
    first = mm1.sojourn_time_s_mean(arrival_rate_per_s=10.0, service_time_s=0.05)
    second = mmc.sojourn_time_s_mean(arrival_rate_per_s=10.0, service_time_s=0.15, servers=2)
    assert found.visit_sojourn_times_s == pytest.approx((first, second))
    assert found.sojourn_time_s_mean == pytest.approx(first + second)
    assert found.utilisations == pytest.approx((0.5, 0.75))


def test_feedback_multiplies_the_visits():
    """Who comes back with probability 3/4 makes four visits on average."""
    found = jackson.solve(nodes=[Node(service_time_s=0.1, outside_arrival_rate_per_s=2.0)], routing=[[0.75]])
    assert found.arrival_rates_per_s == pytest.approx((8.0,))
    assert found.sojourn_time_s_mean == pytest.approx(4 * 0.1 / (1 - 0.8))


def test_the_chain_of_two_nodes_has_the_product_form():
    """Two nodes, the first with two servers, and a way back: the balance equations solved as they stand."""
    most, outside, back = 40, 0.8, 0.3
    size = (most + 1) ** 2
    flow = np.zeros((size, size))
    for a in range(most + 1):
        for b in range(most + 1):
            here = a * (most + 1) + b
            if a < most:
                flow[here, here + most + 1] += outside
            if a > 0 and b < most:
                flow[here, here - (most + 1) + 1] += min(a, 2) / 1.0
            if b > 0:
                flow[here, here - 1] += (1 - back) / 0.4
                if a < most:
                    flow[here, here - 1 + most + 1] += back / 0.4
    balance = (flow - np.diag(flow.sum(axis=1))).T
    balance[0] = 1.0
    steady = np.linalg.solve(balance, np.eye(size)[0]).reshape(most + 1, most + 1)
    found = jackson.solve(
        nodes=[Node(service_time_s=1.0, servers=2, outside_arrival_rate_per_s=outside), Node(service_time_s=0.4)],
        routing=[[0.0, 1.0], [back, 0.0]],
    )
    numbers = (steady.sum(axis=1) @ np.arange(most + 1), steady.sum(axis=0) @ np.arange(most + 1))
    assert numbers == pytest.approx(found.numbers_mean, rel=1e-6)
    assert found.sojourn_time_s_mean == pytest.approx(sum(numbers) / outside, rel=1e-6)


def test_what_comes_in_goes_out():
    """Flow through the exits equals the arrivals from outside, whatever the routing."""
    routing = np.array([[0.1, 0.5, 0.2], [0.3, 0.0, 0.6], [0.25, 0.25, 0.25]])
    rates = jackson.arrival_rates_per_s(outside_arrival_rates_per_s=[1.0, 2.0, 0.5], routing=routing)
    assert float(rates @ (1.0 - routing.sum(axis=1))) == pytest.approx(3.5)


@pytest.mark.parametrize(
    ("outside", "routing", "says"),
    [
        ([1.0], [[1.0]], "never leaves"),
        ([1.0, 0.0, 0.0], [[0.0, 0.5, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]], "routing leads from node 1"),
        ([1.0, 1.0], [[0.5, 0.6], [0.0, 0.0]], r"routing\[0\]"),
        ([1.0, 1.0], [[0.0, 0.0], [-0.1, 0.0]], r"routing\[1\]"),
        ([1.0], [[0.0, 1.0]], "shape"),
        ([-1.0], [[0.0]], "outside_arrival_rates_per_s"),
    ],
)
def test_routings_are_refused(outside, routing, says):
    """Requests for ever on their way, and rows that are no distribution."""
    with pytest.raises(DomainError, match=says):
        jackson.arrival_rates_per_s(outside_arrival_rates_per_s=outside, routing=routing)


def test_one_overloaded_node_is_enough():
    """The network has no steady state if a node has none; without arrivals there is nothing to tell."""
    nodes = [Node(service_time_s=0.1, outside_arrival_rate_per_s=5.0), Node(service_time_s=0.3)]
    with pytest.raises(Unstable, match="grows"):
        jackson.solve(nodes=nodes, routing=[[0.0, 1.0], [0.0, 0.0]])
    with pytest.raises(DomainError, match="no requests"):
        jackson.solve(nodes=[Node(service_time_s=0.1)], routing=[[0.0]])
