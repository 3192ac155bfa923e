"""How arrivals run over time: curves of a rate, and herds of clients that come at one moment."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Literal, Union, assert_never

from pydantic import BeforeValidator, Discriminator, Field, model_validator

from lab.quantities import Count, Duration, Number, PositiveDuration, Rate, Spec
from lab.scenario.bursts import HawkesRate, ModulatedRate

Points = list[tuple[float, float]]
"""Corner points (time in s, rate per s) with straight lines between; a jump is two points at one time."""

_PIECES = 288  # straight lines a period of a diurnal rate: five minutes each where the period is a day


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


class DiurnalRate(Spec):
    """A rate that swings with the time of day, as a sine around its mean.

    Over a day, traffic to a worldwide service peaks at 1.6 to 1.7 times its mean and moves by a factor of 3 to 4
    between its lowest and its highest (B. Brazil, Robust Perception); a sine of 1.6 moves by a factor of 4.
    """

    kind: Literal["diurnal"] = "diurnal"
    mean: Rate = Field(description="The mean rate over a period.")
    peak_to_mean: Annotated[Number, Field(ge=1, le=2)] = Field(
        default=1.6, description="Highest rate over mean rate, 1 to 2; the lowest is as far below the mean."
    )
    period: PositiveDuration = Field(
        default="24h",
        validate_default=True,
        description="From one peak to the next.",
    )
    peak_at: Duration = Field(description="When the rate is highest; the run starts at 0s.")


class Herd(Spec):
    """So many clients at one moment, or spread evenly over a stretch by jitter: exactly so many, never by chance.

    What a fleet of phones does that lost its connection at one time and asks for it again.
    """

    kind: Literal["herd"] = "herd"
    clients: Count = Field(description="How many come.")
    at: Duration = Field(description="When the first of them may come.")
    jitter: Duration = Field(
        default="0s",
        validate_default=True,
        description="Each comes at an even draw between at and at + jitter; 0s: all at once.",
    )


class SumRate(Spec):
    """Several of these together, such as a day's swing and a herd."""

    kind: Literal["sum"] = "sum"
    of: tuple[ArrivalRate, ...] = Field(min_length=1, description="What is added up.")


def _constant_from_text(value: object) -> object:
    return {"kind": "constant", "rate": value} if isinstance(value, str) else value


ArrivalRate = Annotated[
    Annotated[
        Union[  # noqa: UP007  # recursive
            ConstantRate, RampRate, StepsRate, SpikeRate, DiurnalRate, ModulatedRate, HawkesRate, Herd, SumRate
        ],
        Discriminator("kind"),
    ],
    BeforeValidator(_constant_from_text),
]

SumRate.model_rebuild()

Curve = ConstantRate | RampRate | StepsRate | SpikeRate | DiurnalRate
Burst = ModulatedRate | HawkesRate


def curves(rate: ArrivalRate) -> Iterator[Curve]:
    """Yield what of the arrivals comes by chance at a given rate (Poisson); these rates add up."""
    return (part for part in _parts(rate) if isinstance(part, Curve))


def bursts(rate: ArrivalRate) -> Iterator[Burst]:
    """Yield the bursts among the arrivals, in the order in which they are written."""
    return (part for part in _parts(rate) if isinstance(part, Burst))


def herds(rate: ArrivalRate) -> Iterator[Herd]:
    """Yield the herds among the arrivals, in the order in which they are written."""
    return (part for part in _parts(rate) if isinstance(part, Herd))


def _parts(rate: ArrivalRate) -> Iterator[Curve | Burst | Herd]:
    if isinstance(rate, SumRate):
        for part in rate.of:
            yield from _parts(part)
    else:
        yield rate


def chance_points(rate: ArrivalRate, duration_s: float) -> Points:
    """Return the rate of the arrivals that come by chance at a given rate; herds and bursts are left out.

    A diurnal rate is drawn with 288 straight lines a period. Between their ends it is low or high by at most
    (peak - mean) x pi^2 / (2 x 288^2), 0.006 % of its swing; over a whole period its integral is exact.

    Returns:
        The first point at 0, the last at ``duration_s``.
    """
    return sum_of([cut(_points(curve, duration_s), duration_s) for curve in curves(rate)], duration_s)


