"""How often each key is asked for, checked: what the cache formulas start from."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lab.errors import DomainError


def request_rates(request_rates_per_s: ArrayLike) -> NDArray[np.float64]:
    """Return the request rates of the keys as an array of shape (keys,).

    Raises:
        DomainError: no key, another shape, a rate that is negative or not finite, or all of them 0.

    >>> request_rates([2, 1]).tolist()
    [2.0, 1.0]
    """
    rates = np.asarray(request_rates_per_s, dtype=np.float64)
    if rates.ndim != 1 or rates.size == 0:
        raise DomainError(
            f"request_rates_per_s has shape {rates.shape}, but there must be one rate a key and one key at "
            "least; give a flat list of rates"
        )
    wrong = np.flatnonzero(~(np.isfinite(rates) & (rates >= 0.0)))
    if wrong.size:
        raise DomainError(
            f"request_rates_per_s[{wrong[0]}] is {float(rates[wrong[0]])!r}, but a rate is a finite number, "
            "0 or above; correct it"
        )
    if not rates.any():
        raise DomainError(
            "request_rates_per_s are all 0, but without requests there is no hit ratio; give a rate above 0"
        )
    return rates
