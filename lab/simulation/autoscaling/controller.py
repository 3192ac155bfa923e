"""The loops of Kubernetes' autoscalers: read at the right times, decide by the pure rules, have the deployment follow.

Each decision is an event ``scaling_decision`` with what led to it, stage by stage.
"""

from __future__ import annotations

from collections.abc import Callable

from lab.scenario.autoscaler import HpaAutoscaler, KedaAutoscaler
from lab.scenario.scaling_metric import MetricTarget
from lab.simulation.autoscaling.behaviour import Behaviour
from lab.simulation.autoscaling.hpa import (
    Readings,
    Target,
    cpu_target,
    largest,
    pods_target,
    wanted_for_total,
    wanted_replicas,
)
from lab.simulation.autoscaling.keda import Activation
from lab.simulation.autoscaling.metrics import Meter, Snapshot
from lab.simulation.autoscaling.scaled import Loop, Scaled
from lab.simulation.fleet import Life, Member


class HpaLoop:
    """Kubernetes' HorizontalPodAutoscaler: decides every sync period.

    A booting process is a pending pod: not ready. One that crashed and will be restarted is a pod without readings.
    Draining ones do not count.

    ::

        window begins --metric_window--> window ends --metric_lag--> sync: decide
    """

    def __init__(self, *, scaled: Scaled, meter: Meter, spec: HpaAutoscaler) -> None:
        self._scaled = scaled
        self._meter = meter
        self._spec = spec
        up, down = spec.rules()
        self._behaviour = Behaviour(bounds=(spec.min, spec.max), up=up, down=down)

    def run(self) -> Loop:
        """Sync for ever; several windows may be open at a time."""
        spec, number = self._spec, 0
        while True:
            number += 1
            sync_s = number * spec.sync_period
            closes_s = max(0.0, sync_s - spec.metric_lag)
            opens_s = max(0.0, closes_s - spec.metric_window)
            yield self._scaled.until(opens_s)
            self._scaled.clock.process(self._sync(closes_s, sync_s))

    def _sync(self, closes_s: float, sync_s: float) -> Loop:
        opening = self._meter.read()
        yield self._scaled.until(closes_s)
        closing = self._meter.read()
        yield self._scaled.until(sync_s)
        self._decide(opening, closing)

    def _decide(self, opening: Snapshot, closing: Snapshot) -> None:
        spec, current, now_s = self._spec, self._scaled.deployment.wanted, self._scaled.clock.now
        low, high = self._behaviour.bounds = self._scaled.bounds
        if not low <= current <= high:
            self._scaled.decide(max(low, min(high, current)), reason="outside min to max")
            return
        asked, seen = [], []
        for metric in spec.metrics:
            readings = self._readings(metric, opening, closing)
            wanted = wanted_replicas(current, readings, _target(metric, spec))
            asked.append(wanted)
            seen.append(_shown(metric, readings, wanted))
        together = largest(asked, current=current)
        if together is None:
            self._scaled.decide(current, reason="no readings that allow a decision", metrics=seen)
            return
        settled = self._behaviour.settle(now_s, current=current, wanted=together)
        self._behaviour.changed(now_s, before=current, after=settled.limited)
        self._scaled.decide(settled.limited, metrics=seen, wanted=together, stabilised=settled.stabilised)

    def _readings(self, metric: MetricTarget, opening: Snapshot, closing: Snapshot) -> Readings:
        deployment, values = self._scaled.deployment, []
        unready, missing = len(deployment.living(Life.BOOTING)), len(deployment.down)
        for member in deployment.living(Life.READY):
            mean = self._meter.mean(metric.metric, member, opening, closing)
            if mean is None:
                missing += 1
            elif metric.metric == "cpu" and self._initialising(member, closing.time_s):
                unready += 1
            else:
                values.append(mean)
        return Readings(values=tuple(values), unready=unready, missing=missing)

    def _initialising(self, member: Member, read_s: float) -> bool:
        """Whether its CPU may still be that of its start."""
        spec = self._spec
        young = self._scaled.clock.now < member.started_s + spec.cpu_initialization_period
        return young and read_s < member.ready_s + spec.metric_window and member.ready_s > 0


def _target(metric: MetricTarget, spec: HpaAutoscaler) -> Target:
    of = cpu_target if metric.metric == "cpu" else pods_target
    return of(metric.value, tolerance=spec.tolerance)


def _shown(metric: MetricTarget, readings: Readings, wanted: int | None) -> dict[str, object]:
    count = len(readings.values)
    return {
        "metric": metric.metric,
        "mean": sum(readings.values) / count if count else None,
        "target": metric.value,
        "ready": count,
        "unready": readings.unready,
        "missing": readings.missing,
        "wanted": wanted,
    }


class KedaLoop:
    """KEDA polls for any work at all; Kubernetes' autoscaler, which it feeds, shares the work out every sync period."""

    def __init__(self, *, scaled: Scaled, waiting: Callable[[], int], spec: KedaAutoscaler) -> None:
        self._scaled = scaled
        self._waiting = waiting
        self._spec = spec
        self._activation = Activation(spec)
        self._target = pods_target(spec.target, tolerance=spec.tolerance)
        up, down = spec.rules()
        self._behaviour = Behaviour(bounds=(max(1, spec.min), spec.max), up=up, down=down)

    def run(self) -> Loop:
        """Poll and sync for ever."""
        self._scaled.clock.process(self._polls())
        number = 0
        while True:
            number += 1
            yield self._scaled.until(number * self._spec.sync_period)
            self._sync()

    def _polls(self) -> Loop:
        number = 0
        while True:
            number += 1
            yield self._scaled.until(number * self._spec.polling_interval)
            waiting, current = self._waiting(), self._scaled.deployment.wanted
            fewest = self._scaled.bounds[0]
            now_s = self._scaled.clock.now
            wanted = self._activation.decide(now_s, current=current, waiting=waiting, fewest=fewest)
            if wanted != current:
                self._scaled.decide(wanted, reason="KEDA: any work or none", waiting=waiting)

    def _sync(self) -> None:
        now_s, current = self._scaled.clock.now, self._scaled.deployment.wanted
        if current == 0:
            return  # Kubernetes' autoscaler is off while there is no replica
        waiting = self._waiting()
        low, high = self._scaled.bounds
        self._behaviour.bounds = (max(1, low), high)
        wanted = wanted_for_total(current, waiting, self._target)
        settled = self._behaviour.settle(now_s, current=current, wanted=wanted)
        self._behaviour.changed(now_s, before=current, after=settled.limited)
        self._scaled.decide(settled.limited, waiting=waiting, wanted=wanted, stabilised=settled.stabilised)
