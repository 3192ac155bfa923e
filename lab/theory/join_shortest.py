"""A few servers with a queue each, requests that join the shortest of some: solved as a Markov chain.

Poisson arrivals, exponential services, first come first served at each server. Each request looks at d
servers drawn at random, with replacement or without, and joins the shortest queue of these, a random one of
equals; d = 1 is random routing, and all of them without replacement is join-the-shortest-queue. The states
are the queue lengths in order. Queues are cut at a length that is hardly ever reached, and refused if not.

Source: the balance equations themselves; for the rule Mitzenmacher (2001), see ``lab.theory.power_of_d``.
"""

from __future__ import annotations

import importlib
import itertools
import math

import numpy as np
from numpy.typing import NDArray

from lab.errors import DomainError, Unstable
from lab.theory import domain

_MOST_STATES = 15_000  # solved in a second or two
_SHORTEST_CUT = 9  # the first length tried at which to cut the queues
_CUT_AT_MOST = 1e-6  # the share of time that may be spent at the cut; means are then good to four digits or so


def sojourn_time_s_mean(
    *, utilisation: float, service_time_s: float, servers: int, choices: int, replacement: bool = True
) -> float:
    """Return the mean time from arrival to the end of service.

    Args:
        utilisation: of the servers, above 0 and below 1.
        service_time_s: mean, above 0.
        servers: at least one; beyond five the states are too many to reach far.
        choices: servers looked at for each request, at least one; at most ``servers`` without replacement.
        replacement: whether the same server may be drawn twice.

    Raises:
        Unstable: utilisation of 1 or more.
        DomainError: more choices than servers, or more states than can be solved.

    >>> round(sojourn_time_s_mean(utilisation=0.5, service_time_s=1.0, servers=1, choices=1), 3)
    2.0
    """
    service = domain.positive(service_time_s, name="service_time_s")
    busy = domain.positive(utilisation, name="utilisation")
    shares = queue_length_tails(utilisation=busy, servers=servers, choices=choices, replacement=replacement)
    return service * math.fsum(shares[1:]) / busy  # Little's law, for one server


def queue_length_tails(
    *, utilisation: float, servers: int, choices: int, replacement: bool = True
) -> tuple[float, ...]:
    """Return the share of servers with 0, 1, .. requests or more, that in service included.

    Arguments and errors as in ``sojourn_time_s_mean``.

    >>> [round(share, 4) for share in queue_length_tails(utilisation=0.5, servers=1, choices=1)[:4]]
    [1.0, 0.5, 0.25, 0.125]
    """
    busy = domain.positive(utilisation, name="utilisation")
    if busy >= 1.0:
        raise Unstable(
            f"at a utilisation of {busy:g} every queue grows without bound, whatever is joined; "
            "lower the arrival rate or add servers"
        )
    count = domain.whole(servers, name="servers", at_least=1)
    looked_at = domain.whole(choices, name="choices", at_least=1)
    if not replacement and looked_at > count:
        raise DomainError(
            f"choices is {looked_at}, but without replacement only {count} servers can be drawn; choose fewer"
        )
    longest, at_cut = _SHORTEST_CUT, 1.0
    while math.comb(count + longest, count) <= _MOST_STATES:
        states = list(itertools.combinations_with_replacement(range(longest, -1, -1), count))  # falling lengths
        shares = _steady_state(states, busy, looked_at, replacement)
        lengths = np.array(states)
        at_cut = float(shares[lengths[:, 0] == longest].sum())
        if at_cut <= _CUT_AT_MOST:
            return tuple(float(shares @ (lengths >= length).mean(axis=1)) for length in range(longest + 1))
        longest += longest // 3
    raise DomainError(
        f"at a utilisation of {busy:g}, {count} servers with {looked_at} choices have queues too long for a chain "
        f"of {_MOST_STATES} states (the last one tried was cut short for {at_cut:.2g} of the time); lower the "
        "utilisation or take fewer servers, or lab.theory.power_of_d for many"
    )


def _steady_state(states: list[tuple[int, ...]], busy: float, choices: int, replacement: bool) -> NDArray[np.float64]:
    """Return the shares of time of the states, times being in mean service times."""
    sparse = importlib.import_module("scipy.sparse")  # not at the top: importing lab must stay fast
    solvers = importlib.import_module("scipy.sparse.linalg")
    number = {state: index for index, state in enumerate(states)}
    servers, longest = len(states[0]), states[0][0]
    rows: list[int] = []
    columns: list[int] = []
    rates: list[float] = []
    for state, index in number.items():
        for rate, other in _moves(state, busy * servers, choices, replacement, longest):
            rows += [number[other], index]
            columns += [index, index]
            rates += [rate, -rate]
    balance = sparse.csc_matrix((rates, (rows, columns)), shape=(len(states), len(states)))
    # The balances hold but for a factor: set the share of the empty state to 1, drop its balance, and scale.
    empty = number[(0,) * servers]
    others = np.delete(np.arange(len(states)), empty)
    known = -balance[:, [empty]].toarray().ravel()[others]
    weights = np.empty(len(states))
    weights[empty] = 1.0
    weights[others] = solvers.spsolve(balance[others][:, others], known)
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _moves(
    state: tuple[int, ...], arrivals: float, choices: int, replacement: bool, longest: int
) -> list[tuple[float, tuple[int, ...]]]:
    """Return where a state of falling queue lengths goes, and how often."""
    servers = len(state)
    moves: list[tuple[float, tuple[int, ...]]] = []
    for length, equals in itertools.groupby(range(servers), key=state.__getitem__):
        same = list(equals)
        first, last = same[0], same[-1]
        if length < longest:
            as_long = _all_drawn_from(last + 1, servers, choices, replacement)
            joins = as_long - _all_drawn_from(first, servers, choices, replacement)
            moves.append((arrivals * joins, (*state[:first], length + 1, *state[first + 1 :])))
        if length > 0:
            moves.append((float(len(same)), (*state[:last], length - 1, *state[last + 1 :])))
    return [(rate, other) for rate, other in moves if rate > 0.0]


def _all_drawn_from(longest: int, servers: int, choices: int, replacement: bool) -> float:
    """Return the probability that all choices are among the ``longest`` longest queues."""
    if replacement:
        return float((longest / servers) ** choices)
    return math.comb(longest, choices) / math.comb(servers, choices)
