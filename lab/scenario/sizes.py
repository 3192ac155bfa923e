"""How large the entries of a cache are, key by key."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Annotated, Literal, assert_never

from pydantic import Discriminator, Field, model_validator

from lab.quantities import Bytes, Number, Spec


class UniformSizes(Spec):
    """Sizes spread evenly between two bounds."""

    kind: Literal["uniform"] = "uniform"
    low: Bytes = Field(description="The smallest size.")
    high: Bytes = Field(description="The largest size.")

    @model_validator(mode="after")
    def _ordered(self) -> UniformSizes:
        if self.low >= self.high:
            raise ValueError(f"low ({self.low:g} B) must be less than high ({self.high:g} B)")
        return self


class LognormalSizes(Spec):
    """Skewed sizes: most are small, a few are large."""

    kind: Literal["lognormal"] = "lognormal"
    mean: Bytes = Field(description="The mean size.")
    scv: Annotated[Number, Field(gt=0, le=1000)] = Field(
        description="Squared coefficient of variation: variance / mean^2."
    )


Sizes = Annotated[UniformSizes | LognormalSizes, Discriminator("kind")]


def size_function(sizes: Sizes) -> Callable[[float], float]:
    """Return the function that maps a uniform number in (0, 1) to a size in bytes.

    >>> size_function(UniformSizes(low="1KiB", high="3KiB"))(0.5)
    2048.0
    """
    match sizes:
        case UniformSizes(low=low, high=high):
            return lambda uniform: low + (high - low) * uniform
        case LognormalSizes(mean=mean, scv=scv):
            variance, normal = math.log1p(scv), NormalDist()
            location, scale = math.log(mean) - variance / 2, math.sqrt(variance)
            return lambda uniform: math.exp(location + scale * normal.inv_cdf(uniform))
        case _:
            assert_never(sizes)


def mean_bytes(sizes: Sizes) -> float:
    """Return the mean size in bytes.

    >>> mean_bytes(UniformSizes(low="1KiB", high="3KiB"))
    2048.0
    """
    match sizes:
        case UniformSizes(low=low, high=high):
            return (low + high) / 2
        case LognormalSizes(mean=mean):
            return mean
        case _:
            assert_never(sizes)
