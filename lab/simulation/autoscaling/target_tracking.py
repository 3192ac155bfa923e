"""AWS target tracking as a pure rule: alarms in a row, proportional steps, warm-up and cooldowns.

What AWS documents: the target is kept by a proportional calculation that rounds in favour of capacity; replicas are
removed only well below the target; too little data means no change; a process that warms up is not in the metric,
counts as capacity for the next addition, and blocks removal; a cooldown after adding lets only a larger addition
through, reckoned from the capacity before the first; a cooldown after removing blocks removal and ends with an
addition.

What AWS does not document, and this module decides: the alarms (above the target for ``high_periods`` in a row, below
by ``low_margin`` for ``low_periods``: the shape that its console shows), that an alarm which lasts acts anew after each
period, and that a removal is proportional too.

Source: AWS, "How target tracking scaling for Application Auto Scaling works" and "Target tracking scaling policies for
Amazon EC2 Auto Scaling".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lab.scenario.autoscaler import TargetTrackingAutoscaler

_NOISE = 1e-9  # what arithmetic with floats may add to a mean that is the target


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """What one period showed.

    Attributes:
        mean: the metric's mean over the warm replicas; None: there is no data.
        warm: how many replicas it is a mean of.
        warming: how many boot or warm up.
    """

    mean: float | None
    warm: int
    warming: int


class TargetTracking:
    """Decides once a period.

    ::

        mean > target, high_periods in a row --> as many more as keep the target, at once
        mean < target - low_margin, low_periods in a row --> as many fewer as keep it,
                                                             unless some warm up or the cooldown is not over
        otherwise, or no data --> no change

    Attributes:
        bounds: the fewest and the most replicas.
    """

    def __init__(self, spec: TargetTrackingAutoscaler) -> None:
        self._spec = spec
        self._high = self._low = 0
        self._added_s = self._removed_s = -math.inf
        self._before = 0  # capacity before the addition that the cooldown follows
        self.bounds = (spec.min, spec.max)

    def decide(self, now_s: float, *, current: int, period: Period) -> int:
        """Return how many replicas are to be.

        >>> spec = TargetTrackingAutoscaler(metric="cpu", target="50%", max=20, high_periods=1)
        >>> tracking = TargetTracking(spec)
        >>> tracking.decide(60, current=4, period=Period(mean=0.6, warm=4, warming=0))  # 4 x 60/50 = 4.8
        5
        >>> tracking.decide(120, current=5, period=Period(mean=0.6, warm=4, warming=1))  # the fifth is on its way
        5
        >>> tracking.decide(180, current=5, period=Period(mean=0.7, warm=4, warming=1))  # 4 x 70/50 = 5.6
        6
        """
        spec, mean = self._spec, period.mean
        self._high = self._high + 1 if mean is not None and mean > spec.value * (1 + _NOISE) else 0
        self._low = self._low + 1 if mean is not None and mean < spec.value * (1 - spec.low_margin) else 0
        if mean is None:
            wanted = current
        elif self._high >= spec.high_periods:
            wanted = self._more(now_s, current, mean, period.warm)
        elif self._low >= spec.low_periods and self._may_remove(now_s, period.warming):
            wanted = min(current, _rounded_up(current * mean / spec.value))
        else:
            wanted = current
        low, high = self.bounds
        wanted = max(low, min(high, wanted))
        if wanted < current:
            self._removed_s = now_s
        return wanted

    def _more(self, now_s: float, current: int, mean: float, warm: int) -> int:
        spec = self._spec
        cooling = now_s < self._added_s + spec.scale_out_cooldown
        basis = min(warm, self._before) if cooling else warm
        wanted = max(current, _rounded_up(basis * mean / spec.value))
        if min(wanted, self.bounds[1]) > current:
            if not cooling:
                self._before = current
            self._added_s = now_s
            self._removed_s = -math.inf
        return wanted

    def _may_remove(self, now_s: float, warming: int) -> bool:
        return self._spec.scale_in and not warming and now_s >= self._removed_s + self._spec.scale_in_cooldown


def _rounded_up(replicas: float) -> int:
    return math.ceil(replicas * (1 - _NOISE))
