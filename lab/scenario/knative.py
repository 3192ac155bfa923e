"""Knative's autoscaler as it is described: pods by requests under way, quicker in a panic, none while nobody asks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lab.quantities import Count, CountOrZero, Duration, Number, PositiveDuration, Ratio
from lab.scenario.scaling_limits import Limits

_TARGET = 100.0  # Knative's container-concurrency-target-default
_LEAST_TARGET = 0.01  # Knative's own


class KnativeAutoscaler(Limits):
    """Knative's pod autoscaler (KPA) with its activator, which is always in the path (target-burst-capacity: -1).

    The service is called directly: the activator hands its requests out, and keeps those for which no pod has room.
    """

    kind: Literal["knative"] = "knative"
    min: CountOrZero = Field(default=0, description="Fewest pods; 0: none while nobody asks.")
    max: Count = Field(default=1000, description="Most pods. Knative's own default is no limit.", le=10_000)
    target: Annotated[Number, Field(gt=0)] | None = Field(
        default=None,
        description="Requests under way that a pod should have at most, waiting ones included. None: the "
        "concurrency of the service, or 100 if it has no limit.",
    )
    target_utilization: Annotated[Ratio, Field(gt=0)] = Field(
        default="70%", validate_default=True, description="The share of the target that is aimed at."
    )
    tick: PositiveDuration = Field(default="2s", validate_default=True, description="How often it decides.")
    stable_window: PositiveDuration = Field(
        default="60s", validate_default=True, description="The time over which requests under way are a mean."
    )
    panic_window_percentage: Annotated[Ratio, Field(gt=0)] = Field(
        default="10%",
        validate_default=True,
        description="The window that tells a panic, as a share of the stable one; whole seconds, at least one.",
    )
    panic_threshold: Annotated[Number, Field(ge=1)] = Field(
        default=2.0, description="It panics when the panic window asks for so many times the pods that are ready."
    )
    max_scale_up_rate: Annotated[Number, Field(gt=1)] = Field(
        default=1000.0, description="At most so many times the pods that are ready, at each tick."
    )
    max_scale_down_rate: Annotated[Number, Field(gt=1)] = Field(
        default=2.0, description="At least the pods that are ready divided by so many, at each tick."
    )
    scale_down_delay: Duration = Field(
        default="0s", validate_default=True, description="Fewer pods only after all decisions in this time were lower."
    )
    scale_to_zero_grace_period: Duration = Field(
        default="30s", validate_default=True, description="The last pod goes so long after it was no longer wanted."
    )
    activator_capacity: Count = Field(
        default=10_000, description="Requests that may wait in the activator; beyond it: 503."
    )
    activator_timeout: PositiveDuration = Field(
        default="5min", validate_default=True, description="Longest wait in the activator; then 503."
    )

    def aim(self, concurrency: int | None) -> float:
        """Return the requests under way that a pod should have: its target times the utilisation aimed at.

        >>> KnativeAutoscaler().aim(None), KnativeAutoscaler(target=20).aim(10)
        (70.0, 7.0)
        """
        most = float(concurrency or _TARGET)
        if self.target is not None:
            most = self.target if concurrency is None else min(self.target, most)
        return max(_LEAST_TARGET, most * self.target_utilization)
