"""AWS step scaling as a pure rule: alarms in a row, steps by distance from the threshold, warm-up.

What AWS documents: bounds relative to the threshold, the lower inclusive above it and the upper inclusive below it;
percentages of more than one replica are rounded towards 0, of less than one away from 0; an alarm that lasts acts anew;
replicas that warm up are in neither the metric nor the capacity that is adjusted, count towards what an addition comes
to, and block removal; of several policies the one that wants most counts; no data, no change.

Source: AWS, "Step and simple scaling policies for Amazon EC2 Auto Scaling".
"""

from __future__ import annotations

from typing import assert_never

from lab.scenario.step_scaling import StepPolicy, StepScalingAutoscaler
from lab.simulation.autoscaling.target_tracking import Period

_NOISE = 1e-9  # what arithmetic with floats may add to a mean that is a bound


class StepScaling:
    """Decides once a period.

    ::

        alarm sounds, evaluation_periods in a row --> the step that the mean lies in --> more: at once
                                                                                     `-> fewer: unless some warm up
        no alarm, or no data --> no change

    Attributes:
        bounds: the fewest and the most replicas.
    """

    def __init__(self, spec: StepScalingAutoscaler) -> None:
        self._spec = spec
        self._in_a_row = [0] * len(spec.policies)
        self._ranges = [policy.bounds(spec.metric) for policy in spec.policies]
        self.bounds = (spec.min, spec.max)

    def decide(self, now_s: float, *, current: int, period: Period) -> int:  # time does not matter to it
        """Return how many replicas are to be.

        AWS's example, threshold 50 %: of 60 % on 10 it makes 11, of 70 % while the eleventh warms up 13.

        >>> steps = ({"lower_bound": "0%", "upper_bound": "10%", "scaling_adjustment": 0},
        ...          {"lower_bound": "10%", "upper_bound": "20%", "scaling_adjustment": 10},
        ...          {"lower_bound": "20%", "scaling_adjustment": 30})
        >>> policy = {"alarm": "above", "threshold": "50%", "adjustment_type": "percent_change_in_capacity",
        ...           "step_adjustments": steps}
        >>> scaling = StepScaling(StepScalingAutoscaler(metric="cpu", max=20, policies=(policy,)))
        >>> scaling.decide(60, current=10, period=Period(mean=0.6, warm=10, warming=0))
        11
        >>> scaling.decide(120, current=11, period=Period(mean=0.7, warm=10, warming=1))
        13
        """
        asked = []
        for place, policy in enumerate(self._spec.policies):
            step = None if period.mean is None else self._step(place, policy, period.mean)
            self._in_a_row[place] = 0 if step is None else self._in_a_row[place] + 1
            if step is not None and self._in_a_row[place] >= policy.evaluation_periods:
                asked.append(_adjusted(policy, step, current=current, warming=period.warming))
        low, high = self.bounds
        return max(low, min(high, max(asked, default=current)))

    def _step(self, place: int, policy: StepPolicy, mean: float) -> int | None:
        """Return the adjustment of the range that the mean lies in; None: the alarm does not sound."""
        for (low, high), step in zip(self._ranges[place], policy.step_adjustments, strict=True):
            above, below = mean >= low - _NOISE, mean < high - _NOISE
            if policy.alarm == "below":
                above, below = mean > low + _NOISE, mean <= high + _NOISE
            if above and below:
                return step.scaling_adjustment
        return None


def _adjusted(policy: StepPolicy, adjustment: int, *, current: int, warming: int) -> int:
    """Return how many replicas one policy asks for; those that warm up are on their way already."""
    warm = max(0, current - warming)
    wanted = capacity(policy, adjustment, warm)
    if wanted >= warm:
        return max(current, wanted)
    return current if warming else wanted


def capacity(policy: StepPolicy, adjustment: int, capacity: int) -> int:
    """Return what an adjustment makes of a capacity.

    Of 14, 10 % less are 1.4 fewer, which is 1; of 3, 10 % more are 0.3, which is 1 as well; or as many as the policy
    asks for at least.

    >>> percent = {"alarm": "above", "threshold": "50%", "adjustment_type": "percent_change_in_capacity",
    ...            "step_adjustments": ({"lower_bound": "0%", "scaling_adjustment": 10},)}
    >>> policy = StepPolicy.model_validate(percent)
    >>> capacity(policy, -10, 14), capacity(policy, 10, 3), capacity(policy, -667, 1)
    (13, 4, -5)
    >>> capacity(policy.model_copy(update={"min_adjustment_magnitude": 2}), 10, 3)
    5
    """
    match policy.adjustment_type:
        case "change_in_capacity":
            return capacity + adjustment
        case "exact_capacity":
            return adjustment
        case "percent_change_in_capacity":
            if adjustment == 0:
                return capacity
            part = abs(adjustment) * capacity
            change = max(part // 100, 1 if part else 0, policy.min_adjustment_magnitude or 0)
            return capacity + (change if adjustment > 0 else -change)
        case _:
            assert_never(policy.adjustment_type)
