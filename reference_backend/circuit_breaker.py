"""A circuit breaker with resilience4j's rules: of the load generator, or of one process for one of its calls."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Literal

from reference_backend.client import CircuitBreaker as Spec

State = Literal["closed", "open", "half_open"]
Tell = Callable[[str, dict[str, object]], None]
_ROUNDING = 1e-12


class CircuitBreaker:
    """Lets attempts through, or not, by how the last ones ended.

    ::

        closed --of the last ``window`` (at least ``minimum``) ``failure_ratio`` failed--> open
        open --the first attempt more than ``open_for_s`` later--> half open: ``half_open`` attempts pass
        half open --min(minimum, half_open) of what ended since failed so often--> open, else --> closed

    An attempt counts when it ends, in the state that the breaker has then; while it is open nothing counts.

    Args:
        spec: window, thresholds and times.
        now: the time in seconds.
        tell: called with a kind and details at each change of state.
    """

    def __init__(self, spec: Spec, *, now: Callable[[], float], tell: Tell) -> None:
        self._spec = spec
        self._now = now
        self._tell = tell
        self._opened_s = 0.0
        self._permits = 0
        self._failed: deque[bool] = deque(maxlen=spec.window)
        self.state: State = "closed"

    def permits(self) -> bool:
        """Return whether an attempt may be sent now; half open, it uses one of the few permits up."""
        if self.state == "open":
            if self._now() <= self._opened_s + self._spec.open_for_s:
                return False
            self._become("half_open")
            self._permits = self._spec.half_open
        if self.state == "half_open":
            if self._permits == 0:
                return False
            self._permits -= 1
        return True

    def note(self, *, failed: bool) -> None:
        """Note how an attempt ended."""
        if self.state == "open":
            return
        self._failed.append(failed)
        size = self._failed.maxlen or 1
        if len(self._failed) < min(self._spec.minimum, size):
            return
        ratio = sum(self._failed) / len(self._failed)
        if ratio >= self._spec.failure_ratio - _ROUNDING:
            self._opened_s = self._now()
            self._become("open", failure_ratio=ratio)
        elif self.state == "half_open":
            self._become("closed", failure_ratio=ratio)

    def _become(self, state: State, **why: float) -> None:
        self._tell("circuit_breaker", {"from": self.state, "to": state, **why})
        self.state = state
        self._failed = deque(maxlen=self._spec.half_open if state == "half_open" else self._spec.window)
