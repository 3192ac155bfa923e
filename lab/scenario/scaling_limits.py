"""How many replicas there may be, and at which times that changes: what all autoscalers have, and the plainest one."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from lab.quantities import Count, CountOrZero, Duration, Spec


class ScheduledAction(Spec):
    """At a time, the limits of an autoscaler become others. What reacts to a metric goes on within them."""

    at: Duration = Field(description="When.")
    min: CountOrZero | None = Field(
        default=None, description="Fewest replicas from then on; if there are fewer, some are added. None: as before."
    )
    max: Count | None = Field(
        default=None,
        description="Most replicas from then on; if there are more, some are removed. None: as before.",
        le=10_000,
    )
    desired: Count | None = Field(
        default=None, description="Replicas to be at that moment, within the limits. None: as many as the limits ask."
    )

    @model_validator(mode="after")
    def _changes_something(self) -> ScheduledAction:
        if self.min is None and self.max is None and self.desired is None:
            raise ValueError("says when, but not what: give it a min, a max, or how many are desired")
        return self


class Limits(Spec):
    """What all autoscalers have."""

    min: CountOrZero = Field(default=1, description="Fewest replicas.")
    max: Count = Field(description="Most replicas.", le=10_000)
    quota: Count | None = Field(
        default=None,
        description="Most processes that the platform gives out (booting and draining ones count); what is wanted "
        "beyond it waits until some are free. None: no limit.",
    )
    schedule: tuple[ScheduledAction, ...] = Field(
        default=(), description="Times at which min and max become others, such as before an expected peak."
    )

    @model_validator(mode="after")
    def _ordered(self) -> Limits:
        if self.min > self.max:
            raise ValueError(f"min ({self.min}) must not be more than max ({self.max})")
        before_s = -1.0
        for action in self.schedule:
            low, high = self.limits_at(action.at)
            when = f"schedule: at {action.at:g} s"
            if action.at <= before_s:
                raise ValueError(f"{when} comes after {before_s:g} s; write the actions in the order of their times")
            if low > high:
                raise ValueError(f"{when}: min ({low}) must not be more than max ({high})")
            if action.desired is not None and not low <= action.desired <= high:
                raise ValueError(f"{when}: desired ({action.desired}) is not within min {low} to max {high}")
            before_s = action.at
        return self

    def limits_at(self, time_s: float) -> tuple[int, int]:
        """Return the fewest and the most replicas from this time on.

        >>> night = Limits(max=4, schedule=({"at": "10min", "min": 8, "max": 20}, {"at": "1h", "min": 1}))
        >>> night.limits_at(599), night.limits_at(600), night.limits_at(3600)
        ((1, 4), (8, 20), (1, 20))
        """
        low, high = self.min, self.max
        for action in self.schedule:
            if action.at <= time_s:
                low = low if action.min is None else action.min
                high = high if action.max is None else action.max
        return low, high

    @property
    def most(self) -> int:
        """The most replicas that there may ever be; a quota leaves no more."""
        highest = max([self.max, *(action.max for action in self.schedule if action.max is not None)])
        return highest if self.quota is None else min(highest, self.quota)


class ScheduledAutoscaler(Limits):
    """Nothing but a schedule: replicas are added and removed at given times, whatever comes."""

    kind: Literal["scheduled"] = "scheduled"
    schedule: tuple[ScheduledAction, ...] = Field(
        min_length=1, description="Times at which the limits, and with them the replicas, become others."
    )
