"""Addressed draws: a uniform number that is a pure function of where it is used.

Nothing is consumed. The draw at an address (seed, replication, stream, request, attempt, visit) is the
same whatever else happened before, so two variants of a scenario see the same world, and adding a
component changes no other draw. The function is a chain of splitmix64 finalisers (Steele, Lea, Flood
2014), whose 64-bit integer arithmetic is exact in Python and in NumPy alike.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

_MASK = 0xFFFFFFFFFFFFFFFF
_GOLDEN = 0x9E3779B97F4A7C15
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB
_ATTEMPT = 0xD1B54A32D192ED03
_VISIT = 0xABC98388FB8FAC03
_TO_UNIT = 2.0**-52  # 52 bits and a half: never 0, never 1


def splitmix64(value: int) -> int:
    """Return the splitmix64 output for the state ``value`` (both unsigned 64-bit).

    Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.

    >>> hex(splitmix64(1234567))  # the first output of the reference generator seeded with 1234567
    '0x599ed017fb08fc85'
    """
    value = (value + _GOLDEN) & _MASK
    value = ((value ^ (value >> 30)) * _MIX_1) & _MASK
    value = ((value ^ (value >> 27)) * _MIX_2) & _MASK
    return value ^ (value >> 31)


def child_visit(visit: int, ordinal: int) -> int:
    """Return the visit number of the ``ordinal``-th use of a stream below the visit ``visit``.

    It depends on the place in the scenario alone, never on the order of events.

    >>> child_visit(0, 0)
    0
    """
    return splitmix64(visit ^ splitmix64(ordinal)) if ordinal else visit


def name_key(name: str) -> int:
    """Return a 64-bit number for a name, the same in every process."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")


class Stream:
    """One named source of chance within a replication: `service time of main/item_by_id`, say."""

    __slots__ = ("_key",)

    def __init__(self, *, seed: int, replication: int, name: str) -> None:
        root = splitmix64(splitmix64(seed & _MASK) ^ (replication & _MASK))
        self._key = splitmix64(root ^ name_key(name))

    def uniform(self, request: int, attempt: int = 0, visit: int = 0) -> float:
        """Return the uniform number in (0, 1) at this address.

        Args:
            request: number of the client's request, 0, 1, 2, ...
            attempt: 0 for the first attempt of the client, 1 for its first retry.
            visit: which of several uses of the stream within one attempt.
        """
        state = request ^ (attempt * _ATTEMPT & _MASK) ^ (visit * _VISIT & _MASK)
        bits = splitmix64(self._key ^ splitmix64(state))
        return ((bits >> 12) + 0.5) * _TO_UNIT

    def uniforms(self, count: int, visit: int = 0, *, first: int = 0) -> NDArray[np.float64]:
        """Return :meth:`uniform` for the first attempts of ``count`` requests from number ``first`` on, bit for bit.

        Returns:
            shape (count,), each in (0, 1).
        """
        state = np.arange(first, first + count, dtype=np.uint64) ^ np.uint64(visit * _VISIT & _MASK)
        bits = splitmix64_array(np.uint64(self._key) ^ splitmix64_array(state))
        return ((bits >> np.uint64(12)).astype(np.float64) + 0.5) * _TO_UNIT


def splitmix64_array(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return :func:`splitmix64` of each of an array of states."""
    value = value + np.uint64(_GOLDEN)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(_MIX_1)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(_MIX_2)
    return value ^ (value >> np.uint64(31))
