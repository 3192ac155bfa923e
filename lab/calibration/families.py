"""Distributions of times fitted by maximum likelihood, with right-censored observations where there are any."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from lab.distributions import Distribution, Exponential, Hyperexponential, Lognormal, Uniform
from lab.units import format_duration

Array = NDArray[np.float64]
_SHORTEST_S = 1e-9  # a mean below it is no time that anything takes
_MOST_SCV = 1000.0  # the scenario language allows no more


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """One family, fitted.

    Attributes:
        distribution: with its parameters.
        parameters: how many were fitted.
        log_likelihood: of the sample.
        cdf: its distribution function.
    """

    distribution: Distribution
    parameters: int
    log_likelihood: float
    cdf: Callable[[Array], Array]

    @property
    def aic(self) -> float:
        """Akaike's information criterion, 2k - 2 ln L: the lower the better."""
        return 2 * self.parameters - 2 * self.log_likelihood


def candidates(values_s: Array, above_s: Array) -> list[Candidate]:
    """Return each family of :mod:`lab.distributions` that can hold the sample, fitted to it.

    Args:
        values_s: complete observations.
        above_s: lower bounds of those that were cut off.
    """
    return [found for family in FAMILIES.values() if (found := family(values_s, above_s)) is not None]


def exponential(values_s: Array, above_s: Array) -> Candidate | None:
    """Return the exponential: the total time at risk divided by the number of complete observations."""
    mean_s = float((values_s.sum() + above_s.sum()) / len(values_s))
    if mean_s < _SHORTEST_S:
        return None
    fitted = Exponential(mean=_text(mean_s))
    return _candidate(fitted, stats.expon(scale=mean_s), 1, values_s, above_s)


def lognormal(values_s: Array, above_s: Array) -> Candidate | None:
    """Return the lognormal; with censoring its likelihood is maximised numerically (Tobit on logarithms)."""
    if values_s.min() <= 0:
        return None
    logs = np.log(values_s)
    location, scale = float(logs.mean()), float(logs.std())
    if len(above_s):
        bounds = np.log(np.maximum(above_s, _SHORTEST_S))

        def loss(point: Array) -> float:
            spread = math.exp(point[1])
            inside = -(((logs - point[0]) / spread) ** 2) / 2 - point[1]
            return -float(inside.sum() + special.log_ndtr((point[0] - bounds) / spread).sum())

        found = optimize.minimize(loss, [location, math.log(max(scale, 1e-6))], method="Nelder-Mead")
        location, scale = float(found.x[0]), math.exp(found.x[1])
    scv = math.expm1(scale**2) if scale < 3 else math.inf  # noqa: PLR2004  # e^9 is far beyond the bound
    if not 0 < scv <= _MOST_SCV:
        return None
    mean_s = math.exp(location + scale**2 / 2)
    if mean_s < _SHORTEST_S:
        return None
    fitted = Lognormal(mean=_text(mean_s), scv=scv)
    return _candidate(fitted, stats.lognorm(scale, scale=math.exp(location)), 2, values_s, above_s)


def uniform(values_s: Array, above_s: Array) -> Candidate | None:
    """Return the uniform between the extremes, drawn out by what is likely to lie beyond them."""
    low, high = float(values_s.min()), float(values_s.max())
    if len(above_s) or high - low < _SHORTEST_S:
        return None
    beyond = (high - low) / (len(values_s) - 1)
    low, high = max(0.0, low - beyond), high + beyond
    fitted = Uniform(low=_text(low), high=_text(high))
    return _candidate(fitted, stats.uniform(low, high - low), 2, values_s, above_s)


def hyperexponential(values_s: Array, above_s: Array) -> Candidate | None:
    """Return the mixture of two exponentials with balanced means, found numerically."""
    mean_s = float((values_s.sum() + above_s.sum()) / len(values_s))
    scv = float(values_s.var()) / mean_s**2 if mean_s > _SHORTEST_S else 0.0
    if scv <= 1:
        return None

    def loss(point: Array) -> float:
        law = _Mixture(math.exp(point[0]), 1 + math.exp(point[1]))
        return -law.log_likelihood(values_s, above_s)

    found = optimize.minimize(loss, [math.log(mean_s), math.log(scv - 1 + 1e-9)], method="Nelder-Mead")
    mean_s, scv = math.exp(found.x[0]), 1 + math.exp(found.x[1])
    if not 1 + 1e-6 < scv <= _MOST_SCV:
        return None
    law = _Mixture(mean_s, scv)
    return Candidate(
        distribution=Hyperexponential(mean=_text(mean_s), scv=scv),
        parameters=2,
        log_likelihood=law.log_likelihood(values_s, above_s),
        cdf=law.cdf,
    )


FAMILIES = {
    "exponential": exponential,
    "lognormal": lognormal,
    "uniform": uniform,
    "hyperexponential": hyperexponential,
}
"""Kind of distribution to what fits it; it returns None where the sample cannot be of that kind."""


class _Mixture:
    """The hyperexponential of :mod:`lab.distributions`, as its laws of probability."""

    def __init__(self, mean_s: float, scv: float) -> None:
        first = (1 + math.sqrt((scv - 1) / (scv + 1))) / 2
        self._shares = np.array([[first], [1 - first]])
        self._means_s = np.maximum(mean_s / (2 * self._shares), _SHORTEST_S)

    def log_likelihood(self, values_s: Array, above_s: Array) -> float:
        density = (self._shares / self._means_s * np.exp(-values_s / self._means_s)).sum(axis=0)
        beyond = (self._shares * np.exp(-above_s / self._means_s)).sum(axis=0)
        tiny = np.finfo(float).tiny
        return float(np.log(np.maximum(density, tiny)).sum() + np.log(np.maximum(beyond, tiny)).sum())

    def cdf(self, times_s: Array) -> Array:
        inside: Array = 1 - (self._shares * np.exp(-times_s / self._means_s)).sum(axis=0)
        return inside


def _candidate(
    distribution: Distribution, law: stats.rv_continuous, parameters: int, values_s: Array, above_s: Array
) -> Candidate:
    likelihood = float(law.logpdf(values_s).sum() + law.logsf(above_s).sum())
    return Candidate(distribution=distribution, parameters=parameters, log_likelihood=likelihood, cdf=law.cdf)


def _text(seconds: float) -> Any:  # what the fields of distributions take: a text, which is a float inside
    return format_duration(round(seconds, 9))