def rate_points(rate: ArrivalRate, duration_s: float) -> Points:
    """Return the mean arrival rate, herds included, as corner points from 0 to ``duration_s``.

    A herd with jitter is a rate of clients / jitter while it lasts; one that comes all at once lasts no time, so it
    is in :func:`arrivals_expected` alone. Bursts have the mean rate that they have in the long run.
    """
    spread = [_herd_points(herd) for herd in herds(rate) if herd.jitter > 0 and herd.at < duration_s]
    steady: list[Points] = [[(0.0, burst.mean_rate_per_s)] for burst in bursts(rate)]
    others = (cut(points, duration_s) for points in (*spread, *steady))
    return sum_of([chance_points(rate, duration_s), *others], duration_s)


def arrivals_expected(rate: ArrivalRate, duration_s: float) -> float:
    """Return the mean number of arrivals from 0 to ``duration_s``."""
    at_once = sum(herd.clients for herd in herds(rate) if herd.jitter == 0 and herd.at < duration_s)
    return at_once + math.fsum(
        (later_s - time_s) * (before + after) / 2
        for (time_s, before), (later_s, after) in pairwise(rate_points(rate, duration_s))
    )


def _points(rate: Curve, duration_s: float) -> Points:
    match rate:
        case ConstantRate():
            return [(0.0, rate.rate)]
        case RampRate():
            return [(0.0, rate.start), (rate.over, rate.end)]
        case StepsRate():
            points: Points = []
            for step in rate.steps:
                if points:
                    points.append((step.at, points[-1][1]))
                points.append((step.at, step.rate))
            return points
        case SpikeRate():
            points = [(0.0, rate.base), (rate.at, rate.base)]
            time_s = rate.at
            for span_s, level in ((rate.rise, rate.peak), (rate.hold, rate.peak), (rate.fall, rate.base)):
                time_s += span_s
                points.append((time_s, level))
            return points
        case DiurnalRate():
            step_s = rate.period / _PIECES
            swing = rate.mean * (rate.peak_to_mean - 1)
            count = math.ceil(duration_s / step_s)
            return [
                (i * step_s, rate.mean + swing * math.cos(2 * math.pi * (i * step_s - rate.peak_at) / rate.period))
                for i in range(count + 1)
            ]
        case _:
            assert_never(rate)


def _herd_points(herd: Herd) -> Points:
    level, end_s = herd.clients / herd.jitter, herd.at + herd.jitter
    return [(0.0, 0.0), (herd.at, 0.0), (herd.at, level), (end_s, level), (end_s, 0.0)]


def cut(points: Points, duration_s: float) -> Points:
    """Return a rate up to ``duration_s``, where it ends."""
    kept: Points = []
    for time_s, level in points:
        if time_s > duration_s:
            before_s, before = kept[-1]
            share = (duration_s - before_s) / (time_s - before_s)
            kept.append((duration_s, before + share * (level - before)))
            return kept
        kept.append((time_s, level))
    kept.append((duration_s, kept[-1][1]))
    return kept


def sum_of(parts: list[Points], duration_s: float) -> Points:
    """Return the sum of rates, each given from 0 to ``duration_s``."""
    if len(parts) == 1:
        return parts[0]
    times = [[time_s for time_s, _ in points] for points in parts]
    total: Points = []
    for time_s in sorted({0.0, duration_s, *(time_s for part in times for time_s in part)}):
        sides = [_sides(points, part, time_s) for points, part in zip(parts, times, strict=True)]
        before, after = (math.fsum(side[i] for side in sides) for i in (0, 1))
        total.append((time_s, before if time_s > 0 else after))
        if before != after and 0 < time_s < duration_s:
            total.append((time_s, after))
    return total


def _sides(points: Points, times: list[float], time_s: float) -> tuple[float, float]:
    """Return the level just before and just after a time between the first point and the last."""
    first, end = bisect_left(times, time_s), bisect_right(times, time_s)
    if first < end:
        return points[first][1], points[end - 1][1]
    (start_s, start), (end_s, last) = points[first - 1], points[first]
    level = start + (time_s - start_s) / (end_s - start_s) * (last - start)
    return level, level
