"""AWS step scaling as it is described: alarms, and by how much each changes the number of replicas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from lab.quantities import Count, Duration, PositiveDuration, Spec
from lab.scenario.scaling_limits import Limits
from lab.scenario.scaling_metric import Metric, metric_value

Alarm = Literal["above", "below"]
_NOISE = 1e-12  # what arithmetic with floats may leave between bounds that are the same
AdjustmentType = Literal["change_in_capacity", "percent_change_in_capacity", "exact_capacity"]


def _whole(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{value!r} is not a whole number")
    return value


class StepAdjustment(Spec):
    """By how much the number of replicas changes when the metric lies in a range.

    The range counts from the threshold. Of an alarm `above` the lower bound belongs to it and the upper does not; of
    one `below` it is the other way round.
    """

    lower_bound: str | None = Field(
        default=None, description="Distance from the threshold, such as 10% or -20%. None: minus infinity."
    )
    upper_bound: str | None = Field(default=None, description="Distance from the threshold. None: infinity.")
    scaling_adjustment: Annotated[int, BeforeValidator(_whole), Field(ge=-10_000, le=10_000)] = Field(
        description="Replicas or percent to add, or to remove if negative; or the number of replicas to be."
    )


class StepPolicy(Spec):
    """An alarm, and the steps in which it scales."""

    alarm: Alarm = Field(
        description="above: when the metric is at the threshold or above; below: at the threshold or below."
    )
    threshold: str = Field(description="Of the metric: 70% of concurrency or cpu, 50/s of throughput.")
    evaluation_periods: Count = Field(default=1, description="Periods in a row that sound the alarm.")
    adjustment_type: AdjustmentType = Field(
        default="change_in_capacity",
        description="What the adjustments are: a number of replicas, percent of those there are, or what is to be.",
    )
    min_adjustment_magnitude: Count | None = Field(
        default=None, description="Percent change at least so many replicas. None: 1."
    )
    step_adjustments: tuple[StepAdjustment, ...] = Field(
        min_length=1, description="By how much, by distance from the threshold: without gaps, each after the other."
    )

    @model_validator(mode="after")
    def _of_percent(self) -> StepPolicy:
        if self.min_adjustment_magnitude is not None and self.adjustment_type != "percent_change_in_capacity":
            raise ValueError("min_adjustment_magnitude has no effect without percent_change_in_capacity; leave it out")
        if self.adjustment_type == "exact_capacity" and any(s.scaling_adjustment < 1 for s in self.step_adjustments):
            raise ValueError("an exact_capacity is a number of replicas to be: 1 or more")
        return self

    def bounds(self, metric: Metric) -> list[tuple[float, float]]:
        """Return the readings of the metric between which each step lies, threshold added."""
        threshold = metric_value(metric, self.threshold)
        return [
            (
                -math.inf if step.lower_bound is None else threshold + metric_value(metric, step.lower_bound),
                math.inf if step.upper_bound is None else threshold + metric_value(metric, step.upper_bound),
            )
            for step in self.step_adjustments
        ]


class StepScalingAutoscaler(Limits):
    """AWS step scaling: the further the metric is from a threshold, the more replicas are added or removed."""

    kind: Literal["step_scaling"] = "step_scaling"
    metric: Metric = Field(
        description="concurrency: requests under way (waiting in the replica included) per slot; cpu: share of the "
        "time that the event loop computes; throughput: answers per second. Its mean over the replicas counts."
    )
    period: PositiveDuration = Field(
        default="1min", validate_default=True, description="The metric is a mean over each period; then it decides."
    )
    warm_up: Duration = Field(
        default="0s",
        validate_default=True,
        description="A new process counts in the metric, and as capacity, only after so long; nothing is removed "
        "meanwhile.",
    )
    policies: tuple[StepPolicy, ...] = Field(
        min_length=1, description="Alarms with their steps; of several that sound, the one that wants most counts."
    )

    @model_validator(mode="after")
    def _steps_fit(self) -> StepScalingAutoscaler:
        for number, policy in enumerate(self.policies):
            wrong = _wrong_steps(policy, self.metric)
            if wrong:
                raise ValueError(f"policies.{number}.step_adjustments: {wrong}")
        return self


def _wrong_steps(policy: StepPolicy, metric: Metric) -> str | None:
    """What is wrong with the ranges of a policy: they must cover every reading that sounds its alarm, each once."""
    threshold, ranges = metric_value(metric, policy.threshold), sorted(policy.bounds(metric))
    if any(low >= high for low, high in ranges):
        return "a lower_bound must be less than the upper_bound of the same step"
    if any(not _same(before[1], after[0]) for before, after in pairwise(ranges)):
        return "there is a gap or an overlap; let each step begin at the upper_bound of the one before"
    first, last = ranges[0][0], ranges[-1][1]
    covered: Sequence[bool] = (
        (_same(first, threshold), last == math.inf)
        if policy.alarm == "above"
        else (first == -math.inf, _same(last, threshold))
    )
    if not all(covered):
        begin_end = (
            "0 to infinity (no upper_bound)" if policy.alarm == "above" else "minus infinity (no lower_bound) to 0"
        )
        return f"an alarm {policy.alarm} its threshold needs steps from {begin_end}, or some readings would do nothing"
    return None


def _same(one: float, other: float) -> bool:
    return one == other or abs(one - other) < _NOISE
