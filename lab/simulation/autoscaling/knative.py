"""The loop of Knative's autoscaler: it looks at what its activator holds at every tick, and at once from zero."""

from __future__ import annotations

from collections import deque

from lab.scenario.knative import KnativeAutoscaler
from lab.simulation.activator import Activator
from lab.simulation.autoscaling.kpa import Kpa, ToZero
from lab.simulation.autoscaling.scaled import Loop, Scaled
from lab.simulation.fleet import Life

_BUCKET_S = 1.0  # Knative adds up by the second


class Window:
    """The mean number of requests under way over the last so many seconds, from areas that are read every second."""

    def __init__(self, activator: Activator, *, longest_s: float) -> None:
        self._activator = activator
        self._longest_s = longest_s
        self._read: deque[tuple[float, float]] = deque()
        self.since_s = 0.0  # the first that counts

    def read(self, now_s: float) -> None:
        """Read the area now, and forget what no window reaches back to."""
        self._read.append((now_s, self._activator.request_time_s()))
        while len(self._read) > 1 and self._read[1][0] <= now_s - self._longest_s:
            self._read.popleft()

    def mean(self, now_s: float, window_s: float) -> float:
        """Return the mean over a window, or over what there is of it; just after the first request the number now."""
        begin_s = max(now_s - window_s, self.since_s)
        if begin_s >= now_s:
            return float(self._activator.under_way)
        return (self._activator.request_time_s() - self._area_at(begin_s)) / (now_s - begin_s)

    def _area_at(self, time_s: float) -> float:
        """The area until a time, between two readings in proportion."""
        before_s, before = self._read[0]
        for at_s, area in self._read:
            if at_s > time_s:
                return before + (area - before) * (time_s - before_s) / (at_s - before_s)
            before_s, before = at_s, area
        return before


class KnativeLoop:
    """Knative's pod autoscaler: decides at every tick, and at once when somebody asks while there is no pod."""

    def __init__(self, *, scaled: Scaled, activator: Activator, spec: KnativeAutoscaler, aim: float) -> None:
        self._scaled = scaled
        self._activator = activator
        self._spec = spec
        self._panic_window_s = max(_BUCKET_S, float(round(spec.stable_window * spec.panic_window_percentage)))
        longest_s = max(spec.stable_window, self._panic_window_s)
        self._window = Window(activator, longest_s=longest_s)
        self._window.read(0.0)
        self._kpa = Kpa(spec, aim=aim)
        self._to_zero = ToZero(spec)
        activator.told = self._wake

    def run(self) -> Loop:
        """Tick for ever."""
        self._scaled.clock.process(self._reads())
        number = 0
        while True:
            number += 1
            yield self._scaled.until(number * self._spec.tick)
            self._decide()

    def _reads(self) -> Loop:
        number = 0
        while True:
            number += 1
            yield self._scaled.until(number * _BUCKET_S)
            self._window.read(self._scaled.clock.now)

    def _wake(self) -> None:
        """If no pod is wanted while somebody asks, decide at once; after a quiet window, its mean begins anew."""
        if self._scaled.deployment.wanted > 0:
            return
        now_s = self._scaled.clock.now
        if self._window.mean(now_s, self._spec.stable_window) == 0:
            self._window.since_s = now_s
            self._window.read(now_s)
        self._decide()

    def _decide(self) -> None:
        spec, deployment, now_s = self._spec, self._scaled.deployment, self._scaled.clock.now
        stable, panic = (self._window.mean(now_s, each) for each in (spec.stable_window, self._panic_window_s))
        current, ready = deployment.wanted, deployment.fleet.count[Life.READY]
        panicked = self._kpa.panics_since_s is not None
        asked = self._kpa.decide(now_s, ready=ready, stable=stable, panic=panic)
        low, high = self._scaled.bounds
        wanted = self._to_zero.decide(now_s, current=current, wanted=max(low, min(high, asked)))
        panics = self._kpa.panics_since_s is not None
        if wanted != current or panics != panicked:
            told = {"stable": stable, "panic": panic, "ready": ready, "asked": asked, "panics": panics}
            self._scaled.decide(wanted, **told)
