"""Priorities: Poisson classes that share a server, the most urgent first, in order of arrival within each.

Without preemption a service that has begun is ended first (so the least urgent delay the most urgent, by
what is left of one service); with preemption it is interrupted and resumed where it was. Classes are given
from the most to the least urgent. A class sees nothing of those below it but, without preemption, that rest;
so where only the lower classes are in overload, ask for the upper ones alone if they preempt.

Source: Cobham (1954), "Priority assignment in waiting line problems", Operations Research 2, 70-76;
Kleinrock (1976), Queueing Systems II, chapter 3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise

from lab.errors import DomainError, Unstable
from lab.theory import domain, erlang


def non_preemptive_waiting_times_s_mean(
    *, arrival_rates_per_s: Sequence[float], service_times_s: Sequence[float], service_times_scv: Sequence[float]
) -> tuple[float, ...]:
    """Return the mean wait of each class at one server, services not interrupted (M/G/1, Cobham).

    Args:
        arrival_rates_per_s: of each class, the most urgent first, 0 or above.
        service_times_s: mean of each class, above 0.
        service_times_scv: squared coefficient of variation of each (0 constant, 1 exponential), 0 or above.

    Raises:
        Unstable: the classes together have a utilisation of 1 or more.
        DomainError: no class, or not as many of one argument as of another.

    >>> queue = {"arrival_rates_per_s": [0.4, 0.4], "service_times_s": [1.0, 1.0], "service_times_scv": [1.0, 1.0]}
    >>> [round(wait, 4) for wait in non_preemptive_waiting_times_s_mean(**queue)]
    [1.3333, 6.6667]
    """
    classes = _classes(arrival_rates_per_s, service_times_s, service_times_scv)
    rest = math.fsum(rate * _second_moment(mean, scv) for rate, mean, scv in classes) / 2.0
    free = _free_of(classes)
    return tuple(rest / (before * after) for before, after in pairwise(free))


def preemptive_resume_sojourn_times_s_mean(
    *, arrival_rates_per_s: Sequence[float], service_times_s: Sequence[float], service_times_scv: Sequence[float]
) -> tuple[float, ...]:
    """Return the mean time in the system of each class at one server that drops all for a more urgent one.

    What was done of an interrupted service is not lost. Arguments and errors as in
    ``non_preemptive_waiting_times_s_mean``.

    >>> queue = {"arrival_rates_per_s": [0.4, 0.4], "service_times_s": [1.0, 1.0], "service_times_scv": [1.0, 1.0]}
    >>> [round(sojourn, 4) for sojourn in preemptive_resume_sojourn_times_s_mean(**queue)]
    [1.6667, 8.3333]
    """
    classes = _classes(arrival_rates_per_s, service_times_s, service_times_scv)
    rests = accumulate(rate * _second_moment(mean, scv) / 2.0 for rate, mean, scv in classes)
    free = _free_of(classes)
    return tuple(
        mean / before + rest / (before * after)
        for (_, mean, _), rest, (before, after) in zip(classes, rests, pairwise(free), strict=True)
    )


def non_preemptive_mmc_waiting_times_s_mean(
    *, arrival_rates_per_s: Sequence[float], service_time_s: float, servers: int
) -> tuple[float, ...]:
    """Return the mean wait of each class at several servers, exponential services of one mean, not interrupted.

    Args:
        arrival_rates_per_s: of each class, the most urgent first, 0 or above.
        service_time_s: mean, of every class, above 0.
        servers: at least one.

    Raises:
        Unstable: the classes together have a utilisation of 1 or more.
        DomainError: no class.

    >>> waits = non_preemptive_mmc_waiting_times_s_mean(
    ...     arrival_rates_per_s=[0.8, 0.8], service_time_s=1.0, servers=2
    ... )
    >>> [round(wait, 4) for wait in waits]
    [0.5926, 2.963]
    """
    serving = domain.whole(servers, name="servers", at_least=1)
    mean = domain.positive(service_time_s, name="service_time_s")
    count = len(arrival_rates_per_s)
    classes = _classes(arrival_rates_per_s, [mean / serving] * count, [1.0] * count)
    free = _free_of(classes)
    offered = math.fsum(rate for rate, _, _ in classes) * mean
    until_free = erlang.waiting_probability(offered_load=offered, servers=serving) * mean / serving
    return tuple(until_free / (before * after) for before, after in pairwise(free))


def _classes(
    arrival_rates_per_s: Sequence[float], service_times_s: Sequence[float], service_times_scv: Sequence[float]
) -> list[tuple[float, float, float]]:
    """Return rate, mean and scv of each class, checked."""
    counts = {len(arrival_rates_per_s), len(service_times_s), len(service_times_scv)}
    if len(counts) > 1 or counts == {0}:
        raise DomainError(
            f"{len(arrival_rates_per_s)} arrival rates, {len(service_times_s)} service times and "
            f"{len(service_times_scv)} scvs are given, but each class has one of each, and there is at least one; "
            "give as many"
        )
    return [
        (
            domain.non_negative(rate, name="arrival_rates_per_s"),
            domain.positive(mean, name="service_times_s"),
            domain.non_negative(scv, name="service_times_scv"),
        )
        for rate, mean, scv in zip(arrival_rates_per_s, service_times_s, service_times_scv, strict=True)
    ]


def _second_moment(mean: float, scv: float) -> float:
    return mean * mean * (1.0 + scv)


def _free_of(classes: Sequence[tuple[float, float, float]]) -> list[float]:
    """Return the share of time that is free of no class (1), of the first, of the first two, and so on."""
    busy = [math.fsum(rate * mean for rate, mean, _ in classes[:count]) for count in range(len(classes) + 1)]
    if busy[-1] >= 1.0:
        raise Unstable(
            f"the {len(classes)} classes ask for {busy[-1]:g} of the server's time: the queue of the least urgent "
            "grows without bound, so it has no mean; lower an arrival rate or a service time"
        )
    return [1.0 - ratio for ratio in busy]
