"""Knative's pod autoscaler as pure rules: the number that the two windows ask for, and when the last pod goes.

Source: knative.dev/serving, pkg/autoscaler/scaling/autoscaler.go (Scale), pkg/reconciler/autoscaling/kpa/scaler.go
(handleScaleToZero) and config/core/configmaps/autoscaler.yaml.
"""

from __future__ import annotations

import math

from lab.scenario.knative import KnativeAutoscaler

_NOISE = 1e-9  # what arithmetic with floats may add to a whole number of pods


class Kpa:
    """Decides at each tick.

    ::

        calm --panic window asks for panic_threshold x ready--> panic: never fewer than before in it
          ^                                                       |
          `--- a whole stable window since it last asked for that +

    Attributes:
        panics_since_s: when the panic window last asked for so many; None: no panic.
    """

    def __init__(self, spec: KnativeAutoscaler, *, aim: float) -> None:
        self._spec = spec
        self._aim = aim
        self._most_in_panic = 0
        self._decided: list[tuple[float, int]] = []
        self.panics_since_s: float | None = None

    def decide(self, now_s: float, *, ready: int, stable: float, panic: float) -> int:
        """Return how many pods are asked for, whatever their limits are.

        Args:
            now_s: the time.
            ready: pods that are ready.
            stable: mean number of requests under way in the stable window.
            panic: the same in the panic window.

        With 70 a pod, 100 under way ask for 2 pods; 500 in the panic window are 8, four times those that are ready:

        >>> kpa = Kpa(KnativeAutoscaler(), aim=70.0)
        >>> kpa.decide(0, ready=2, stable=100, panic=100), kpa.decide(2, ready=2, stable=110, panic=500)
        (2, 8)
        >>> kpa.decide(4, ready=2, stable=120, panic=300)  # 5 would do, but not in a panic
        8
        """
        spec, pods = self._spec, max(1, ready)
        most, least = math.ceil(spec.max_scale_up_rate * pods), math.floor(pods / spec.max_scale_down_rate)
        by_stable, by_panic = (math.ceil(under_way / self._aim - _NOISE) for under_way in (stable, panic))
        wanted = min(max(by_stable, least), most)
        if by_panic / pods >= spec.panic_threshold:
            self.panics_since_s = now_s
        elif self.panics_since_s is not None and now_s > self.panics_since_s + spec.stable_window:
            self.panics_since_s, self._most_in_panic = None, 0
        if self.panics_since_s is not None:
            wanted = max(wanted, min(max(by_panic, least), most), self._most_in_panic)
            self._most_in_panic = wanted
        return self._delayed(now_s, wanted)

    def _delayed(self, now_s: float, wanted: int) -> int:
        since_s = now_s - self._spec.scale_down_delay
        self._decided = [(at_s, pods) for at_s, pods in self._decided if at_s > since_s]
        self._decided.append((now_s, wanted))
        return max(pods for _, pods in self._decided)


class ToZero:
    """Decides when the last pod goes.

    ::

        none --somebody asks--> active --0 asked for, active for a stable window--> not wanted --grace period--> none
                                   ^                                                    |
                                   `----------------- more than 0 asked for ------------+

    Attributes:
        active_s: since when there are pods.
    """

    def __init__(self, spec: KnativeAutoscaler) -> None:
        self._spec = spec
        self._unwanted_s: float | None = None
        self.active_s = 0.0

    def decide(self, now_s: float, *, current: int, wanted: int) -> int:
        """Return how many pods are to be, once ``wanted`` are asked for.

        >>> to_zero = ToZero(KnativeAutoscaler())
        >>> [to_zero.decide(at_s, current=1, wanted=0) for at_s in (58, 60, 88, 90)]
        [1, 1, 1, 0]
        """
        if wanted > 0 or current == 0:
            self._unwanted_s = None
            if current == 0 and wanted > 0:
                self.active_s = now_s
            return wanted
        if now_s < self.active_s + self._spec.stable_window:
            return 1
        if self._unwanted_s is None:
            self._unwanted_s = now_s
        return 0 if now_s >= self._unwanted_s + self._spec.scale_to_zero_grace_period else current
