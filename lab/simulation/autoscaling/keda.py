"""KEDA's part of scaling on a queue as a pure rule: between none and some; above that Kubernetes decides.

Source: KEDA 2.17, "Scaling Deployments, StatefulSets & Custom Resources" and the ScaledObject specification.
"""

from __future__ import annotations

from lab.scenario.autoscaler import KedaAutoscaler


class Activation:
    """Decides at each poll whether any replica is needed.

    ::

                   waiting > activation
        0 replicas ---------------------> max(1, min) replicas (and on, by Kubernetes' autoscaler)
             ^                                   |
             `--- cooldown_period without work --+   only where min is 0
    """

    def __init__(self, spec: KedaAutoscaler) -> None:
        self._spec = spec
        self._active_s = 0.0

    def decide(self, now_s: float, *, current: int, waiting: float, fewest: int = 0) -> int:
        """Return how many replicas are to be, and no fewer than ``fewest``.

        >>> activation = Activation(KedaAutoscaler(queue="jobs", cooldown_period="1min"))
        >>> activation.decide(30, current=0, waiting=7), activation.decide(60, current=1, waiting=0)
        (1, 1)
        >>> activation.decide(90, current=1, waiting=0)  # one minute after there was work
        0
        """
        spec = self._spec
        if waiting > spec.activation:
            self._active_s = now_s
            return max(current, 1, fewest)
        if fewest == 0 and now_s >= self._active_s + spec.cooldown_period:
            return 0
        return max(current, fewest)
