"""Draws bursts: when a modulated rate changes, and who is brought along by whom."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from lab.randomness import Stream, child_visit
from lab.scenario.bursts import HawkesRate, ModulatedRate

Points = list[tuple[float, float]]

_SETTLED = 30  # e-folds of the time in which what was before fades


def modulated_points(rate: ModulatedRate, duration_s: float, stream: Stream) -> Points:
    """Return one drawn course of a modulated rate, as corner points up to ``duration_s`` or beyond.

    The phase at the start and the length of phase number k are addressed draws, so that a longer run goes on where
    a shorter one ends, and other rates or lengths see the same luck.
    """
    ends = list(accumulate(phase.mean for phase in rate.phases))
    uniform = stream.uniform(0, 1)
    now = min(bisect_right(ends, uniform * ends[-1]), len(ends) - 1)
    points: Points = []
    start_s, number = 0.0, 0
    while start_s < duration_s:
        phase = rate.phases[(now + number) % len(rate.phases)]
        end_s = start_s - phase.mean * math.log1p(-stream.uniform(number))
        points += [(start_s, phase.rate), (end_s, phase.rate)]
        start_s, number = end_s, number + 1
    return points


def hawkes_arrivals(rate: HawkesRate, duration_s: float, stream: Stream) -> NDArray[np.float64]:
    """Return the arrivals of one drawn course before ``duration_s``, in order, shape (n,).

    Drawn as families: who was brought by nobody, then whom each of them brings. Each arrival has a name of its own
    (whose child, and which one), at which its draws are addressed. It begins before 0, early enough that what came
    earlier still has almost no descendants left.
    """
    before_s = _SETTLED * rate.delay / (1 - rate.brought)
    if rate.base == 0:
        return np.empty(0)
    family: deque[tuple[float, int]] = deque()
    time_s, number = -before_s, 0
    while True:
        time_s -= math.log1p(-stream.uniform(number)) / rate.base
        if time_s >= duration_s:
            break
        family.append((time_s, child_visit(0, 1 + number)))  # below number 0 lies what it is itself
        number += 1
    found: list[float] = []
    while family:
        time_s, name = family.popleft()
        if time_s >= 0:
            found.append(time_s)
        for child in range(_poisson(rate.brought, stream.uniform(0, 1, name))):
            later_s = time_s - rate.delay * math.log1p(-stream.uniform(child, 2, name))
            if later_s < duration_s:
                family.append((later_s, child_visit(name, 1 + child)))
    return np.sort(np.array(found, dtype=np.float64))


def _poisson(mean: float, uniform: float) -> int:
    """Return the Poisson number at this quantile; means here are below 1, so counting up is quick."""
    number, probability = 0, math.exp(-mean)
    reached = probability
    while uniform > reached and probability > 0:
        number += 1
        probability *= mean / number
        reached += probability
    return number
