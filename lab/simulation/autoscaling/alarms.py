"""The loop of AWS's scaling policies: a mean over each period, and a rule that decides at its end."""

from __future__ import annotations

from typing import Protocol

from lab.scenario.autoscaler import TargetTrackingAutoscaler
from lab.scenario.step_scaling import StepScalingAutoscaler
from lab.simulation.autoscaling.metrics import Meter, Snapshot
from lab.simulation.autoscaling.scaled import Loop, Scaled
from lab.simulation.autoscaling.target_tracking import Period
from lab.simulation.fleet import Life


class Rule(Protocol):
    """Decides at the end of each period; ``bounds`` are the fewest and the most replicas."""

    bounds: tuple[int, int]

    def decide(self, now_s: float, *, current: int, period: Period) -> int:
        """Return how many replicas are to be."""
        ...


class AlarmLoop:
    """Decides at the end of each period, on the mean of that period.

    A process that started after the run's begin counts from the first period that it is warm for as a whole.
    """

    def __init__(
        self, *, scaled: Scaled, meter: Meter, spec: TargetTrackingAutoscaler | StepScalingAutoscaler, rule: Rule
    ) -> None:
        self._scaled = scaled
        self._meter = meter
        self._spec = spec
        self._rule = rule
        self._told = {"target": spec.value} if isinstance(spec, TargetTrackingAutoscaler) else {}

    def run(self) -> Loop:
        """Decide for ever."""
        number, opening = 0, self._meter.read()
        while True:
            number += 1
            yield self._scaled.until(number * self._spec.period)
            closing = self._meter.read()
            self._decide(opening, closing)
            opening = closing

    def _decide(self, opening: Snapshot, closing: Snapshot) -> None:
        deployment, metric, values = self._scaled.deployment, self._spec.metric, []
        warming = len(deployment.living(Life.BOOTING)) + len(deployment.down)
        for member in deployment.living(Life.READY):
            if member.ready_s == 0 or member.ready_s + self._spec.warm_up <= opening.time_s:
                mean = self._meter.mean(metric, member, opening, closing)
                assert mean is not None  # it was ready when the period began
                values.append(mean)
            else:
                warming += 1
        mean = sum(values) / len(values) if values else None
        period = Period(mean=mean, warm=len(values), warming=warming)
        self._rule.bounds = self._scaled.bounds
        wanted = self._rule.decide(self._scaled.clock.now, current=deployment.wanted, period=period)
        self._scaled.decide(wanted, metric=metric, mean=mean, warm=len(values), warming=warming, **self._told)
