"""A closed population: users who each ask, wait for the answer, think, and ask again."""

from __future__ import annotations

from collections.abc import Callable

from lab.distributions import discrete_quantiles, quantile_function
from lab.randomness import Stream
from lab.scenario.key_draws import key_draws
from lab.scenario.workload import ClosedWorkload
from lab.simulation.client_request import Asks, ClientRequest
from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.guard import Guard
from lab.simulation.log import Log


class ClosedPopulation:
    """Sends the requests of so many users.

    ::

        starts --> asks --answer, or gave up for good--> thinks --+
                    ^                                             |
                    +---------------------------------------------+

    The k-th request (k = 0, 1, ...) of user u has the number u + k x population, so its draws are the same whatever
    the others do and however long their answers take. It is meant to start when the thinking before it ends.
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

    def start(self) -> None:
        """Begin: user u starts at u / population of the ramp-up."""
        population = self._spec.population
        for user in range(population):
            self._later(user, user / population * self._spec.ramp_up, self._guard_of(user))

    def finish(self) -> None:
        """Nothing is left: who is thinking at the end has not asked yet."""

    def _later(self, number: int, delay_s: float, guard: Guard | None) -> None:
        Timer(self._clock, delay_s, Order.ARRIVAL, lambda _: self._ask(number, guard))

    def _ask(self, number: int, guard: Guard | None) -> None:
        endpoint = self._names[self._choose(self._choices.uniform(number))]
        now_s = self._clock.now
        asked = ClientRequest(number, endpoint, self._keys.one(number, now_s), now_s, guard, self._ended)
        self._log.requests.append(asked)
        self._clients.ask(asked)

    def _ended(self, asked: ClientRequest) -> None:
        number = asked.number + self._spec.population
        self._later(number, self._think_time(self._thinking.uniform(number)), asked.guard)
