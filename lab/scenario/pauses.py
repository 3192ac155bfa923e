"""Pauses in which a whole process stands still, such as those of a garbage collector."""

from __future__ import annotations

from pydantic import Field, field_validator

from lab.distributions import Distribution, mean_s
from lab.quantities import Spec


class Pauses(Spec):
    """Each process stands still now and then, by itself: no handler and no thread of it goes on.

    They come by the clock, not by how much was allocated, and take no CPU time from anybody else. The first gap begins
    when the process starts, each later one when a pause ends. Health checks do not see them.
    """

    every: Distribution = Field(description="From the end of one pause to the begin of the next.")
    time: Distribution = Field(description="How long a pause takes.")

    @field_validator("every", "time")
    @classmethod
    def _takes_time(cls, time: Distribution) -> Distribution:
        if mean_s(time) <= 0:
            raise ValueError("0s would stop the process for ever or never; give a time above 0, or leave pauses out")
        return time
