"""A limit of concurrency that a service finds by itself, from how long its requests take."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, model_validator

from lab.quantities import Count, Number, PositiveDuration, Ratio, Spec

_WINDOW = (
    "How long samples are averaged before they change the limit, if they are ten or more (WindowedLimit: 1s). None: "
    "each sample changes it."
)


class Gradient2(Spec):
    """Netflix's Gradient2: grows while requests take no longer than usual, and shrinks by how much longer they take.

    With each sample the limit L becomes L (1 - s) + s (L g + q), where s is the smoothing, q the room for a queue, and
    g the usual time, an average over many samples, times the tolerance, divided by this time; but at least 1/2 and at
    most 1. It does not change while less than half of it is in use. What is usual follows an overload that lasts.

    Source: Netflix concurrency-limits, Gradient2Limit and its defaults.
    """

    kind: Literal["gradient2"] = "gradient2"
    initial: Count = Field(default=20, description="The limit at the start of a process.")
    min: Count = Field(default=20, description="The lowest limit.")
    max: Count = Field(default=200, description="The highest limit.")
    queue_size: Count = Field(default=4, description="Room for a queue: what the limit grows by while all is as usual.")
    tolerance: Annotated[Number, Field(ge=1, le=100)] = Field(
        default=1.5, description="How many times the usual time is still as usual."
    )
    smoothing: Ratio = Field(default="20%", validate_default=True, description="Weight of the new limit.")
    long_window: Count = Field(
        default=600, description="Samples over which the usual time is averaged (exponentially)."
    )
    window: PositiveDuration | None = Field(default=None, description=_WINDOW)

    @model_validator(mode="after")
    def _between(self) -> Gradient2:
        _in_order(self.min, self.initial, self.max)
        return self


class Vegas(Spec):
    """TCP Vegas as Netflix has it: reckons how many of those under way only wait, and keeps them few.

    With the shortest time seen, T, a request that took t tells of L (1 - T / t) waiting ones, rounded up. If those are
    at most log10 L the limit grows by 6 log10 L; if less than 3 log10 L by log10 L; if more than 6 log10 L it shrinks
    by log10 L, each log10 rounded down and at least 1. From time to time the next sample is taken for the shortest
    time, whatever it is, so that a lasting overload is taken for usual.

    Source: Netflix concurrency-limits, VegasLimit and its defaults.
    """

    kind: Literal["vegas"] = "vegas"
    initial: Count = Field(default=20, description="The limit at the start of a process.")
    max: Count = Field(default=1000, description="The highest limit; the lowest is 1.")
    smoothing: Ratio = Field(default="100%", validate_default=True, description="Weight of the new limit.")
    probe_multiplier: Count = Field(
        default=30, description="The shortest time is taken anew after 0.5 to 1 times this times the limit samples."
    )
    window: PositiveDuration | None = Field(default=None, description=_WINDOW)

    @model_validator(mode="after")
    def _between(self) -> Vegas:
        _in_order(1, self.initial, self.max)
        return self


class Aimd(Spec):
    """Additive increase, multiplicative decrease: one more with each sample, a tenth less with each that took too long.

    It does not grow while less than half of it is in use.

    Source: Netflix concurrency-limits, AIMDLimit; the bounds and the first limit are those of its other limits.
    """

    kind: Literal["aimd"] = "aimd"
    initial: Count = Field(default=20, description="The limit at the start of a process.")
    min: Count = Field(default=20, description="The lowest limit.")
    max: Count = Field(default=200, description="The highest limit.")
    timeout: PositiveDuration = Field(
        default="5s", validate_default=True, description="A request that takes longer tells of an overload."
    )
    backoff_ratio: Annotated[Ratio, Field(ge=0.5, lt=1)] = Field(
        default="90%", validate_default=True, description="What the limit shrinks to when a request took too long."
    )
    window: PositiveDuration | None = Field(default=None, description=_WINDOW)

    @model_validator(mode="after")
    def _between(self) -> Aimd:
        _in_order(self.min, self.initial, self.max)
        return self


def _in_order(least: int, initial: int, most: int) -> None:
    if not least <= initial <= most:
        raise ValueError(f"initial is {initial}, but the limit lies between {least} and {most}")


def _kind_from_text(value: object) -> object:
    return {"kind": value} if isinstance(value, str) else value


AdaptiveConcurrency = Annotated[
    Annotated[Gradient2 | Vegas | Aimd, Discriminator("kind")], BeforeValidator(_kind_from_text)
]
"""Any rule; a bare word such as ``vegas`` is the one of that kind with its defaults."""
