"""Metrics of replicas as means over a window, from what HAProxy and the kernel say at many moments."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass

from reference_backend.scaling.spec import Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one replica showed at a time: requests under way now, and answers and CPU time since it was ready."""

    time_s: float
    under_way: int
    answered: int
    cpu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sums:
    time_s: float
    request_time_s: float
    answered: float
    cpu_s: float


class History:
    """What one replica has done until each of the latest looks.

    HAProxy tells how many requests are under way at a moment only, so between two looks their mean is taken.
    """

    def __init__(self, *, keep_s: float) -> None:
        self._keep_s = keep_s
        self._sums: deque[_Sums] = deque()
        self._first: Look | None = None
        self._last: Look | None = None

    def add(self, look: Look) -> None:
        """Take note of a look; it is later than those before."""
        if self._first is None or self._last is None:
            self._first = look
            self._sums.append(_Sums(time_s=look.time_s, request_time_s=0.0, answered=0.0, cpu_s=0.0))
        else:
            elapsed_s = look.time_s - self._last.time_s
            both = (look.under_way + self._last.under_way) / 2
            self._sums.append(
                _Sums(
                    time_s=look.time_s,
                    request_time_s=self._sums[-1].request_time_s + both * elapsed_s,
                    answered=look.answered - self._first.answered,
                    cpu_s=look.cpu_s - self._first.cpu_s,
                )
            )
        self._last = look
        while len(self._sums) > 1 and self._sums[1].time_s <= look.time_s - self._keep_s:
            self._sums.popleft()

    def mean(self, metric: Metric, *, since_s: float, until_s: float, slots: int | None) -> float | None:
        """Return the mean of a metric over a time, or over what of it is known; None if nothing of it is.

        Args:
            metric: which.
            since_s: the begin.
            until_s: the end.
            slots: of the replica, over which its requests under way are.
        """
        if not self._sums or until_s <= self._sums[0].time_s:
            return None
        before, after = self._at(max(since_s, self._sums[0].time_s)), self._at(until_s)
        elapsed_s = after.time_s - before.time_s
        if elapsed_s <= 0:
            return None
        match metric:
            case "concurrency":
                assert slots is not None  # the deployment's own check has seen to it
                return (after.request_time_s - before.request_time_s) / elapsed_s / slots
            case "cpu":
                return (after.cpu_s - before.cpu_s) / elapsed_s
            case "throughput":
                return (after.answered - before.answered) / elapsed_s

    def _at(self, time_s: float) -> _Sums:
        """Return the sums at a time: between two looks in proportion, after the last as they were."""
        place = bisect_right(self._sums, time_s, key=lambda sums: sums.time_s)
        if place == len(self._sums):
            return self._sums[-1]
        before, after = self._sums[place - 1], self._sums[place]
        part = (time_s - before.time_s) / (after.time_s - before.time_s)
        return _Sums(
            time_s=time_s,
            request_time_s=before.request_time_s + part * (after.request_time_s - before.request_time_s),
            answered=before.answered + part * (after.answered - before.answered),
            cpu_s=before.cpu_s + part * (after.cpu_s - before.cpu_s),
        )
