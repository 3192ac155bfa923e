"""Scheduled actions: at given times the limits of an autoscaler become others."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from lab.scenario.scaling_limits import ScheduledAction
from lab.simulation.autoscaling.scaled import Scaled


class Calendar:
    """Has each action happen at its time, before the autoscaler looks if it looks just then.

    ::

        at its time --> the limits are others --> as many replicas as the action desires, or as before, within them

    What reacts to a metric goes on from there: the larger of schedule and metric wins, as in AWS and in KEDA.

    Source: AWS, "Scheduled scaling for Amazon EC2 Auto Scaling".
    """

    def __init__(self, *, scaled: Scaled, actions: Sequence[ScheduledAction]) -> None:
        self._scaled = scaled
        for action in actions:
            scaled.at(action.at, partial(self._act, action))

    def _act(self, action: ScheduledAction) -> None:
        scaled = self._scaled
        low, high = scaled.bounds
        low = low if action.min is None else action.min
        high = high if action.max is None else action.max
        scaled.bounds = (low, high)
        wanted = scaled.deployment.wanted if action.desired is None else action.desired
        scaled.decide(max(low, min(high, wanted)), reason="schedule", min=low, max=high)
