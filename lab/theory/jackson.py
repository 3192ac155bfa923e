"""Open Jackson networks: queues that feed each other, each as if it were an M/M/c by itself.

Poisson arrivals from outside, exponential services independent of each other, first come first served; who
ends at one node goes to each other with a fixed probability, or leaves. Then the numbers at the nodes are
independent, and those of M/M/c at the total rate of arrivals, although these need not be Poisson.

Source: Jackson (1957), "Networks of waiting lines", Operations Research 5, 518-521.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lab.errors import DomainError
from lab.theory import domain, mmc

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node: its servers, how fast they are, and what comes in from outside.

    Attributes:
        service_time_s: mean of a visit, above 0.
        servers: at least one.
        outside_arrival_rate_per_s: arrivals that come from no other node, 0 or above.
    """

    service_time_s: float
    servers: int = 1
    outside_arrival_rate_per_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenNetwork:
    """The mean figures of an open network, by node in the order given.

    Attributes:
        arrival_rates_per_s: all arrivals, from outside and from other nodes.
        utilisations: of the servers.
        numbers_mean: waiting or in service.
        visit_sojourn_times_s: of one visit, wait and service.
        sojourn_time_s_mean: of a request, from coming in to leaving, over all its visits.
    """

    arrival_rates_per_s: tuple[float, ...]
    utilisations: tuple[float, ...]
    numbers_mean: tuple[float, ...]
    visit_sojourn_times_s: tuple[float, ...]
    sojourn_time_s_mean: float


def arrival_rates_per_s(*, outside_arrival_rates_per_s: ArrayLike, routing: ArrayLike) -> NDArray[np.float64]:
    """Return the total rate of arrivals at each node: what comes from outside, and from the other nodes.

    Args:
        outside_arrival_rates_per_s: shape (nodes,), 0 or above.
        routing: shape (nodes, nodes): the probability of going from the row's node to the column's next.
            What is missing in a row to 1 leaves.

    Raises:
        DomainError: other shapes, a row that is no distribution, or requests that never leave.

    >>> arrival_rates_per_s(outside_arrival_rates_per_s=[10.0, 0.0], routing=[[0.0, 1.0], [0.2, 0.0]]).tolist()
    [12.5, 12.5]
    """
    outside = np.asarray(outside_arrival_rates_per_s, dtype=np.float64)
    follows = np.asarray(routing, dtype=np.float64)
    if outside.ndim != 1 or outside.size == 0 or follows.shape != (outside.size, outside.size):
        raise DomainError(
            f"routing has shape {follows.shape} for outside arrivals of shape {outside.shape}, but it holds a row "
            "and a column for each node; give one rate a node and a square of probabilities"
        )
    for rate in outside:
        domain.non_negative(rate, name="outside_arrival_rates_per_s")
    for node, row in enumerate(follows):
        if not ((row >= 0.0).all() and row.sum() <= 1.0 + _ROUNDING):
            raise DomainError(
                f"routing[{node}] is {row.tolist()}, but from a node requests go on with probabilities of 0 or above "
                "whose sum is 1 at most; correct the row"
            )
    _require_exits(follows)
    rates = np.linalg.solve(np.eye(outside.size) - follows.T, outside)
    return np.asarray(np.maximum(rates, 0.0), dtype=np.float64)  # not -1e-17 where nothing arrives


def solve(*, nodes: Sequence[Node], routing: ArrayLike) -> OpenNetwork:
    """Return the rates, numbers and times of an open network.

    Args:
        nodes: at least one; something arrives from outside at one of them.
        routing: as in ``arrival_rates_per_s``.

    Raises:
        Unstable: a node has a utilisation of 1 or more.
        DomainError: as in ``arrival_rates_per_s``, or nothing arrives at all.

    >>> found = solve(nodes=[Node(service_time_s=0.04, outside_arrival_rate_per_s=10.0), Node(service_time_s=0.02)],
    ...               routing=[[0.0, 1.0], [0.2, 0.0]])
    >>> [round(number, 4) for number in found.numbers_mean], round(found.sojourn_time_s_mean, 4)
    ([1.0, 0.3333], 0.1333)
    """
    outside = [node.outside_arrival_rate_per_s for node in nodes]
    rates = arrival_rates_per_s(outside_arrival_rates_per_s=outside, routing=routing).tolist()
    total = math.fsum(outside)
    if total == 0.0:
        raise DomainError(
            "outside_arrival_rate_per_s is 0 at every node, so there are no requests to have a sojourn time; "
            "give one of them arrivals"
        )
    sojourns = [
        mmc.sojourn_time_s_mean(arrival_rate_per_s=rate, service_time_s=node.service_time_s, servers=node.servers)
        for rate, node in zip(rates, nodes, strict=True)
    ]
    numbers = [rate * sojourn for rate, sojourn in zip(rates, sojourns, strict=True)]
    return OpenNetwork(
        arrival_rates_per_s=tuple(rates),
        utilisations=tuple(rate * node.service_time_s / node.servers for rate, node in zip(rates, nodes, strict=True)),
        numbers_mean=tuple(numbers),
        visit_sojourn_times_s=tuple(sojourns),
        sojourn_time_s_mean=math.fsum(numbers) / total,
    )


def _require_exits(follows: NDArray[np.float64]) -> None:
    """Refuse a routing by which some node never leads out."""
    leads_out = follows.sum(axis=1) < 1.0 - _ROUNDING
    for _ in range(len(follows)):
        leads_out |= (follows[:, leads_out] > 0.0).any(axis=1)
    if not leads_out.all():
        stuck = int(np.flatnonzero(~leads_out)[0])
        raise DomainError(
            f"routing leads from node {stuck} to others for ever, so what arrives there never leaves; let a row "
            "on its way have a sum below 1"
        )
