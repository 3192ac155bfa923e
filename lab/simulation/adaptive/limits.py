"""Rules that find a limit of concurrency from how long requests take: one sample a request that went well."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

_WARM_UP = 10  # samples of which the usual time is the plain mean
_FORGETTING = 0.95  # of the usual time, when requests take less than half of it
_FEWEST = 10  # samples of a window
_SHORTEST_S = 100e-6  # what takes less tells nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one request tells, or the requests of a window together.

    Attributes:
        end_s: when it was answered.
        time_s: from when it got its slot.
        in_flight: how many had a slot when its work began.
    """

    end_s: float
    time_s: float
    in_flight: int


class Limit(Protocol):
    """A limit that follows samples."""

    @property
    def limit(self) -> int:
        """How many may be worked on at once."""
        ...

    def learn(self, sample: Sample) -> None:
        """Take note of a request that went well."""
        ...


class Gradient2Limit:
    """See :class:`lab.scenario.adaptive_concurrency.Gradient2`."""

    def __init__(
        self,
        *,
        initial: int,
        bounds: tuple[int, int],
        queue_size: int,
        tolerance: float,
        smoothing: float,
        long_window: int,
    ) -> None:
        self._estimate = float(initial)
        self._bounds = bounds
        self._queue_size = queue_size
        self._tolerance = tolerance
        self._smoothing = smoothing
        self._factor = 2 / (long_window + 1)
        self._usual_s = 0.0
        self._samples = 0

    @property
    def limit(self) -> int:
        """The whole part of the estimate."""
        return int(self._estimate)

    @property
    def estimate(self) -> float:
        """The limit before it is rounded down."""
        return self._estimate

    def learn(self, sample: Sample) -> None:
        """Compare its time with the usual one."""
        usual_s = self._average(sample.time_s)
        if usual_s > 2 * sample.time_s:
            self._usual_s *= _FORGETTING
        if sample.in_flight < self._estimate / 2:
            return
        gradient = max(0.5, min(1.0, self._tolerance * usual_s / sample.time_s))
        new = self._estimate * gradient + self._queue_size
        least, most = self._bounds
        self._estimate = max(least, min(most, self._estimate * (1 - self._smoothing) + new * self._smoothing))

    def _average(self, time_s: float) -> float:
        if self._samples < _WARM_UP:
            self._samples += 1
            self._usual_s += (time_s - self._usual_s) / self._samples
        else:
            self._usual_s += (time_s - self._usual_s) * self._factor
        return self._usual_s


class VegasLimit:
    """See :class:`lab.scenario.adaptive_concurrency.Vegas`.

    Args:
        jitter: from 0 to 1, of the n-th time that the shortest time is taken anew, n = 0, 1, 2, ...
    """

    def __init__(
        self, *, initial: int, most: int, smoothing: float, probe_multiplier: int, jitter: Callable[[int], float]
    ) -> None:
        self._estimate = float(initial)
        self._most = most
        self._smoothing = smoothing
        self._probe_multiplier = probe_multiplier
        self._jitter = jitter
        self._probes = 0
        self._since_probe = 0
        self._spread = 0.5 + 0.5 * jitter(0)
        self._shortest_s = math.inf

    @property
    def limit(self) -> int:
        """The whole part of the estimate."""
        return int(self._estimate)

    def learn(self, sample: Sample) -> None:
        """Reckon from its time how many waited."""
        self._since_probe += 1
        if self._since_probe >= self._spread * self._probe_multiplier * self._estimate:
            self._probes += 1
            self._spread = 0.5 + 0.5 * self._jitter(self._probes)
            self._since_probe = 0
            self._shortest_s = sample.time_s
        elif sample.time_s < self._shortest_s:
            self._shortest_s = sample.time_s
        elif 2 * sample.in_flight >= self._estimate:
            self._follow(math.ceil(self._estimate * (1 - self._shortest_s / sample.time_s)))

    def _follow(self, waiting: int) -> None:
        step = max(1, int(math.log10(self.limit)))
        if waiting <= step:
            new = self._estimate + 6 * step
        elif waiting < 3 * step:
            new = self._estimate + step
        elif waiting > 6 * step:
            new = self._estimate - step
        else:
            return
        new = max(1, min(self._most, new))
        self._estimate = (1 - self._smoothing) * self._estimate + self._smoothing * new


class AimdLimit:
    """See :class:`lab.scenario.adaptive_concurrency.Aimd`."""

    def __init__(self, *, initial: int, bounds: tuple[int, int], timeout_s: float, backoff_ratio: float) -> None:
        self.limit = initial
        self._least, self._most = bounds
        self._timeout_s = timeout_s
        self._backoff_ratio = backoff_ratio

    def learn(self, sample: Sample) -> None:
        """Grow by one, or shrink if it took too long."""
        if sample.time_s > self._timeout_s:
            self.limit = max(self._least, int(self.limit * self._backoff_ratio))
        elif 2 * sample.in_flight >= self.limit:
            self.limit = min(self._most, self.limit + 1)


class Windowed:
    """Averages the samples of a window, and lets another rule learn from that.

    Source: Netflix concurrency-limits, WindowedLimit with AverageSampleWindow.
    """

    def __init__(self, rule: Limit, *, window_s: float) -> None:
        self._rule = rule
        self._window_s = window_s
        self._ends_s = 0.0
        self._samples = 0
        self._sum_s = 0.0
        self._in_flight = 0

    @property
    def limit(self) -> int:
        """That of the rule."""
        return self._rule.limit

    def learn(self, sample: Sample) -> None:
        """Add it to its window, and end the window if it is over."""
        if sample.time_s < _SHORTEST_S:
            return
        self._samples += 1
        self._sum_s += sample.time_s
        self._in_flight = max(self._in_flight, sample.in_flight)
        if sample.end_s > self._ends_s:
            self._ends_s = sample.end_s + self._window_s
            if self._samples >= _FEWEST:
                mean_s = self._sum_s / self._samples
                self._rule.learn(Sample(end_s=sample.end_s, time_s=mean_s, in_flight=self._in_flight))
            self._begin()

    def _begin(self) -> None:
        self._samples = 0
        self._sum_s = 0.0
        self._in_flight = 0
