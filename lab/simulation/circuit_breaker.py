"""A circuit breaker: a client that stops asking a backend that fails.

Source of the rules: resilience4j 2.x, CircuitBreakerStateMachine and CircuitBreakerMetrics, count-based window.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from enum import StrEnum

from lab.scenario.client import CircuitBreaker as Spec
from lab.simulation.clock import Clock
from lab.simulation.log import Log, Visit
from lab.simulation.request import Handling, Outcome, Request
from lab.simulation.steps import Runnable

_ROUNDING = 1e-12


class State(StrEnum):
    """What a breaker lets through: everything, nothing, a few."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitBreaker:
    """Decides before each attempt whether it is sent, by how the last ones ended.

    ::

        closed --of the last `window` (at least `minimum`), `failure_ratio` failed--> open
          ^                                                                          |  ^
          |                              more than `open_for` later, at the next attempt |
          |                                                                          v  |
          `--fewer failed-- half open: lets `half_open` attempts through --as many failed'

    - An attempt counts when it ends, in the state that the breaker is in then, whenever it was sent: answers to what
      was sent before it opened are counted by a half-open breaker too.
    - Half open, it decides as soon as min(minimum, half_open) attempts have ended; what comes beyond the permitted ones
      is refused until then, for ever if they never end.
    - It turns half open with an attempt, never by itself.

    Args:
        owner: the component that its events are noted of: the client, or a service.
        whose: what its events say besides: the client's number, or the process's; nothing where all share it.
    """

    def __init__(
        self, *, clock: Clock, log: Log, spec: Spec, owner: str = "client", whose: Mapping[str, int] | None = None
    ) -> None:
        self._clock = clock
        self._log = log
        self._spec = spec
        self._owner = owner
        self._whose = whose or {}
        self.state = State.CLOSED
        self._opened_s = 0.0
        self._permits = 0
        self._ended: deque[bool] = deque()  # whether each of the last attempts failed
        self._failures = 0
        self._window = spec.window

    def permits(self) -> bool:
        """Return whether an attempt may be sent now; a half-open breaker counts it as sent."""
        if self.state is State.CLOSED:
            return True
        if self.state is State.OPEN:
            if self._clock.now <= self._opened_s + self._spec.open_for:
                return False
            self._become(State.HALF_OPEN)
            self._permits = self._spec.half_open
        if self._permits == 0:
            return False
        self._permits -= 1
        return True

    def note(self, failed: bool) -> None:
        """Note how an attempt ended."""
        if self.state is State.OPEN:
            return
        self._ended.append(failed)
        self._failures += failed
        if len(self._ended) > self._window:
            self._failures -= self._ended.popleft()
        if len(self._ended) < min(self._spec.minimum, self._window):
            return
        ratio = self._failures / len(self._ended)
        if ratio >= self._spec.failure_ratio - _ROUNDING:
            self._opened_s = self._clock.now
            self._become(State.OPEN, failure_ratio=ratio)
        elif self.state is State.HALF_OPEN:
            self._become(State.CLOSED, failure_ratio=ratio)

    def _become(self, state: State, **why: float) -> None:
        detail = {"from": str(self.state), "to": str(state), **why, **self._whose}
        self._log.event(self._owner, "circuit_breaker", self._clock.now, **detail)
        self.state = state
        self._ended.clear()
        self._failures = 0
        self._window = self._spec.half_open if state is State.HALF_OPEN else self._spec.window


class BehindBreaker:
    """A call that is not made while a breaker refuses it: then the step fails at once."""

    def __init__(self, *, breaker: CircuitBreaker, call: Runnable) -> None:
        self._breaker = breaker
        self._call = call

    def run(self, request: Request, visit: Visit) -> Handling:
        """Call if it may be called, and note how that ended."""
        if not self._breaker.permits():
            return Outcome.ERROR
        outcome = yield from self._call.run(request, visit)
        self._breaker.note(outcome is not Outcome.OK)
        return outcome
