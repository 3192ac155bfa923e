"""Which key a request is about: addressed draws from a popularity that may change over time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lab.randomness import Stream
from lab.scenario.keys import CellKeys, HotKey, Keys, UniformKeys, ZipfKeys


class Draws(Protocol):
    """Draws the key of each request, by its number and the time at which it was meant to start."""

    def one(self, number: int, time_s: float) -> int:
        """Return the key of request ``number`` that is meant to start at ``time_s``."""
        ...

    def column(self, times_s: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return :meth:`one` for requests 0, 1, 2, ... that start at these times."""
        ...


def key_draws(keys: Keys, stream: Callable[[str], Stream]) -> Draws:
    """Return what draws the keys, from the streams of these names."""
    return CellDraws(keys, stream) if isinstance(keys, CellKeys) else KeyDraws(keys, stream)


class KeyDraws:
    """Draws keys one by one.

    Whether a request is about the hot key is a draw of its own, so that all others keep their keys.
    """

    def __init__(self, keys: UniformKeys | ZipfKeys | HotKey, stream: Callable[[str], Stream]) -> None:
        self._base = keys.base if isinstance(keys, HotKey) else keys
        self._hot = keys if isinstance(keys, HotKey) else None
        self._keys, self._choices = stream("workload/keys"), stream("workload/hot_key")

    def one(self, number: int, time_s: float) -> int:
        """Return the key of request ``number`` that is meant to start at ``time_s``."""
        if self._hot is not None and self._hot.is_hot(time_s) and self._choices.uniform(number) < self._hot.share:
            return self._hot.key
        uniform, last = self._keys.uniform(number), self._base.count - 1
        if isinstance(self._base, UniformKeys):
            return min(int(uniform * self._base.count), last)
        weights = _zipf_list(self._base.exponent, self._base.count)
        return min(bisect_right(weights, uniform * weights[-1]), last)

    def column(self, times_s: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return :meth:`one` for requests 0, 1, 2, ... that start at these times."""
        keys = _column(self._base, self._keys.uniforms(len(times_s)))
        if self._hot is not None:
            until = np.inf if self._hot.until is None else self._hot.until
            hot = (times_s >= self._hot.at) & (times_s < until)
            keys[hot & (self._choices.uniforms(len(times_s)) < self._hot.share)] = self._hot.key
        return keys


class CellDraws:
    """Draws a cell and then a key in it; whether that is the hot cell is a draw of its own."""

    def __init__(self, keys: CellKeys, stream: Callable[[str], Stream]) -> None:
        self._keys = keys
        self._base = ZipfKeys(exponent=keys.exponent, count=keys.cells)
        self._cells, self._within = stream("workload/keys"), stream("workload/key_in_cell")
        self._choices = stream("workload/hot_key")

    def one(self, number: int, time_s: float) -> int:
        """Return the key of request ``number`` that is meant to start at ``time_s``."""
        each, hot = self._keys.keys_per_cell, self._keys.hot_at(time_s)
        if hot is not None and self._choices.uniform(number) < hot.share:
            cell = hot.cell
        else:
            weights = _zipf_list(self._base.exponent, self._base.count)
            cell = min(bisect_right(weights, self._cells.uniform(number) * weights[-1]), self._base.count - 1)
        return cell * each + min(int(self._within.uniform(number) * each), each - 1)

    def column(self, times_s: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return :meth:`one` for requests 0, 1, 2, ... that start at these times."""
        each, count = self._keys.keys_per_cell, len(times_s)
        cells, choices = _column(self._base, self._cells.uniforms(count)), self._choices.uniforms(count)
        for hot in self._keys.hot:
            until = np.inf if hot.until is None else hot.until
            cells[(times_s >= hot.at) & (times_s < until) & (choices < hot.share)] = hot.cell
        within = np.minimum((self._within.uniforms(count) * each).astype(np.int64), each - 1)
        drawn: NDArray[np.int64] = cells * each + within
        return drawn


def _column(keys: UniformKeys | ZipfKeys, uniforms: NDArray[np.float64]) -> NDArray[np.int64]:
    if isinstance(keys, UniformKeys):
        return np.minimum((uniforms * keys.count).astype(np.int64), keys.count - 1)
    cumulative = _zipf_cumulative(keys.exponent, keys.count)
    ranks: NDArray[np.int64] = np.searchsorted(cumulative, uniforms * cumulative[-1], side="right")
    return np.minimum(ranks, keys.count - 1)


@lru_cache(maxsize=8)
def _zipf_cumulative(exponent: float, count: int) -> NDArray[np.float64]:
    weights = [rank**-exponent for rank in range(1, count + 1)]
    return np.cumsum(weights)


@lru_cache(maxsize=8)
def _zipf_list(exponent: float, count: int) -> list[float]:
    return [float(weight) for weight in _zipf_cumulative(exponent, count)]
