"""One exponential server whose arrivals switch between phases: MMPP/M/1, solved as a quasi-birth-death process.

Phases follow each other in a circle and last exponential times. With R, the least solution of
A0 + R A1 + R^2 A2 = 0, where A0 has the arrivals, A2 the departures and A1 all else of a level above the lowest, the
probabilities of one more in the system are those of one fewer times R.

Source: M. F. Neuts, "Matrix-Geometric Solutions in Stochastic Models" (1981); R by the iteration of G. Latouche and
V. Ramaswami, "A logarithmic reduction algorithm for quasi-birth-death processes", Journal of Applied Probability 30
(1993).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lab.errors import DomainError
from lab.theory import domain
from lab.theory.utilisation import stable_utilisation

Matrix = NDArray[np.float64]

_CONVERGED = 1e-13


def number_in_system_mean(
    *, rates_per_s: Sequence[float], stays_s_mean: Sequence[float], service_time_s: float
) -> float:
    """Return the mean number of requests in the system, waiting and in service.

    Args:
        rates_per_s: arrivals per second in each phase, 0 or above.
        stays_s_mean: mean length of each phase (exponential), seconds, above 0; as many.
        service_time_s: mean service time (exponential), seconds, above 0.

    Raises:
        DomainError: an argument outside of what is said above.
        Unstable: utilisation of 1 or more.

    >>> round(number_in_system_mean(rates_per_s=[5.0, 5.0], stays_s_mean=[1.0, 2.0], service_time_s=0.1), 9)  # M/M/1
    1.0
    """
    arriving = np.diag([domain.non_negative(rate, name="rates_per_s") for rate in rates_per_s])
    stays_s = np.array([domain.positive(stay_s, name="stays_s_mean") for stay_s in stays_s_mean])
    if len(stays_s) != len(arriving) or len(stays_s) <= 1:
        raise DomainError(
            f"there are {len(arriving)} rates_per_s and {len(stays_s)} stays_s_mean; give both for each of two phases "
            "or more"
        )
    phases = len(stays_s)
    served = np.eye(phases) / domain.positive(service_time_s, name="service_time_s")
    switching = np.diag(1 / stays_s) @ (np.roll(np.eye(phases), 1, axis=1) - np.eye(phases))
    rate_per_s = float((np.diag(arriving) * stays_s).sum() / stays_s.sum())
    stable_utilisation(arrival_rate_per_s=rate_per_s, service_time_s=service_time_s)
    more = _rate_matrix(arriving, switching - arriving - served, served)
    # The lowest level has no departures; its probabilities and those of the next are one linear system.
    lowest = switching - arriving + more @ served
    all_above = np.linalg.inv(np.eye(phases) - more)
    equations = np.column_stack((lowest[:, 1:], all_above.sum(axis=1)))
    empty = np.linalg.solve(equations.T, np.append(np.zeros(phases - 1), 1.0))
    return float(empty @ more @ all_above @ all_above @ np.ones(phases))


def _rate_matrix(up: Matrix, same: Matrix, down: Matrix) -> Matrix:
    """Return R by logarithmic reduction."""
    identity = np.eye(len(up))
    stays = np.linalg.inv(-same)
    higher, lower = stays @ up, stays @ down
    first_passage, reach = lower.copy(), higher.copy()
    while (1 - first_passage.sum(axis=1)).max() > _CONVERGED:
        turns = higher @ lower + lower @ higher
        settled = np.linalg.inv(identity - turns)
        higher, lower = settled @ higher @ higher, settled @ lower @ lower
        added = reach @ lower
        first_passage, reach = first_passage + added, reach @ higher
        if added.max() < _CONVERGED:
            break
    return up @ np.linalg.inv(-(same + up @ first_passage))
