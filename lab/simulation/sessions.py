"""Sessions: clients who arrive, make a journey of several requests, and leave."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lab.distributions import discrete_quantiles, quantile_function
from lab.randomness import Stream
from lab.scenario.key_draws import key_draws
from lab.scenario.workload import SessionsWorkload
from lab.simulation.client_request import Asks, ClientRequest
from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.guard import Guard
from lab.simulation.log import Log
from lab.simulation.request import Handling, Outcome


class Sessions:
    """Sends the requests of each session, one after another.

    ::

        arrives --> thinks --> asks --answer--> more to ask? --no--> leaves
                      ^                            | yes
                      +----------------------------+
                      |                                 abandons
                      +--go_on---- gave up for good --> or --> leaves

    The k-th request (k = 0, 1, ...) of session s has the number s x L + k, where L is the length of the longest
    journey, so its draws are the same whatever the others do. Numbers that no session comes to stay unused.
    """

    def __init__(
        self,
        *,
        place: tuple[Clock, Log],
        clients: Asks,
        spec: SessionsWorkload,
        arrivals_s: NDArray[np.float64],
        stream: Callable[[str], Stream],
        guard_of: Callable[[int], Guard | None],
    ) -> None:
        self._clock, self._log = place
        self._clients = clients
        self._longest = spec.longest
        self._goes_on = spec.on_failure == "go_on"
        self._key_per_session = spec.key_per == "session"
        journeys = list(spec.journeys.values())
        self._journeys = [
            [(each.endpoint, quantile_function(each.think_time)) for each in journey.requests] for journey in journeys
        ]
        choose = discrete_quantiles([journey.share for journey in journeys])
        self._made = [choose(u) for u in stream("workload/journeys").uniforms(len(arrivals_s)).tolist()]
        self._arrivals_s = arrivals_s.tolist()
        self._thinking = stream("workload/think_time")
        self._keys = key_draws(spec.keys, stream)
        self._guard_of = guard_of

    def start(self) -> None:
        """Begin; the sessions come as time passes."""
        self._clock.process(self._arrive())

    def finish(self) -> None:
        """Nothing is left: who is thinking at the end has not asked yet."""

    def _arrive(self) -> Handling:
        for session, arrival_s in enumerate(self._arrivals_s):
            if arrival_s > self._clock.now:
                yield Timer(self._clock, arrival_s - self._clock.now, Order.ARRIVAL)
            self._next(session, 0, self._guard_of(session))
        return Outcome.OK

    def _next(self, session: int, step: int, guard: Guard | None) -> None:
        """Think, and then ask for this step of the session's journey."""
        number = session * self._longest + step
        endpoint, think_time = self._journeys[self._made[session]][step]
        delay_s = think_time(self._thinking.uniform(number))
        if delay_s > 0:
            Timer(self._clock, delay_s, Order.ARRIVAL, lambda _: self._ask(number, endpoint, guard))
        else:
            self._ask(number, endpoint, guard)

    def _ask(self, number: int, endpoint: str, guard: Guard | None) -> None:
        now_s = self._clock.now
        session = number // self._longest
        if self._key_per_session:
            key = self._keys.one(session * self._longest, self._arrivals_s[session])
        else:
            key = self._keys.one(number, now_s)
        asked = ClientRequest(number, endpoint, key, now_s, guard, self._ended)
        self._log.requests.append(asked)
        self._clients.ask(asked)

    def _ended(self, asked: ClientRequest) -> None:
        session, step = divmod(asked.number, self._longest)
        if step + 1 == len(self._journeys[self._made[session]]):
            return
        if asked.outcome is Outcome.OK or self._goes_on:
            self._next(session, step + 1, asked.guard)
