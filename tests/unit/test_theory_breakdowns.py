"""M/G/1 with breakdowns against its own chain, its limits, and a server simulated by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lab.errors import DomainError, Unstable
from lab.theory import mg1
from lab.theory.breakdowns import sojourn_time_s_mean

_ONE = {
    **{"arrival_rate_per_s": 40.0, "service_time_s": 0.01, "service_time_scv": 1.0},
    **{"gap_s_mean": 1.0, "pause_s_mean": 0.1, "pause_scv": 1.0},
}


def test_with_exponential_times_it_is_a_chain_of_two_rows() -> None:
    """Up and down by number in the system, balance equations solved, Little's law: the same mean."""
    most, rate, serves, breaks, mends = 400, 40.0, 100.0, 1.0, 10.0
    size = 2 * (most + 1)
    generator = np.zeros((size, size))
    for number in range(most + 1):
        up, down = 2 * number, 2 * number + 1
        generator[up, down], generator[down, up] = breaks, mends
        if number < most:
            generator[up, up + 2] = generator[down, down + 2] = rate
        if number:
            generator[up, up - 2] = serves
    np.fill_diagonal(generator, -generator.sum(axis=1))
    equations = generator.T.copy()
    equations[-1] = 1.0
    there = np.linalg.solve(equations, np.append(np.zeros(size - 1), 1.0))
    expected_s = float(there @ np.repeat(np.arange(most + 1), 2)) / rate
    assert sojourn_time_s_mean(**_ONE) == pytest.approx(expected_s, rel=1e-9)


def test_rare_pauses_leave_the_plain_queue() -> None:
    """Whatever the distribution of service times."""
    rare = sojourn_time_s_mean(**_ONE | {"gap_s_mean": 1e12, "service_time_scv": 3.0})
    plain = mg1.sojourn_time_s_mean(arrival_rate_per_s=40.0, service_time_s=0.01, service_time_scv=3.0)
    assert rare == pytest.approx(plain, rel=1e-9)


def test_many_short_pauses_are_a_slower_server() -> None:
    """A hundredth of each stretch of time, cut small, is 1 % more work."""
    cut = sojourn_time_s_mean(**_ONE | {"gap_s_mean": 1e-7, "pause_s_mean": 1e-9, "pause_scv": 0.0})
    slower = mg1.sojourn_time_s_mean(arrival_rate_per_s=40.0, service_time_s=0.0101, service_time_scv=1.0)
    assert cut == pytest.approx(slower, rel=1e-5)


def test_what_cannot_be_is_refused() -> None:
    """A server that is down for too much of its time, and pauses of no length."""
    with pytest.raises(Unstable):
        sojourn_time_s_mean(**_ONE | {"pause_s_mean": 2.0})
    with pytest.raises(DomainError, match="pause_s_mean"):
        sojourn_time_s_mean(**_ONE | {"pause_s_mean": 0.0})
