"""Who asks for what, when: arrivals, the mix of endpoints and the keys."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, assert_never

from pydantic import BeforeValidator, Discriminator, Field, field_validator, model_validator

from lab.quantities import Count, Duration, Number, PositiveDuration, Rate, Ratio, Spec
from lab.scenario.names import Name

_ROUNDING = 1e-9  # 33.3% + 33.3% + 33.4% is not 1 to the last bit


class ConstantRate(Spec):
    """Arrivals at one rate; ``50/s`` alone is short for it."""

    kind: Literal["constant"] = "constant"
    rate: Rate = Field(description="Mean arrivals per time.")


class RampRate(Spec):
    """A rate that moves in a straight line, and stays at its end."""

    kind: Literal["ramp"] = "ramp"
    start: Rate = Field(description="The rate at the start.")
    end: Rate = Field(description="The rate at the end of the ramp, and from then on.")
    over: PositiveDuration = Field(description="How long the ramp takes.")


class RateStep(Spec):
    """One step of a staircase."""

    at: Duration = Field(description="When this rate begins.")
    rate: Rate = Field(description="The rate from then on.")


class StepsRate(Spec):
    """A staircase of rates."""

    kind: Literal["steps"] = "steps"
    steps: tuple[RateStep, ...] = Field(min_length=1, description="The steps; the first is at 0s.")

    @model_validator(mode="after")
    def _in_order(self) -> StepsRate:
        times = [step.at for step in self.steps]
        if times[0] != 0:
            raise ValueError("the first step must be at 0s, or the rate before it is unknown")
        if any(later <= earlier for earlier, later in pairwise(times)):
            raise ValueError("the steps must be in order of time, each later than the one before")
        return self


class SpikeRate(Spec):
    """A base rate with one spike: up in a straight line, held, down again."""

    kind: Literal["spike"] = "spike"
    base: Rate = Field(description="The rate before and after.")
    peak: Rate = Field(description="The rate while the spike holds.")
    at: Duration = Field(description="When the rise begins.")
    rise: Duration = Field(description="How long the rise takes.")
    hold: Duration = Field(description="How long the peak holds.")
    fall: Duration = Field(description="How long the fall takes.")


def _constant_from_text(value: object) -> object:
    return {"kind": "constant", "rate": value} if isinstance(value, str) else value


ArrivalRate = Annotated[
    Annotated[ConstantRate | RampRate | StepsRate | SpikeRate, Discriminator("kind")],
    BeforeValidator(_constant_from_text),
]


class UniformKeys(Spec):
    """Every key as popular as the other."""

    kind: Literal["uniform"] = "uniform"
    count: Count = Field(description="How many keys there are.")


class ZipfKeys(Spec):
    """A few keys are asked for most: the k-th most popular with weight k^-exponent."""

    kind: Literal["zipf"] = "zipf"
    exponent: Annotated[Number, Field(ge=0, le=5)] = Field(description="0 is uniform; web about 0.8 to 1.")
    count: Count = Field(description="How many keys there are.")


Keys = Annotated[UniformKeys | ZipfKeys, Discriminator("kind")]


class OpenWorkload(Spec):
    """Requests arrive by themselves (Poisson), however slow the answers are."""

    kind: Literal["open"]
    arrival_rate: ArrivalRate = Field(description="Arrivals over time.")
    endpoints: dict[Name, Ratio] = Field(min_length=1, description="The mix: endpoint to share; sums to 100%.")
    keys: Keys = Field(
        default=UniformKeys(count=1), description="Which item a request is about, and how popular each is."
    )

    @field_validator("endpoints")
    @classmethod
    def _whole(cls, endpoints: dict[str, float]) -> dict[str, float]:
        total = sum(endpoints.values())
        if abs(total - 1) > _ROUNDING:
            shares = " + ".join(f"{name} {share * 100:g}%" for name, share in endpoints.items())
            raise ValueError(f"{shares} = {total * 100:g}%, but the shares must sum to 100%")
        return endpoints


Workload = OpenWorkload


def rate_points(rate: ArrivalRate, duration_s: float) -> list[tuple[float, float]]:
    """Return the arrival rate as corner points (time in s, rate per s), straight lines between.

    A jump is two points at one time. The first point is at 0, the last at ``duration_s``.
    """
    match rate:
        case ConstantRate():
            points = [(0.0, rate.rate)]
        case RampRate():
            points = [(0.0, rate.start), (rate.over, rate.end)]
        case StepsRate():
            points = []
            for step in rate.steps:
                if points:
                    points.append((step.at, points[-1][1]))
                points.append((step.at, step.rate))
        case SpikeRate():
            points = [(0.0, rate.base)]
            time_s = rate.at
            points.append((time_s, rate.base))
            for span_s, level in ((rate.rise, rate.peak), (rate.hold, rate.peak), (rate.fall, rate.base)):
                time_s += span_s
                points.append((time_s, level))
        case _:
            assert_never(rate)
    return _cut(points, duration_s)


def _cut(points: list[tuple[float, float]], duration_s: float) -> list[tuple[float, float]]:
    kept: list[tuple[float, float]] = []
    for time_s, level in points:
        if time_s > duration_s:
            before_s, before = kept[-1]
            share = (duration_s - before_s) / (time_s - before_s)
            kept.append((duration_s, before + share * (level - before)))
            return kept
        kept.append((time_s, level))
    kept.append((duration_s, kept[-1][1]))
    return kept
