"""Priorities: against queues without any, conservation of work, and exact chains of two classes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import spsolve

from lab.errors import DomainError, Unstable
from lab.theory import mg1, mm1, mmc, priority

CLASSES = {"arrival_rates_per_s": [0.2, 0.3, 0.1], "service_times_s": [0.5, 1.0, 3.0], "service_times_scv": [0, 1, 4]}


def chain_numbers(*, rates, means, preempts, most=45):
    """Mean numbers of two exponential classes at one server, from the chain, queues cut at ``most``."""
    # A state: how many of each are there, and whose service runs (0, 1, or None when empty).
    states = [(0, 0, None)]
    states += [(a, b, k) for a in range(most + 1) for b in range(most + 1) for k in (0, 1) if (a, b)[k]]
    if preempts:
        states = [s for s in states if s[2] is None or s[2] == (0 if s[0] else 1)]
    number = {state: index for index, state in enumerate(states)}
    rows, columns, values = [], [], []
    for (a, b, serving), index in number.items():
        moves = []
        for k, rate in enumerate(rates):
            more = (a + 1, b) if k == 0 else (a, b + 1)
            if max(more) <= most:
                now = (0 if more[0] else 1) if preempts or serving is None else serving
                moves.append((rate, (*more, now)))
        if serving is not None:
            left = (a - 1, b) if serving == 0 else (a, b - 1)
            moves.append((1.0 / means[serving], (*left, 0 if left[0] else 1 if left[1] else None)))
        for rate, other in moves:
            rows += [number[other], index]
            columns += [index, index]
            values += [rate, -rate]
    balance = csc_matrix((values, (rows, columns))).tolil()
    balance[0, :] = 1.0
    wanted = np.zeros(len(states))
    wanted[0] = 1.0
    steady = spsolve(balance.tocsc(), wanted)
    return [float(steady @ np.array([state[k] for state in states])) for k in (0, 1)]


def test_cobham_agrees_with_the_chain():
    """Unequal classes at one server, not interrupted: the numbers in the system, by Little's law."""
    rates, means = (0.3, 0.2), (1.0, 1.5)
    waits = priority.non_preemptive_waiting_times_s_mean(
        arrival_rates_per_s=rates, service_times_s=means, service_times_scv=[1, 1]
    )
    numbers = chain_numbers(rates=rates, means=means, preempts=False)
    for rate, mean, wait, number in zip(rates, means, waits, numbers, strict=True):
        assert number / rate == pytest.approx(wait + mean, rel=1e-6)


def test_preemption_agrees_with_the_chain():
    """The same classes, the more urgent one interrupting the other."""
    rates, means = (0.3, 0.2), (1.0, 1.5)
    sojourns = priority.preemptive_resume_sojourn_times_s_mean(
        arrival_rates_per_s=rates, service_times_s=means, service_times_scv=[1, 1]
    )
    numbers = chain_numbers(rates=rates, means=means, preempts=True)
    assert [number / rate for number, rate in zip(numbers, rates, strict=True)] == pytest.approx(sojourns, rel=1e-6)


def test_one_class_has_nobody_to_yield_to():
    """It waits as without priorities, preempting or not, at one server or several."""
    one = {"arrival_rates_per_s": [0.4], "service_times_s": [1.5], "service_times_scv": [2.0]}
    plain = {"arrival_rate_per_s": 0.4, "service_time_s": 1.5, "service_time_scv": 2.0}
    assert priority.non_preemptive_waiting_times_s_mean(**one) == pytest.approx((mg1.waiting_time_s_mean(**plain),))
    assert priority.preemptive_resume_sojourn_times_s_mean(**one) == pytest.approx((mg1.sojourn_time_s_mean(**plain),))
    found = priority.non_preemptive_mmc_waiting_times_s_mean(arrival_rates_per_s=[3.0], service_time_s=1.0, servers=4)
    assert found == pytest.approx((mmc.waiting_time_s_mean(arrival_rate_per_s=3.0, service_time_s=1.0, servers=4),))


def test_work_is_conserved():
    """Whoever goes first, the sum of utilisation times wait is as without priorities (Kleinrock)."""
    rates, means, scvs = CLASSES.values()
    waits = priority.non_preemptive_waiting_times_s_mean(**CLASSES)
    rest = math.fsum(r * m * m * (1 + c) / 2 for r, m, c in zip(rates, means, scvs, strict=True))
    busy = math.fsum(r * m for r, m in zip(rates, means, strict=True))
    kept = math.fsum(r * m * w for r, m, w in zip(rates, means, waits, strict=True))
    assert kept == pytest.approx(busy * rest / (1 - busy))
    assert waits[0] < waits[1] < waits[2]


def test_the_most_urgent_preempts_as_if_alone():
    """Its time is M/M/1's without the others; and classes alike in number and mean share M/M/1's number."""
    queue = {"arrival_rates_per_s": [0.4, 0.4], "service_times_s": [1.0, 1.0], "service_times_scv": [1.0, 1.0]}
    sojourns = priority.preemptive_resume_sojourn_times_s_mean(**queue)
    assert sojourns[0] == pytest.approx(mm1.sojourn_time_s_mean(arrival_rate_per_s=0.4, service_time_s=1.0))
    number = 0.4 * sum(sojourns)
    assert number == pytest.approx(mm1.number_in_system_mean(arrival_rate_per_s=0.8, service_time_s=1.0))


def test_one_of_several_servers_is_the_single_server():
    """With c = 1 and equal exponential services the two formulas of Cobham are one."""
    found = priority.non_preemptive_mmc_waiting_times_s_mean(
        arrival_rates_per_s=[0.2, 0.3, 0.4], service_time_s=1.0, servers=1
    )
    assert found == pytest.approx(
        priority.non_preemptive_waiting_times_s_mean(
            arrival_rates_per_s=[0.2, 0.3, 0.4], service_times_s=[1.0] * 3, service_times_scv=[1.0] * 3
        )
    )


def test_several_servers_wait_as_one_queue_on_average():
    """Weighted by their rates, the waits are M/M/c's."""
    rates = [1.0, 0.5, 1.5]
    waits = priority.non_preemptive_mmc_waiting_times_s_mean(arrival_rates_per_s=rates, service_time_s=1.0, servers=4)
    mean = math.fsum(r * w for r, w in zip(rates, waits, strict=True)) / 3.0
    assert mean == pytest.approx(mmc.waiting_time_s_mean(arrival_rate_per_s=3.0, service_time_s=1.0, servers=4))


def test_priorities_refuse():
    """Overload of the least urgent, no class, and lists of different lengths."""
    with pytest.raises(Unstable, match="least urgent grows"):
        priority.non_preemptive_waiting_times_s_mean(**{**CLASSES, "arrival_rates_per_s": [0.2, 0.6, 0.1]})
    with pytest.raises(DomainError, match="at least one"):
        priority.non_preemptive_mmc_waiting_times_s_mean(arrival_rates_per_s=[], service_time_s=1.0, servers=1)
    with pytest.raises(DomainError, match="give as many"):
        priority.preemptive_resume_sojourn_times_s_mean(**{**CLASSES, "service_times_s": [1.0]})
    with pytest.raises(DomainError, match=r"^service_times_scv"):
        priority.non_preemptive_waiting_times_s_mean(**{**CLASSES, "service_times_scv": [1, 1, -1]})
