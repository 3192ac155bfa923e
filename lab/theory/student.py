"""Student's t and the normal distribution, as far as intervals need them."""

from __future__ import annotations

import importlib
from statistics import NormalDist
from typing import Any

from lab.theory import domain


def t_quantile(probability: float, *, degrees_of_freedom: int) -> float:
    """Return the value below which Student's t lies with the given probability.

    Source: Student (1908), "The probable error of a mean", Biometrika 6; any table of t.

    >>> round(t_quantile(0.975, degrees_of_freedom=9), 3)
    2.262
    """
    p = domain.open_probability(probability, name="probability")
    freedom = domain.whole(degrees_of_freedom, name="degrees_of_freedom", at_least=1)
    return float(_scipy_special().stdtrit(freedom, p))


def t_cdf(value: float, *, degrees_of_freedom: int) -> float:
    """Return the probability that Student's t is at most ``value`` (which may be infinite).

    >>> round(t_cdf(2.262, degrees_of_freedom=9), 3)
    0.975
    """
    freedom = domain.whole(degrees_of_freedom, name="degrees_of_freedom", at_least=1)
    return float(_scipy_special().stdtr(freedom, value))


def normal_quantile(probability: float) -> float:
    """Return the value below which a standard normal variate lies with the given probability.

    >>> round(normal_quantile(0.975), 3)
    1.96
    """
    return NormalDist().inv_cdf(domain.open_probability(probability, name="probability"))


def _scipy_special() -> Any:
    """Return ``scipy.special``, imported at the first use: importing lab must stay fast."""
    return importlib.import_module("scipy.special")
