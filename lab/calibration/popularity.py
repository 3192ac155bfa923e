"""How popular keys are: Zipf's exponent by maximum likelihood, and how many keys there are by those that were seen.

Key k of the scenario language is the (k+1)-th most popular one, so ranks need not be guessed from counts (which would
make the law look steeper than it is).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from lab.calibration.sample import FEWEST
from lab.errors import NotEnoughData, Unsupported
from lab.runs.run import Run
from lab.scenario.calibration import CalibratedValue
from lab.scenario.keys import UniformKeys, ZipfKeys
from lab.scenario.scenario import Scenario

EXPONENT, COUNT = "workload.keys.exponent", "workload.keys.count"
_STEEPEST = 5.0  # the scenario language knows no steeper law
_MOST_KEYS = 10_000_000


def popularity(run: Run, scenario: Scenario, paths: frozenset[str]) -> dict[str, CalibratedValue]:
    """Return the exponent and the count of keys, those of them that are asked for.

    Args:
        run: whose requests' keys are taken.
        scenario: whose law of keys it is, and which values hold for what is not asked for.
        paths: the parameters.

    Raises:
        Unsupported: the law has other parameters.
        NotEnoughData: too few requests, or all about one key.
    """
    wanted = sorted(paths & {EXPONENT, COUNT})
    if not wanted:
        return {}
    law = getattr(scenario.workload, "keys", None)
    if not isinstance(law, ZipfKeys | UniformKeys):
        raise Unsupported(
            f"{wanted[0]}: the keys are of kind {getattr(law, 'kind', 'none')!r}; zipf and uniform can be"
        )
    keys = np.asarray(run.requests["key"])
    if len(keys) < FEWEST or keys.max() == 0:
        raise NotEnoughData(f"{wanted[0]}: {len(keys)} requests for {len(np.unique(keys))} keys tell nothing of it")
    exponent = law.exponent if isinstance(law, ZipfKeys) else 0.0
    count = law.count
    found: dict[str, CalibratedValue] = {}
    for _ in range(4 if len(wanted) > 1 else 1):  # each given the other; it settles at once, for they hardly touch
        if COUNT in wanted:
            found[COUNT] = _count(keys, exponent)
            count = round(found[COUNT].mean)
        if EXPONENT in wanted:
            found[EXPONENT] = _exponent(keys, max(count, int(keys.max()) + 1))
            exponent = found[EXPONENT].mean
    return found


def _exponent(keys: NDArray[np.int64], count: int) -> CalibratedValue:
    """The likelihood's maximum: where the law's mean of ln(rank) is that of the keys; its interval by Fisher."""
    logs = np.log(np.arange(1, count + 1))
    seen = float(logs[keys].mean())

    def moments(exponent: float) -> tuple[float, float]:
        weights = np.exp(-exponent * logs)
        mean = float((weights * logs).sum() / weights.sum())
        return mean, float((weights * logs**2).sum() / weights.sum()) - mean**2

    ends = [moments(exponent)[0] - seen for exponent in (0.0, _STEEPEST)]
    if ends[0] <= 0:
        best = 0.0  # less popular keys are asked for more often than all alike would
    elif ends[1] >= 0:
        best = _STEEPEST
    else:
        best = float(optimize.brentq(lambda exponent: moments(exponent)[0] - seen, 0.0, _STEEPEST, xtol=1e-6))
    error = 1.96 / math.sqrt(len(keys) * moments(best)[1])
    return CalibratedValue(
        value=best,
        mean=best,
        low=max(0.0, best - error),
        high=min(_STEEPEST, best + error),
        observations=len(keys),
        method=f"maximum likelihood over {count} keys by their rank",
    )


def _count(keys: NDArray[np.int64], exponent: float) -> CalibratedValue:
    """What makes it as likely as not that no rarer key was seen; up to where that has a probability of 5 %."""
    least = int(keys.max()) + 1

    def reached(probability: float) -> int:
        """The count N with (weight of those up to the rarest seen / weight of all N)^requests = probability."""
        size = 2 * least
        while True:
            total = np.cumsum(np.arange(1, size + 1, dtype=np.float64) ** -exponent)
            bound = total[least - 1] * probability ** (-1 / len(keys))
            if total[-1] >= bound or size >= _MOST_KEYS:
                return int(min(np.searchsorted(total, bound) + 1, size, _MOST_KEYS))
            size = min(4 * size, _MOST_KEYS)

    best = max(least, reached(0.5))
    return CalibratedValue(
        value=best,
        mean=best,
        low=least,
        high=max(best, reached(0.05)),
        observations=len(keys),
        method=f"the rarest key seen is number {least}, {len(np.unique(keys))} were seen",
    )
