"""Processor sharing: against M/M/c, a tagged request's equations, and a chain with service in phases."""

from __future__ import annotations

import numpy as np
import pytest

from lab.errors import DomainError, Unstable
from lab.theory import mm1, mmc, processor_sharing


def balanced(rates: np.ndarray) -> np.ndarray:
    """The steady state of a chain, from its rates from each state (row) to each other."""
    generator = rates - np.diag(rates.sum(axis=1))
    system = np.vstack([generator.T, np.ones(len(rates))])
    return np.linalg.lstsq(system, np.append(np.zeros(len(rates)), 1.0), rcond=None)[0]


@pytest.mark.parametrize("busy", [0.1, 0.5, 0.9])
def test_one_core_is_mm1_in_the_mean(busy):
    """Sharing and queueing differ in who waits, not in how many are there."""
    queue = {"arrival_rate_per_s": busy / 0.02, "service_time_s": 0.02}
    assert processor_sharing.sojourn_time_s_mean(**queue) == pytest.approx(mm1.sojourn_time_s_mean(**queue))
    assert processor_sharing.number_in_system_mean(**queue) == pytest.approx(mm1.number_in_system_mean(**queue))
    assert processor_sharing.slowdown_mean(**queue) == pytest.approx(1.0 / (1.0 - busy))


def test_several_cores_are_mmc_in_the_mean():
    """The chain of the number present is the same; many cores stretch nothing."""
    queue = {"arrival_rate_per_s": 3.2, "service_time_s": 1.0}
    found = processor_sharing.sojourn_time_s_mean(cores=4, **queue)
    assert found == mmc.sojourn_time_s_mean(servers=4, **queue)
    assert processor_sharing.slowdown_mean(cores=100, **queue) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("cores", [1, 2])
def test_the_mean_depends_on_no_more_than_the_mean_service(cores):
    """A mix of short and long services (scv 4.56), as a chain of how many of each are there: the same number."""
    shares, means = (0.9, 0.1), (0.5, 5.5)  # mean 1
    busy, most = 0.5, 24
    states = [(a, b) for a in range(most + 1) for b in range(most + 1) if a + b <= most]
    number = {state: index for index, state in enumerate(states)}
    rates = np.zeros((len(states), len(states)))
    for (short, long), index in number.items():
        present = short + long
        speed = min(1.0, cores / present) if present else 0.0
        if present < most:
            rates[index, number[short + 1, long]] += busy * cores * shares[0]
            rates[index, number[short, long + 1]] += busy * cores * shares[1]
        if short:
            rates[index, number[short - 1, long]] += short * speed / means[0]
        if long:
            rates[index, number[short, long - 1]] += long * speed / means[1]
    steady = balanced(rates)
    queue = {"arrival_rate_per_s": busy * cores, "service_time_s": 1.0, "cores": cores}
    total = sum(share * sum(state) for share, state in zip(steady, states, strict=True))
    assert total == pytest.approx(processor_sharing.number_in_system_mean(**queue), rel=1e-4)
    slow = sum(share * state[1] for share, state in zip(steady, states, strict=True))
    given = processor_sharing.sojourn_time_s_mean_given(own_service_time_s=means[1], **queue)
    assert slow / (busy * cores * shares[1]) == pytest.approx(given, rel=1e-4)  # Little's law for the long ones


@pytest.mark.parametrize("busy", [0.2, 0.5, 0.8])
def test_the_variance_is_that_of_a_tagged_request(busy):
    """Mean and second moment of one that finds n others, from the equations of its first step."""
    most = 300
    steps = np.zeros((most, most))
    for others in range(most):
        arrive = busy if others < most - 1 else 0.0
        leave = others / (others + 1)  # some other ends; the tagged one itself with 1 / (others + 1)
        steps[others, others] = arrive + 1.0
        if arrive:
            steps[others, others + 1] = -arrive
        if others:
            steps[others, others - 1] = -leave
    mean = np.linalg.solve(steps, np.ones(most))
    square = np.linalg.solve(steps, 2.0 * mean)
    found = (1.0 - busy) * busy ** np.arange(most)
    scv = (found @ square) / (found @ mean) ** 2 - 1.0
    queue = {"arrival_rate_per_s": busy, "service_time_s": 1.0}
    assert found @ mean == pytest.approx(processor_sharing.sojourn_time_s_mean(**queue), rel=1e-6)
    assert scv == pytest.approx(processor_sharing.sojourn_time_scv_if_exponential(**queue), rel=1e-6)


def test_processor_sharing_refuses():
    """Overload, no core, and a negative service of one's own."""
    with pytest.raises(Unstable, match="grows"):
        processor_sharing.sojourn_time_s_mean(arrival_rate_per_s=4.0, service_time_s=1.0, cores=4)
    with pytest.raises(DomainError, match=r"^cores"):
        processor_sharing.slowdown_mean(arrival_rate_per_s=0.5, service_time_s=1.0, cores=0)
    with pytest.raises(DomainError, match=r"^own_service_time_s"):
        processor_sharing.sojourn_time_s_mean_given(own_service_time_s=-1.0, arrival_rate_per_s=0.5, service_time_s=1.0)
