"""How many replicas the metrics ask for, as Kubernetes' HorizontalPodAutoscaler v2 reckons it.

Source: kubernetes, pkg/controller/podautoscaler/replica_calculator.go and horizontal.go. Written anew: the simulator
has its own, and a test holds them against each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from reference_backend.scaling.spec import Metric, MetricTarget

_ROUNDING = 1e-6  # of a step: what arithmetic with floats may leave of a whole number


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """What one metric shows: the readings that count, how many replicas are not ready, how many lack a reading."""

    values: tuple[float, ...]
    unready: int
    missing: int

    @property
    def mean(self) -> float | None:
        """The mean of the readings; None if there is none."""
        return sum(self.values) / len(self.values) if self.values else None


def _step(metric: Metric) -> float:
    """Return the unit in which Kubernetes counts: whole percents of the CPU, thousandths of everything else."""
    return 0.01 if metric == "cpu" else 0.001


def _ratio(values: Sequence[float], target: MetricTarget) -> float:
    step = _step(target.metric)
    return math.floor(sum(values) / len(values) / step + _ROUNDING) * step / target.target


def wanted(current: int, readings: Readings, target: MetricTarget, *, tolerance: float) -> int | None:
    """Return the number of replicas that a metric asks for; None if no reading counts.

    >>> half = MetricTarget(metric="concurrency", target=0.5)
    >>> wanted(2, Readings(values=(1.0, 1.0), unready=0, missing=0), half, tolerance=0.1)
    4

    A replica that boots counts as idle when more are asked for: here it halves the mean, and the number stays.

    >>> wanted(2, Readings(values=(1.0,), unready=1, missing=0), half, tolerance=0.1)
    2
    """
    if not readings.values:
        return None

    def is_near(ratio: float) -> bool:
        return 1 - tolerance <= ratio <= 1 + tolerance

    ratio = _ratio(readings.values, target)
    booting = readings.unready if ratio > 1 else 0
    if not booting and not readings.missing:
        return current if is_near(ratio) else math.ceil(ratio * len(readings.values) - _ROUNDING)
    assumed = {True: 0.0, False: max(1.0, target.target) if target.metric == "cpu" else target.target}[ratio > 1]
    filled = [*readings.values, *[assumed] * (readings.missing if ratio != 1 else 0), *[0.0] * booting]
    again = _ratio(filled, target)
    if is_near(again) or (ratio < 1 < again) or (again < 1 < ratio):
        return current
    number = math.ceil(again * len(filled) - _ROUNDING)
    turned_round = (again < 1 and number > current) or (again > 1 and number < current)
    return current if turned_round else number


def together(asked: Sequence[int | None], *, current: int) -> int | None:
    """Return the largest number asked for; None if none is known, or if one is not and the others want fewer.

    >>> together([3, 5], current=4), together([3, None], current=4), together([6, None], current=4)
    (5, None, 6)
    """
    known = [number for number in asked if number is not None]
    if not known or (len(known) < len(asked) and max(known) < current):
        return None
    return max(known)
