"""How bursty arrivals are: the variance of counts over their mean, which is 1 for a Poisson process.

Both processes are taken as after a long time, so that a count depends on how long is counted alone.
"""

from __future__ import annotations

import math

from lab.errors import DomainError
from lab.theory import domain


def modulated_dispersion(
    *, rates_per_s: tuple[float, float], stays_s_mean: tuple[float, float], counted_s: float
) -> float:
    """Return variance over mean of the number of arrivals whose rate switches between two.

    Args:
        rates_per_s: arrivals per second in the one phase and in the other, 0 or above, not both 0.
        stays_s_mean: mean length of the one phase and of the other (exponential), seconds, above 0.
        counted_s: how long is counted, seconds, above 0; may be infinite.

    Raises:
        DomainError: an argument outside of what is said above.

    Source: W. Fischer and K. Meier-Hellstern, "The Markov-modulated Poisson process (MMPP) cookbook", Performance
    Evaluation 18 (1993).

    >>> round(modulated_dispersion(rates_per_s=(10.0, 0.0), stays_s_mean=(1.0, 1.0), counted_s=math.inf), 6)
    6.0
    """
    first, second = (domain.non_negative(rate, name="rates_per_s") for rate in rates_per_s)
    leaves, returns = (1 / domain.positive(stay_s, name="stays_s_mean") for stay_s in stays_s_mean)
    if first == second == 0:
        raise DomainError("rates_per_s are both 0, but without arrivals nothing is counted; give one above 0")
    both = leaves + returns
    most = 2 * leaves * returns * (first - second) ** 2 / (both**2 * (first * returns + second * leaves))
    return 1 + most * _seen(both, counted_s)


def hawkes_dispersion(*, brought: float, delay_s_mean: float, counted_s: float) -> float:
    """Return variance over mean of the number of arrivals of a Hawkes process with an exponential kernel.

    Args:
        brought: how many others each arrival brings itself on average, from 0 to below 1.
        delay_s_mean: from an arrival to one that it brings, seconds, above 0.
        counted_s: how long is counted, seconds, above 0; may be infinite.

    Raises:
        DomainError: an argument outside of what is said above.

    Source: A. G. Hawkes, "Spectra of some self-exciting and mutually exciting point processes", Biometrika 58 (1971):
    the covariance density, integrated twice.

    >>> round(hawkes_dispersion(brought=0.5, delay_s_mean=2.0, counted_s=math.inf), 6)  # 1 / (1 - 0.5)^2
    4.0
    """
    if not 0 <= brought < 1:
        raise DomainError(f"brought is {brought!r}, but from 1 on arrivals grow without end; give 0 to below 1")
    fades = (1 - brought) / domain.positive(delay_s_mean, name="delay_s_mean")
    return 1 + brought * (2 - brought) / (1 - brought) ** 2 * _seen(fades, counted_s)


def _seen(fading_per_s: float, counted_s: float) -> float:
    """Return the share of the long-run correlation that a count of this length sees; it fades exponentially."""
    if math.isinf(counted_s):
        return 1.0
    folds = fading_per_s * domain.positive(counted_s, name="counted_s")
    return 1 + math.expm1(-folds) / folds
