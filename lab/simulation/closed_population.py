"""A closed population: users who each ask, wait for the answer, think, and ask again."""

from __future__ import annotations

from collections.abc import Callable

from lab.distributions import discrete_quantiles, quantile_function
from lab.randomness import Stream
from lab.scenario.key_draws import key_draws
from lab.scenario.presence import Presence
from lab.scenario.workload import ClosedWorkload
from lab.simulation.client_request import Asks, ClientRequest
from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.guard import Guard
from lab.simulation.log import Log
from lab.simulation.presence import Attendance
from lab.simulation.thinking import Thinking


class ClosedPopulation:
    """Sends the requests of so many users.

    ::

        starts --> asks --answer, or gave up for good--> thinks --+
                    ^                                             |
                    +---------------------------------------------+

    The k-th request (k = 0, 1, ...) of user u has the number u + k x population, so its draws are the same whatever
    the others do and however long their answers take. It is meant to start when the thinking before it ends.

    Where users go offline (``presence``), they think only while they are online.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        log: Log,
        clients: Asks,
        spec: ClosedWorkload,
        stream: Callable[[str], Stream],
        guard_of: Callable[[int], Guard | None],
    ) -> None:
        self._clock = clock
        self._log = log
        self._clients = clients
        self._spec = spec
        self._think_time = quantile_function(spec.think_time)
        self._thinking, self._choices = stream("workload/think_time"), stream("workload/endpoints")
        self._names = list(spec.endpoints)
        self._choose = discrete_quantiles(list(spec.endpoints.values()))
        self._keys = key_draws(spec.keys, stream)
        self._guard_of = guard_of
        self._pauses = None if spec.presence is None else _pauses(clock, spec, spec.presence, stream)

    def start(self) -> None:
        """Begin: user u starts at u / population of the ramp-up."""
        population = self._spec.population
        for user in range(population):
            self._start_later(user, user / population * self._spec.ramp_up, self._guard_of(user))

    def finish(self) -> None:
        """Nothing is left: who is thinking at the end has not asked yet."""

    def _start_later(self, user: int, delay_s: float, guard: Guard | None) -> None:
        begin = self._ask if self._pauses is None else self._go_on
        Timer(self._clock, delay_s, Order.ARRIVAL, lambda _: begin(user, guard))

    def _go_on(self, number: int, guard: Guard | None, thinking_s: float = 0.0) -> None:
        """Ask when the user has thought for so long while online, or comes back and asks something else first."""
        assert self._pauses is not None
        delay_s, endpoint = self._pauses.after(number, thinking_s)
        Timer(self._clock, delay_s, Order.ARRIVAL, lambda _: self._ask(number, guard, endpoint))

    def _ask(self, number: int, guard: Guard | None, endpoint: str | None = None) -> None:
        if endpoint is None:
            endpoint = self._names[self._choose(self._choices.uniform(number))]
        now_s = self._clock.now
        asked = ClientRequest(number, endpoint, self._keys.one(number, now_s), now_s, guard, self._ended)
        self._log.requests.append(asked)
        self._clients.ask(asked)

    def _ended(self, asked: ClientRequest) -> None:
        number = asked.number + self._spec.population
        thinking_s = self._think_time(self._thinking.uniform(number))
        if self._pauses is None:
            Timer(self._clock, thinking_s, Order.ARRIVAL, lambda _: self._ask(number, asked.guard))
        else:
            self._go_on(number, asked.guard, thinking_s)


def _pauses(clock: Clock, spec: ClosedWorkload, presence: Presence, stream: Callable[[str], Stream]) -> Thinking:
    attendance = Attendance(spec=presence, stream=stream("workload/presence"))
    return Thinking(clock=clock, attendance=attendance, reconnect=presence.reconnect, population=spec.population)
