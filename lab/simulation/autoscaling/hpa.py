"""How many replicas the metrics ask for: the first half of Kubernetes' HorizontalPodAutoscaler v2, as pure functions.

The second half, how quickly the number may change, is in :mod:`lab.simulation.autoscaling.behaviour`.

Source: kubernetes, pkg/controller/podautoscaler (replica_calculator.go, horizontal.go) and its documentation page
"Horizontal Pod Autoscaling".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_NOISE = 1e-6  # of a whole unit: what arithmetic with floats may leave of a whole number


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a metric should be per replica, and what the autoscaler makes of readings.

    Attributes:
        value: the mean that is wanted per replica, in the unit of the readings.
        tolerance: no change while the ratio of readings to target is within 1 +- this (Kubernetes: 0.1).
        missing: what a replica without readings counts as when the others ask for fewer: for the CPU all of its
            request (1, or the target if that is more), for any other metric exactly the target.
        step: means are rounded down to whole multiples of this, as Kubernetes computes with integers: whole percents
            of the CPU, thousandths of everything else.
    """

    value: float
    tolerance: float
    missing: float
    step: float


def cpu_target(value: float, *, tolerance: float = 0.1) -> Target:
    """Return the target of a ``Resource`` metric: the CPU as a share of what each replica asked for."""
    return Target(value=value, tolerance=tolerance, missing=max(1.0, value), step=0.01)


def pods_target(value: float, *, tolerance: float = 0.1) -> Target:
    """Return the target of a ``Pods`` metric: a number that each replica reports."""
    return Target(value=value, tolerance=tolerance, missing=value, step=0.001)


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """What one metric shows at one time.

    Attributes:
        values: of the replicas whose reading counts.
        unready: how many are left out because they are not ready (yet).
        missing: how many should have a reading and have none.
    """

    values: tuple[float, ...]
    unready: int = 0
    missing: int = 0


def usage_ratio(values: Sequence[float], target: Target) -> float:
    """Return the mean reading over the target.

    >>> usage_ratio([0.3, 0.5, 0.7], cpu_target(0.3))  # 50 % against 30 %
    1.6666666666666667
    """
    whole = math.floor(sum(values) / len(values) / target.step + _NOISE)
    return whole / (target.value / target.step)


def wanted_replicas(current: int, readings: Readings, target: Target) -> int | None:
    """Return the number of replicas that one metric asks for; None if no reading counts.

    Twice the target asks for twice the replicas, half of it for half:

    >>> wanted_replicas(1, Readings(values=(0.2,)), pods_target(0.1))
    2
    >>> wanted_replicas(2, Readings(values=(0.05, 0.05)), pods_target(0.1))
    1

    A replica that is not ready counts as idle where more are asked for, and not at all where fewer are; one without
    readings counts as idle where more are asked for, as busy where fewer are. If that turns the direction round,
    nothing changes.

    >>> wanted_replicas(3, Readings(values=(0.5, 0.7), unready=1), cpu_target(0.3))  # 120 % on three is 40 %
    4
    """
    if not readings.values:
        return None
    ratio = usage_ratio(readings.values, target)
    counting_unready = readings.unready > 0 and ratio > 1
    if not counting_unready and not readings.missing:
        return current if _within(ratio, target) else math.ceil(ratio * len(readings.values))
    values = list(readings.values)
    if ratio < 1:
        values += [target.missing] * readings.missing
    elif ratio > 1:
        values += [0.0] * readings.missing
    if counting_unready:
        values += [0.0] * readings.unready
    again = usage_ratio(values, target)
    if _within(again, target) or (ratio < 1 < again) or (again < 1 < ratio):
        return current
    wanted = math.ceil(again * len(values))
    turned = (again < 1 and wanted > current) or (again > 1 and wanted < current)
    return current if turned else wanted


def wanted_for_total(current: int, total: float, target: Target) -> int:
    """Return the number of replicas that share ``total`` so that each has its target (an ``AverageValue``).

    >>> wanted_for_total(2, 25, pods_target(10))
    3
    >>> wanted_for_total(2, 21, pods_target(10))  # 5 % above the target is within the tolerance
    2
    """
    if current and _within(total / (target.value * current), target):
        return current
    return math.ceil(total / target.value)


def largest(wanted: Iterable[int | None], *, current: int) -> int | None:
    """Return what several metrics ask for together: the largest number; None if they allow no decision.

    While one of them has no reading, the others may add replicas but not remove any.

    >>> largest([3, 5, 2], current=4), largest([3, None], current=4), largest([6, None], current=4)
    (5, None, 6)
    """
    every = list(wanted)
    known = [number for number in every if number is not None]
    if not known or (len(known) < len(every) and max(known) < current):
        return None
    return max(known)


def _within(ratio: float, target: Target) -> bool:
    return 1 - target.tolerance <= ratio <= 1 + target.tolerance
