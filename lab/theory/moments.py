"""The mean and the standard deviation of a sample: what every interval starts from."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from lab.errors import DomainError, NotEnoughData
from lab.theory import domain

_FEWEST = 2  # one value shows no scatter


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Mean and sample standard deviation (divisor n - 1) of ``n`` values, in the unit of the values."""

    mean: float
    deviation: float
    n: int

    @property
    def standard_error(self) -> float:
        """The standard deviation of the mean itself."""
        return self.deviation / math.sqrt(self.n)


def moments(values: Iterable[float]) -> Moments:
    """Return the mean and the standard deviation of two values or more.

    Raises:
        NotEnoughData: fewer than two values. DomainError: a value that is NaN or infinite.

    >>> moments([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).mean
    5.0
    """
    numbers = [domain.finite(value, name="values") for value in values]
    n = len(numbers)
    if n < _FEWEST:
        raise NotEnoughData(
            f"an interval was asked for from {n} value{'s' * (n != 1)}, but how far values scatter shows "
            "only from two on; run more replications"
        )
    mean = math.fsum(numbers) / n
    deviation = math.sqrt(math.fsum((x - mean) ** 2 for x in numbers) / (n - 1))
    return Moments(mean=mean, deviation=deviation, n=n)


def differences(a: Iterable[float], b: Iterable[float]) -> list[float]:
    """Return ``a - b``, pair by pair.

    Raises:
        DomainError: not as many of the one as of the other, or a value that is NaN or infinite.

    >>> differences([3.0, 5.0], [1.0, 1.0])
    [2.0, 4.0]
    """
    left = [domain.finite(value, name="values") for value in a]
    right = [domain.finite(value, name="values") for value in b]
    if len(left) != len(right):
        raise DomainError(
            f"{len(left)} values were to be paired with {len(right)}, but a pair is two values of the same "
            "replication; give as many of each, in the same order"
        )
    return [x - y for x, y in zip(left, right, strict=True)]
