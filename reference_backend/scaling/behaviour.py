"""How quickly the number of replicas may change: stabilisation, then rates, then the bounds.

Source: kubernetes, pkg/controller/podautoscaler/horizontal.go. Written anew: the simulator has its own, and a test
holds them against each other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from reference_backend.scaling.spec import Hpa, ScalingPolicy, ScalingRules

_WINDOW_S = 300.0  # without rules: how far back the highest recommendation counts
_TWICE, _FOUR = 2, 4  # without rules: at most twice as many, or four


@dataclass(slots=True, kw_only=True)
class Behaviour:
    """Remembers what was recommended and what was done, and settles a recommendation by it.

    Times are those at which decisions are due, so that a period of 10 s is never 9.999 s.
    """

    spec: Hpa
    _recommended: list[tuple[float, int]] = field(default_factory=list)
    _changes: list[tuple[float, int]] = field(default_factory=list)

    def settle(self, at_s: float, *, current: int, wanted: int) -> tuple[int, int]:
        """Return a recommendation after the stabilisation windows, and what is to be after rates and bounds too."""
        if not self._recommended:
            self._recommended.append((at_s, current))
        up, down = self.spec.scale_up, self.spec.scale_down
        if up is None or down is None:
            stable = max([wanted, *(number for when_s, number in self._recommended if when_s >= at_s - _WINDOW_S)])
            settled = max(self.spec.min, min(stable, self.spec.max, max(_TWICE * current, _FOUR)))
        else:
            stable = self._stable(at_s, current, wanted, up, down)
            settled = self._limited(at_s, current, stable, up, down)
        self._recommended.append((at_s, wanted))
        if settled != current:
            self._changes.append((at_s, settled - current))
        return stable, settled

    def _stable(self, at_s: float, current: int, wanted: int, up: ScalingRules, down: ScalingRules) -> int:
        """Return the most cautious of what was recommended lately."""

        def since(window_s: float) -> list[int]:
            return [wanted, *(number for when_s, number in self._recommended if when_s > at_s - window_s)]

        lowest, highest = min(since(up.stabilization_window_s)), max(since(down.stabilization_window_s))
        return min(max(current, lowest), highest)

    def _limited(self, at_s: float, current: int, stable: int, up: ScalingRules, down: ScalingRules) -> int:
        if stable > current and up.select != "disabled":
            limits = [self._raised(at_s, current, policy) for policy in up.policies]
            most = max(limits) if up.select == "max" else min(limits)
            return min(stable, self.spec.max, max(current, most))
        if stable < current and down.select != "disabled":
            limits = [self._lowered(at_s, current, policy) for policy in down.policies]
            least = min(limits) if down.select == "max" else max(limits)
            return max(stable, self.spec.min, min(current, least))
        return current

    def _began_with(self, at_s: float, current: int, policy: ScalingPolicy) -> int:
        """Return how many there were one period ago."""
        return current - sum(change for when_s, change in self._changes if when_s > at_s - policy.period_s)

    def _raised(self, at_s: float, current: int, policy: ScalingPolicy) -> int:
        began = self._began_with(at_s, current, policy)
        return began + policy.value if policy.kind == "pods" else math.ceil(began * (1 + policy.value / 100))

    def _lowered(self, at_s: float, current: int, policy: ScalingPolicy) -> int:
        began = self._began_with(at_s, current, policy)
        return began - policy.value if policy.kind == "pods" else int(began * (1 - policy.value / 100))
