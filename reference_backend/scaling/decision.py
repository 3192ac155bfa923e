"""One decision of the autoscaler, with everything that led to it."""

from __future__ import annotations

from collections.abc import Sequence

from reference_backend.scaling import hpa
from reference_backend.scaling.behaviour import Behaviour
from reference_backend.scaling.hpa import Readings
from reference_backend.scaling.replica import Replica
from reference_backend.scaling.spec import Hpa, MetricTarget


class Decider:
    """Reads the metrics of the replicas, and decides how many there are to be.

    ::

        window begins --metric_window--> window ends --metric_lag--> decision
    """

    def __init__(self, *, spec: Hpa, slots: int | None) -> None:
        self._spec = spec
        self._slots = slots
        self._behaviour = Behaviour(spec=spec)

    def decide(
        self, at_s: float, *, now_s: float, ready: Sequence[Replica], booting: int
    ) -> tuple[int, dict[str, object]]:
        """Return the number of replicas that are to be, and what led to it.

        Args:
            at_s: when the decision is due.
            now_s: when it is made.
            ready: the replicas that take requests.
            booting: how many others have been started.
        """
        current = len(ready) + booting
        asked, seen = [], []
        for target in self._spec.metrics:
            readings = self._readings(target, at_s, now_s, ready, booting)
            wanted = hpa.wanted(current, readings, target, tolerance=self._spec.tolerance)
            asked.append(wanted)
            seen.append(_shown(target, readings, wanted))
        wanted = hpa.together(asked, current=current)
        if wanted is None:
            return current, {"reason": "no readings that allow a decision", "metrics": seen}
        stabilised, decided = self._behaviour.settle(at_s, current=current, wanted=wanted)
        return decided, {"metrics": seen, "wanted": wanted, "stabilised": stabilised}

    def _readings(
        self, target: MetricTarget, at_s: float, now_s: float, ready: Sequence[Replica], booting: int
    ) -> Readings:
        until_s = max(0.0, at_s - self._spec.metric_lag_s)
        since_s = max(0.0, until_s - self._spec.metric_window_s)
        values, unready, missing = [], booting, 0
        for replica in ready:
            mean = replica.history.mean(target.metric, since_s=since_s, until_s=until_s, slots=self._slots)
            if mean is None:
                missing += 1
            elif target.metric == "cpu" and self._initialising(replica, now_s, until_s):
                unready += 1
            else:
                values.append(mean)
        return Readings(values=tuple(values), unready=unready, missing=missing)

    def _initialising(self, replica: Replica, now_s: float, read_s: float) -> bool:
        """Return whether its CPU time may still be that of its start."""
        young = now_s < replica.started_s + self._spec.cpu_initialization_period_s
        return young and read_s < replica.ready_s + self._spec.metric_window_s and replica.ready_s > 0


def _shown(target: MetricTarget, readings: Readings, wanted: int | None) -> dict[str, object]:
    return {
        "metric": target.metric,
        "mean": readings.mean,
        "target": target.target,
        "ready": len(readings.values),
        "unready": readings.unready,
        "missing": readings.missing,
        "wanted": wanted,
    }
