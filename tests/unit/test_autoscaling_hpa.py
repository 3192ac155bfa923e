"""Kubernetes' own worked examples: how many replicas the metrics ask for."""

from __future__ import annotations

import pytest

from lab.simulation.autoscaling.hpa import (
    Readings,
    cpu_target,
    largest,
    pods_target,
    usage_ratio,
    wanted_for_total,
    wanted_replicas,
)

# The table of cases in kubernetes' replica_calculator_test.go, in shares of the request instead of millicores:
# what it is called there, current replicas, readings that count, unready, missing, target, wanted.
_CPU = [
    ("ScaleUp", 3, (0.3, 0.5, 0.7), 0, 0, 0.30, 5),
    ("ScaleUpUnreadyLessScale", 3, (0.5, 0.7), 1, 0, 0.30, 4),
    ("ScaleUpUnreadyNoScale", 3, (0.4,), 2, 0, 0.30, 3),
    ("ScaleDown", 5, (0.1, 0.3, 0.5, 0.25, 0.25), 0, 0, 0.50, 3),
    ("ScaleDownIgnoresUnreadyPods", 5, (0.1, 0.3, 0.5), 2, 0, 0.50, 2),
    ("Tolerance", 3, (1.01, 1.03, 1.02), 0, 0, 1.00, 3),
    ("MissingMetrics", 4, (0.4, 0.095), 0, 2, 1.00, 3),
    ("EmptyMetrics", 4, (), 0, 4, 1.00, None),
    ("MissingMetricsNoChangeEq", 2, (1.0,), 0, 1, 1.00, 2),
    ("MissingMetricsNoChangeGt", 2, (1.9,), 0, 1, 1.00, 2),
    ("MissingMetricsNoChangeLt", 2, (0.6,), 0, 1, 1.00, 2),
    ("MissingMetricsUnreadyChange", 3, (0.45,), 1, 1, 0.50, 3),
    ("MissingMetricsUnreadyScaleUp", 3, (2.0,), 1, 1, 0.50, 4),
    ("MissingMetricsUnreadyScaleDown", 4, (0.1, 0.1), 1, 1, 0.50, 3),
]
_PODS = [
    ("ScaleUpCM", 3, (20.0, 10.0, 30.0), 0, 0, 15.0, 4),
    ("ScaleUpCMUnreadyHotCpuNoLessScale", 3, (50.0, 10.0, 30.0), 0, 0, 15.0, 6),
    ("ScaleDownCM", 5, (12.0, 12.0, 12.0, 12.0, 12.0), 0, 0, 20.0, 3),
    ("ToleranceCM", 3, (20.0, 21.0, 21.0), 0, 0, 20.666, 3),
]


@pytest.mark.parametrize(("name", "current", "values", "unready", "missing", "target", "wanted"), _CPU)
def test_cpu_cases_of_kubernetes(  # one row of the table
    name: str, current: int, values: tuple[float, ...], unready: int, missing: int, target: float, wanted: int | None
) -> None:
    """Unready replicas count as idle going up and not at all going down; missing ones as idle up and busy down."""
    readings = Readings(values=values, unready=unready, missing=missing)
    assert wanted_replicas(current, readings, cpu_target(target)) == wanted, name


@pytest.mark.parametrize(("name", "current", "values", "unready", "missing", "target", "wanted"), _PODS)
def test_custom_metric_cases_of_kubernetes(  # one row of the table
    name: str, current: int, values: tuple[float, ...], unready: int, missing: int, target: float, wanted: int | None
) -> None:
    """Numbers that pods report."""
    readings = Readings(values=values, unready=unready, missing=missing)
    assert wanted_replicas(current, readings, pods_target(target)) == wanted, name


@pytest.mark.parametrize(
    ("current", "mean", "target", "wanted"),
    [(1, 0.2, 0.1, 2), (4, 0.2, 0.1, 8), (2, 0.05, 0.1, 1), (3, 0.05, 0.1, 2), (10, 0.1, 0.1, 10)],
)
def test_the_formula_of_the_documentation(current: int, mean: float, target: float, wanted: int) -> None:
    """ceil(current x 200m/100m) doubles, 50m/100m halves (rounded up)."""
    assert wanted_replicas(current, Readings(values=(mean,) * current), pods_target(target)) == wanted


@pytest.mark.parametrize(("mean", "wanted"), [(0.63, 10), (0.70, 10), (0.77, 10), (0.62, 9), (0.78, 12)])
def test_a_tenth_off_the_target_is_tolerated(mean: float, wanted: int) -> None:
    """63 % to 77 % around 70 %: both ends are within; a percent beyond is not."""
    assert wanted_replicas(10, Readings(values=(mean,) * 10), cpu_target(0.70)) == wanted


def test_tolerance_can_be_set() -> None:
    """Without any, each percent counts."""
    readings = Readings(values=(0.71,) * 10)
    assert wanted_replicas(10, readings, cpu_target(0.70, tolerance=0.0)) == 11


def test_a_missing_replica_counts_as_its_whole_request_or_the_target() -> None:
    """Going down: the CPU as 100 % of the request, any other metric as the target."""
    readings = Readings(values=(0.1, 0.1), missing=2)
    assert wanted_replicas(4, readings, cpu_target(0.8)) == 3  # (10 + 10 + 100 + 100) % / 4 = 55 % of 80 %
    assert wanted_replicas(4, readings, pods_target(0.8)) == 3  # (0.1 + 0.1 + 0.8 + 0.8) / 4 = 0.45 of 0.8
    assert wanted_replicas(4, Readings(values=(0.1, 0.1), missing=1), pods_target(0.8)) == 2


def test_percents_are_whole() -> None:
    """62.375 % is 62 % to Kubernetes, which computes with integers."""
    assert usage_ratio([0.4, 0.095, 1.0, 1.0], cpu_target(1.0)) == 0.62


def test_several_metrics_take_the_largest() -> None:
    """One without readings forbids to go down, not up."""
    assert largest([2, 7, 5], current=5) == 7
    assert largest([2, None], current=5) is None
    assert largest([5, None], current=5) == 5
    assert largest([6, None], current=5) == 6
    assert largest([None, None], current=5) is None


def test_a_total_is_shared_out() -> None:
    """An average value: the queue's length over what each may have, the tolerance around the present share."""
    assert wanted_for_total(3, 100, pods_target(10)) == 10
    assert wanted_for_total(10, 109, pods_target(10)) == 10
    assert wanted_for_total(10, 91, pods_target(10)) == 10
    assert wanted_for_total(10, 89, pods_target(10)) == 9
    assert wanted_for_total(0, 1, pods_target(10)) == 1
