"""How often a client request visits each part, and how long it holds it when nobody else is there.

Mean values without any waiting, one attempt a request. A look-up hits with the probability it is given; the branches of
a ``parallel`` take as long as the longest of their means (a lower bound of the mean); where it waits for the k best, as
the k-th shortest of their means, though all the work is done. No timeout expires, and nothing is hedged. Connections to
databases are open. Tables have the rows of the start. No key is pinned to a primary (``read_your_writes``).
Transactions meet no conflict, commits wait for no replica. Of row locks that of the most popular key counts, as if its
requests were like all others (locks within other steps of a transaction are not seen), of shards the busiest.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from lab.distributions import mean_s
from lab.scenario import routes
from lab.scenario.caller import Caller
from lab.scenario.channels import Channel, beside_the_work_s, messages_each
from lab.scenario.components import Cache, Cdn, Database, Envoy, LoadBalancer, Nginx, RateLimiter, Service, WaitingRoom
from lab.scenario.crossing import connections_asked
from lab.scenario.demand_counts import endpoint_steps
from lab.scenario.fronts import Front, service_behind
from lab.scenario.mix import popularity, request_mix
from lab.scenario.passing import passed_shares
from lab.scenario.places import CONNECTIONS, CORES, Place
from lab.scenario.replicas import most_replicas
from lab.scenario.routes import Shares
from lab.scenario.scenario import Scenario
from lab.scenario.service import host_of, uses_threads
from lab.scenario.shards import hottest_share
from lab.scenario.steps import (
    CachedStep,
    CallStep,
    CpuStep,
    InvalidateStep,
    ParallelStep,
    PublishStep,
    QueryStep,
    StepSpec,
    ThreadStep,
    TransactionStep,
    WaitStep,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visits:
    """Of the mean client request: how often it visits each place, and for how long in all.

    Attributes:
        count: visits a request, by place.
        time_s: time held a request, by place.
        look_ups: look-ups a request, by cache, and of a cdn by ``NAME/ENDPOINT``.
        response_time_s: from the entry to the answer, if nobody waits.
    """

    count: Mapping[Place, float]
    time_s: Mapping[Place, float]
    look_ups: Mapping[str, float]
    response_time_s: float


def visits(scenario: Scenario, *, hit_ratios: Mapping[str, float], rate_per_s: float = 0.0) -> Visits:
    """Return the visits of the mean client request.

    Args:
        scenario: whose mix of endpoints makes the mean request.
        hit_ratios: by cache, and of a cdn by ``NAME/ENDPOINT``, 0 to 1; what is not named always misses.
        rate_per_s: arrival rate of client requests, on which hangs what limiters at the entry let pass (see
            lab.scenario.passing); at 0 everything.
    """
    tour = _Tour(scenario, hit_ratios, passed_shares(scenario, rate_per_s))
    response_time_s = sum(
        share * tour.call(scenario.entry, endpoint, share)
        for endpoint, share in request_mix(scenario).items()
        if share > 0
    )
    for resource, asked in connections_asked(scenario).items():
        place = Place(component=scenario.entry, resource=resource)
        tour.count[place], tour.time_s[place] = asked
    return Visits(count=tour.count, time_s=tour.time_s, look_ups=tour.look_ups, response_time_s=response_time_s)


class _Tour:
    """Adds up the visits of one client request; each method returns the mean time from its start to its end."""

    def __init__(
        self, scenario: Scenario, hit_ratios: Mapping[str, float], passed: Mapping[tuple[str, str], float]
    ) -> None:
        self._components = scenario.components
        self._passed = passed
        self._scenario = scenario
        self._hit_ratios = hit_ratios
        self.count: dict[Place, float] = defaultdict(float)
        self.time_s: dict[Place, float] = defaultdict(float)
        self.look_ups: dict[str, float] = defaultdict(float)
        self._hottest_share: float | None = None  # of all requests; worked out when it is needed
        self._shard_shares: dict[str, float] = {}

    def call(self, target: str, endpoint: str, visits: float) -> float:
        component = self._components[target]
        if isinstance(component, Front):
            passed = visits * self._passed_share(component, target, endpoint, visits)
            return self._front(component, target, visits, self.call(component.targets, endpoint, passed), endpoint)
        assert isinstance(component, Service)  # the consistency check of the scenario has seen to it
        overhead_s = mean_s(component.overhead)
        busy_s = mean_s(component.busy_overhead or component.overhead)  # what a process can do it does while busy
        for processor, share in self._processors(Caller(service=target)):
            self._add(processor, visits * share, busy_s)
        steps = endpoint_steps(self._scenario, target, endpoint)
        held_s = overhead_s + self._steps(steps, Caller(service=target), visits)
        self._add(Place(component=target, resource="slots"), visits, held_s)
        return held_s

    def _passed_share(self, front: Front, name: str, endpoint: str, visits: float) -> float:
        """The share of its visits that a front passes on."""
        if isinstance(front, Cdn):
            if endpoint in front.max_age:
                self.look_ups[f"{name}/{endpoint}"] += visits
            return 1 - self._hit_ratios.get(f"{name}/{endpoint}", 0.0)
        return self._passed.get((name, endpoint), 1.0)

    def _front(self, front: Front, name: str, visits: float, behind_s: float, endpoint: str) -> float:
        match front:
            case LoadBalancer() | Nginx() | Envoy():
                held_s = mean_s(front.forward_time) + behind_s
                self._add(Place(component=name, resource="slots"), visits, held_s)
                if isinstance(front, LoadBalancer) and front.host is not None:
                    self._add(Place(component=front.host, resource="cores"), visits, mean_s(front.forward_time))
                return held_s
            case Cdn():
                misses = 1 - self._hit_ratios.get(f"{name}/{endpoint}", 0.0)
                held_s = mean_s(front.hit_time) + misses * (mean_s(front.forward_time) + behind_s)
                self._add(Place(component=name, resource="accesses"), visits, held_s)
                return held_s
            case RateLimiter():
                checked_s = mean_s(front.check_time) if front.guards(endpoint) else 0.0
                self._add(Place(component=name, resource="checks"), visits * front.guards(endpoint), checked_s)
                return checked_s + behind_s
            case WaitingRoom():
                self._add(Place(component=name, resource="slots"), visits, behind_s)
                if front.admission_rate is not None and front.session_duration is None:
                    self._add(Place(component=name, resource="admissions"), visits, 1 / front.admission_rate)
                return behind_s
            case _:
                assert_never(front)

    def _steps(self, steps: tuple[StepSpec, ...], caller: Caller, visits: float) -> float:
        return sum(self._step(step, caller, visits) for step in steps)

    def _step(self, step: StepSpec, caller: Caller, visits: float) -> float:
        match step:
            case CpuStep():
                return self._compute(step, caller, visits)
            case WaitStep():
                return mean_s(step.time)
            case CachedStep():
                return self._cached(step, caller, visits)
            case InvalidateStep():
                return self._access(step.cache, visits)
            case QueryStep():
                return self._query(step, caller, visits * step.repeat) * step.repeat
            case TransactionStep():
                return self._transaction(step, caller, visits)
            case CallStep():
                held_s = self.call(step.target, step.endpoint, visits)
                if step.target in service_behind(self._scenario, caller.service).bulkheads:
                    place = Place(component=step.target, resource="bulkhead", caller=caller.service)
                    self._add(place, visits, held_s)
                return held_s
            case PublishStep():
                return self._publish(step, visits)
            case ThreadStep():
                held_s = self._steps(step.steps, replace(caller, in_thread=True), visits)
                self._add(Place(component=caller.service, resource="threads"), visits, held_s)
                return held_s
            case ParallelStep():
                times_s = sorted(self._steps(branch, caller, visits * step.copies) for branch in step.branches)
                return times_s[(step.wanted - 1) // step.copies]
            case _:
                assert_never(step)

    def _publish(self, step: PublishStep, visits: float) -> float:
        queue = self._components[step.queue]
        assert isinstance(queue, Channel)  # the consistency check of the scenario has seen to it
        publish_s = mean_s(queue.publish_time)
        self._add(Place(component=step.queue, resource="publishings"), visits, publish_s)
        # The work on the message is asked of its consumers, but the request does not wait for it.
        messages = visits * messages_each(queue)
        work_s = self.call(queue.consumer, queue.endpoint, messages) + beside_the_work_s(queue)
        self._add(Place(component=step.queue, resource="deliveries"), messages, work_s)
        return publish_s

    def _query(self, step: QueryStep, caller: Caller, visits: float) -> float:
        database = self._database(step.database)
        executed_s = database.statement_s_mean(step.query)
        held_s = mean_s(database.round_trip) + executed_s
        spec = database.queries[step.query]
        shares = caller.held.get(step.database) or routes.shares(database, writes=not spec.may_go_to_a_replica)
        if step.database not in caller.held:
            self._hold(step.database, caller, shares, visits, held_s)
            if database.locks(step.query):
                self._lock(step.database, visits, executed_s)
        for role, share in shares.items():
            if database.host is not None:
                self._add(Place(component=database.host, resource="cores"), visits * share, executed_s)
            if database.cores is not None:
                asked = visits * share * self._of_one_shard(step.database)
                self._add(Place(component=step.database, resource=CORES[role]), asked, executed_s)
        return held_s

    def _transaction(self, step: TransactionStep, caller: Caller, visits: float) -> float:
        database = self._database(step.database)
        shares = routes.shares(database, writes=routes.transaction_writes(self._scenario, step))
        within = replace(caller, held={**caller.held, step.database: shares})
        each_s = [self._step(inner, within, visits) for inner in step.steps]
        held_s = sum(each_s) + mean_s(database.round_trip)
        self._hold(step.database, caller, shares, visits, held_s)
        first = next((number for number, inner in enumerate(step.steps) if self._locks(inner, step.database)), None)
        if first is not None:
            # From half a round trip into that statement until half a round trip into the commit.
            self._lock(step.database, visits, sum(each_s[first:]))
        return held_s

    def _locks(self, step: StepSpec, database: str) -> bool:
        if not isinstance(step, QueryStep) or step.database != database:
            return False
        return self._database(database).locks(step.query)

    def _lock(self, name: str, visits: float, held_s: float) -> None:
        """Hold what a write holds; the lock of the row that is asked for most by the share of its requests."""
        if self._database(name).engine == "sqlite":
            self._add(Place(component=name, resource="writer"), visits, held_s)
            return
        if self._hottest_share is None:
            self._hottest_share = float(popularity(self._scenario)[0])
        self._add(Place(component=name, resource="hottest_row"), visits * self._hottest_share, held_s)

    def _hold(self, name: str, caller: Caller, shares: Shares, visits: float, held_s: float) -> None:
        for role, share in shares.items():
            place = Place(component=name, resource=CONNECTIONS[role], caller=caller.service)
            self._add(place, visits * share * self._of_one_shard(name), held_s)

    def _of_one_shard(self, name: str) -> float:
        """Return the share of statements that go to the shard of a database that gets most of them."""
        if name not in self._shard_shares:
            self._shard_shares[name] = hottest_share(self._database(name), self._scenario)
        return self._shard_shares[name]

    def _database(self, name: str) -> Database:
        database = self._components[name]
        assert isinstance(database, Database)  # the consistency check of the scenario has seen to it
        return database

    def _compute(self, step: CpuStep, caller: Caller, visits: float) -> float:
        held_s = mean_s(step.time)
        for processor, share in self._processors(caller):
            self.time_s[processor] += visits * share * held_s
        return held_s

    def _processors(self, caller: Caller) -> Iterator[tuple[Place, float]]:
        """What is busy while a service computes, and for which share of it."""
        service = self._components[caller.service]
        assert isinstance(service, Service)  # the consistency check of the scenario has seen to it
        if not caller.in_thread:
            yield Place(component=caller.service, resource="event_loop"), 1.0
        if uses_threads(service):
            yield Place(component=caller.service, resource="gil"), 1.0
        replicas = most_replicas(self._scenario, caller.service)
        for host, count in Counter(host_of(service, index) for index in range(replicas)).items():
            if host is not None:
                yield Place(component=host, resource="cores"), count / replicas

    def _cached(self, step: CachedStep, caller: Caller, visits: float) -> float:
        misses = 1 - self._hit_ratios.get(step.cache, 0.0)
        self.look_ups[step.cache] += visits
        looked_up_s = self._access(step.cache, visits)
        stored_s = self._access(step.cache, visits * misses)
        return looked_up_s + misses * (self._steps(step.miss, caller, visits * misses) + stored_s)

    def _access(self, name: str, visits: float) -> float:
        cache = self._components[name]
        assert isinstance(cache, Cache)  # the consistency check of the scenario has seen to it
        access_s = mean_s(cache.time_of_access)
        self._add(Place(component=name, resource="accesses"), visits, access_s)
        return access_s

    def _add(self, place: Place, visits: float, held_s: float) -> None:
        self.count[place] += visits
        self.time_s[place] += visits * held_s
