"""The Universal Scalability Law: how throughput grows, levels off and falls with concurrency.

X(N) = rate N / (1 + contention (N - 1) + coherency N (N - 1)): contention is the share of work that takes turns
(alone it gives Amdahl's law), coherency the cost of agreeing, which grows with every pair and brings the fall.

Source: Gunther (2007), Guerrilla Capacity Planning, chapters 4 to 6.
"""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lab.errors import DomainError, NotEnoughData
from lab.theory import domain

_FEWEST_LEVELS = 3  # as many as there are parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalability:
    """The law with its three parameters.

    Attributes:
        unit_throughput_per_s: throughput at a concurrency of 1, above 0.
        contention: 0 to 1.
        coherency: 0 or above.
    """

    unit_throughput_per_s: float
    contention: float
    coherency: float

    def __post_init__(self) -> None:
        domain.positive(self.unit_throughput_per_s, name="unit_throughput_per_s")
        domain.probability(self.contention, name="contention")
        domain.non_negative(self.coherency, name="coherency")

    def throughput_per_s(self, *, concurrency: float) -> float:
        """Return the throughput of ``concurrency`` (0 or above) users, threads or replicas.

        >>> law = Scalability(unit_throughput_per_s=100.0, contention=0.1, coherency=0.0)
        >>> round(law.throughput_per_s(concurrency=11), 1)
        550.0
        """
        many = domain.non_negative(concurrency, name="concurrency")
        # At concurrencies below 1, which only a fit asks for, the losses are gains; the law allows it.
        losses = self.contention * (many - 1.0) + self.coherency * many * (many - 1.0)
        return self.unit_throughput_per_s * many / (1.0 + losses)

    @property
    def peak_concurrency(self) -> float:
        """The concurrency of the highest throughput, sqrt((1 - contention) / coherency).

        It is infinite where there is no cost of agreeing, and 0 where all work takes turns but some cost remains.
        """
        if self.coherency == 0.0:
            return math.inf
        return math.sqrt((1.0 - self.contention) / self.coherency)

    @property
    def throughput_per_s_max(self) -> float:
        """The throughput that no whole or fractional concurrency of 1 or more exceeds; infinite if linear."""
        if self.coherency > 0.0:
            return self.throughput_per_s(concurrency=max(self.peak_concurrency, 1.0))
        return self.unit_throughput_per_s / self.contention if self.contention > 0.0 else math.inf


def fit(*, concurrencies: ArrayLike, throughputs_per_s: ArrayLike) -> Scalability:
    """Return the law that fits measured points best, in the sense of least squares of relative deviations.

    In N / X the law is linear, so the best parameters follow at once, without a start or a search; none of them is
    negative. Minimised is the sum of (1 - measured / fitted)^2: all points count alike, however high.

    Args:
        concurrencies: shape (points,), above 0, three different ones at least.
        throughputs_per_s: shape (points,), above 0.

    Raises:
        NotEnoughData: fewer than three different concurrencies.
        DomainError: other shapes, a value of 0 or below, or points that fall from the start, which is no
            scaling at all (contention above 1).

    >>> points = [1, 2, 4, 8, 16, 32]
    >>> law = Scalability(unit_throughput_per_s=100.0, contention=0.05, coherency=0.001)
    >>> found = fit(concurrencies=points, throughputs_per_s=[law.throughput_per_s(concurrency=n) for n in points])
    >>> round(found.contention, 6), round(found.coherency, 6), round(found.peak_concurrency, 1)
    (0.05, 0.001, 30.8)
    """
    many = np.asarray(concurrencies, dtype=np.float64)
    flow = np.asarray(throughputs_per_s, dtype=np.float64)
    if many.ndim != 1 or many.shape != flow.shape:
        raise DomainError(
            f"concurrencies have shape {many.shape} and throughputs {flow.shape}, but a point has one of each; "
            "give two flat lists of one length"
        )
    for value in many:
        domain.positive(value, name="concurrencies")
    for value in flow:
        domain.positive(value, name="throughputs_per_s")
    if np.unique(many).size < _FEWEST_LEVELS:
        raise NotEnoughData(
            f"{np.unique(many).size} different concurrencies are given, but the law has {_FEWEST_LEVELS} "
            "parameters; measure at more levels"
        )
    # N / X = 1/rate + contention/rate (N - 1) + coherency/rate N (N - 1), each row divided by its N / X.
    terms = np.column_stack([np.ones_like(many), many - 1.0, many * (many - 1.0)]) * (flow / many)[:, None]
    # Not imported at the top: importing lab must stay fast.
    (alone, contends, coheres), _ = importlib.import_module("scipy.optimize").nnls(terms, np.ones(many.size))
    if alone <= 0.0 or contends > alone:
        raise DomainError(
            "throughputs_per_s fall from the lowest concurrency on, so that the law would need a contention above 1; "
            "check the points, or measure at lower concurrencies"
        )
    return Scalability(
        unit_throughput_per_s=float(1.0 / alone),
        contention=float(contends / alone),
        coherency=float(coheres / alone),
    )
