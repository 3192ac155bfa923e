"""Distributions of times, given by mean and squared coefficient of variation (scv) where that defines them.

Each turns one uniform number into one variate by its inverse transform through ``math``, so that an
addressed uniform gives an addressed variate, the same bits wherever the C library is the same.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from statistics import NormalDist
from typing import Annotated, Any, Literal, assert_never

from pydantic import BeforeValidator, Discriminator, Field, model_validator

from lab.quantities import Duration, Number, PositiveDuration, Spec


class Constant(Spec):
    """Always the same time; ``2ms`` alone is short for it."""

    kind: Literal["constant"] = "constant"
    mean: Duration = Field(description="The time itself.")


class Exponential(Spec):
    """Memoryless times (scv 1)."""

    kind: Literal["exponential"] = "exponential"
    mean: PositiveDuration = Field(description="The mean time.")


class Lognormal(Spec):
    """Skewed times whose logarithm is normal: the usual shape of measured service times."""

    kind: Literal["lognormal"] = "lognormal"
    mean: PositiveDuration = Field(description="The mean time.")
    scv: Annotated[Number, Field(gt=0, le=1000)] = Field(
        description="Squared coefficient of variation: variance / mean^2."
    )


class Uniform(Spec):
    """Times spread evenly between two bounds."""

    kind: Literal["uniform"] = "uniform"
    low: Duration = Field(description="The shortest time.")
    high: PositiveDuration = Field(description="The longest time.")

    @model_validator(mode="after")
    def _ordered(self) -> Uniform:
        if self.low >= self.high:
            raise ValueError(f"low ({self.low:g} s) must be less than high ({self.high:g} s)")
        return self


class Hyperexponential(Spec):
    """A mixture of two exponentials with balanced means: more variable than exponential."""

    kind: Literal["hyperexponential"] = "hyperexponential"
    mean: PositiveDuration = Field(description="The mean time.")
    scv: Annotated[Number, Field(gt=1, le=1000)] = Field(description="Squared coefficient of variation, above 1.")


class Empirical(Spec):
    """Times drawn from observed ones, each as likely as the other."""

    kind: Literal["empirical"] = "empirical"
    values: tuple[Duration, ...] = Field(min_length=1, description="The observed times.")


def _constant_from_text(value: Any) -> Any:
    return {"kind": "constant", "mean": value} if isinstance(value, str) else value


Distribution = Annotated[
    Annotated[
        Constant | Exponential | Lognormal | Uniform | Hyperexponential | Empirical,
        Discriminator("kind"),
    ],
    BeforeValidator(_constant_from_text),
]
"""Any distribution of times; a text such as ``2ms`` is the constant."""


def quantile_function(distribution: Distribution) -> Callable[[float], float]:
    """Return the function that maps a uniform number in (0, 1) to a time in seconds.

    >>> round(quantile_function(Exponential(mean="1s"))(0.5), 6)  # the median is ln 2
    0.693147
    """
    match distribution:
        case Constant(mean=mean):
            return lambda _: mean
        case Exponential(mean=mean):
            log1p = math.log1p
            return lambda uniform: -mean * log1p(-uniform)
        case Lognormal(mean=mean, scv=scv):
            variance = math.log1p(scv)
            location, scale, exp = math.log(mean) - variance / 2, math.sqrt(variance), math.exp
            normal = NormalDist().inv_cdf
            return lambda uniform: exp(location + scale * normal(uniform))
        case Uniform(low=low, high=high):
            return lambda uniform: low + (high - low) * uniform
        case Hyperexponential(mean=mean, scv=scv):
            return _hyperexponential(mean, scv)
        case Empirical(values=values):
            ordered, count = sorted(values), len(values)
            return lambda uniform: ordered[int(uniform * count)]
        case _:
            assert_never(distribution)


def _hyperexponential(mean: float, scv: float) -> Callable[[float], float]:
    first = (1 + math.sqrt((scv - 1) / (scv + 1))) / 2
    fast, slow, log1p = mean / (2 * first), mean / (2 * (1 - first)), math.log1p

    def variate(uniform: float) -> float:
        if uniform < first:
            return -fast * log1p(-uniform / first)
        return -slow * log1p(-(uniform - first) / (1 - first))

    return variate


def is_free(distribution: Distribution) -> bool:
    """Return whether it is always 0, so that nobody need wait for it.

    >>> is_free(Constant(mean="0s")), is_free(Constant(mean="1ms"))
    (True, False)
    """
    return isinstance(distribution, Constant) and distribution.mean == 0


def mean_s(distribution: Distribution) -> float:
    """Return the mean of a distribution in seconds.

    >>> mean_s(Uniform(low="1ms", high="3ms"))
    0.002
    """
    match distribution:
        case Uniform(low=low, high=high):
            return (low + high) / 2
        case Empirical(values=values):
            return math.fsum(values) / len(values)
        case _:
            return distribution.mean


def scaled(distribution: Distribution, factor: float) -> Distribution:
    """Return the distribution of ``factor`` times as long times: same shape, every quantile scaled.

    Args:
        factor: above 0.

    >>> mean_s(scaled(Uniform(low="1ms", high="3ms"), 2.0))
    0.004
    """
    match distribution:
        case Uniform(low=low, high=high):
            changed: dict[str, object] = {"low": low * factor, "high": high * factor}
        case Empirical(values=values):
            changed = {"values": tuple(value * factor for value in values)}
        case _:
            changed = {"mean": distribution.mean * factor}
    return distribution.model_copy(update=changed)


def scv(distribution: Distribution) -> float:
    """Return the squared coefficient of variation (variance / mean^2) of a distribution.

    >>> scv(Exponential(mean="4ms"))
    1.0
    """
    mean = mean_s(distribution)
    match distribution:
        case Constant():
            return 0.0
        case Exponential():
            return 1.0
        case Lognormal(scv=value) | Hyperexponential(scv=value):
            return value
        case Uniform(low=low, high=high):
            return (high - low) ** 2 / 12 / mean**2
        case Empirical(values=values):
            return math.fsum((v - mean) ** 2 for v in values) / len(values) / mean**2 if mean else 0.0
        case _:
            assert_never(distribution)


def discrete_quantiles(weights: list[float]) -> Callable[[float], int]:
    """Return the function that maps a uniform number to an index, by weight.

    >>> discrete_quantiles([1.0, 3.0])(0.3)
    1
    """
    total, cumulative = 0.0, []
    for weight in weights:
        total += weight
        cumulative.append(total)
    last = len(weights) - 1
    return lambda uniform: min(bisect_right(cumulative, uniform * total), last)
