"""From a Scenario to wired parts: the only place that knows all kinds of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import assert_never

from lab.distributions import Constant, Distribution
from lab.errors import Unsupported
from lab.randomness import Stream
from lab.scenario.components import Cache, Database, LoadBalancer, Service
from lab.scenario.demands import BoundStep, bound_steps
from lab.scenario.scenario import Scenario
from lab.scenario.steps import CachedStep, CallStep, CpuStep, ParallelStep, QueryStep, WaitStep
from lab.simulation.cache import LruCache
from lab.simulation.clock import Clock
from lab.simulation.database import PooledDatabase
from lab.simulation.load_balancer import Limits
from lab.simulation.load_balancer import LoadBalancer as Balancer
from lab.simulation.log import Log
from lab.simulation.request import Part
from lab.simulation.service import Replica
from lab.simulation.steps import Access, Awaiting, Cached, Call, Compute, Parallel, Query, Runnable, Steps, Wait
from lab.simulation.variate import Variate


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a part needs from the world it stands in; a user's own component gets one too.

    Attributes:
        clock: the SimPy environment.
        log: where visits are written.
        name: the component's name in the scenario.
        replica: which replica of it this is.
        part: finds another component by name, to call its ``handle``.
        replicas: finds the replicas of a service by name, for a balancer of one's own.
        variate: makes the drawn times of a stream, from the stream's name and a distribution.
    """

    clock: Clock
    log: Log
    name: str
    replica: int
    part: Callable[[str], Part]
    replicas: Callable[[str], tuple[Part, ...]]
    variate: Callable[[str, Distribution], Variate]


OwnComponents = Mapping[str, Callable[[Context], Part]]
"""Component name to what makes the user's own part for it, once for each replica."""


class World:
    """The parts of one replication, made and wired on first use."""

    def __init__(self, *, scenario: Scenario, seed: int, replication: int, requests: int, own: OwnComponents) -> None:
        unknown = ", ".join(sorted(set(own) - set(scenario.components)))
        if unknown:
            raise Unsupported(
                f"components: the scenario has no {unknown} to replace (it has: {', '.join(scenario.components)})"
            )
        self.clock = Clock()
        self.log = Log()
        self._scenario = scenario
        self._address = (seed, replication, requests)
        self._own = own
        self._variates: dict[tuple[str, Distribution], Variate] = {}
        self._parts: dict[str, Part] = {}
        self._replicas: dict[str, tuple[Part, ...]] = {}

    def stream(self, name: str) -> Stream:
        """Return the stream of this name in this replication."""
        seed, replication, _ = self._address
        return Stream(seed=seed, replication=replication, name=name)

    def variate(self, name: str, distribution: Distribution) -> Variate:
        """Return the drawn times of the stream ``name``.

        Steps of one kind in one endpoint share a stream, each at its own visit; their distributions may differ.
        """
        key = (name, distribution)
        if key not in self._variates:
            self._variates[key] = Variate(
                stream=self.stream(name), distribution=distribution, requests=self._address[2]
            )
        return self._variates[key]

    def part(self, name: str) -> Part:
        """Return the component that others call under this name."""
        if name not in self._parts:
            self._parts[name] = self._make(name)
        return self._parts[name]

    def _make(self, name: str) -> Part:
        spec = self._scenario.components[name]
        match spec:
            case LoadBalancer():
                return self._load_balancer(name, spec)
            case Service():
                return self.replicas(name)[0]
            case Cache():
                return self._own_part(name) or LruCache(
                    clock=self.clock,
                    log=self.log,
                    name=name,
                    capacity=spec.capacity,
                    ttl_s=spec.ttl,
                    access_times={
                        operation: self.variate(f"{name}/{operation}", spec.access_time) for operation in ("get", "set")
                    },
                )
            case Database():
                return self._database(name, spec, "", 0)
            case _:
                assert_never(spec)

    def _own_part(self, name: str, replica: int = 0) -> Part | None:
        make = self._own.get(name)
        if make is None:
            return None
        context = Context(
            clock=self.clock,
            log=self.log,
            name=name,
            replica=replica,
            part=self.part,
            replicas=self.replicas,
            variate=self.variate,
        )
        return make(context)

    def _load_balancer(self, name: str, spec: LoadBalancer) -> Part:
        own = self._own_part(name)
        if own is not None:
            return own
        balancer = Balancer(
            clock=self.clock,
            log=self.log,
            name=name,
            algorithm=spec.algorithm,
            limits=Limits(
                per_server=spec.max_connections_per_server,
                queue_timeout_s=spec.queue_timeout,
                server_timeout_s=spec.server_timeout,
            ),
            draws=(self.stream(f"{name}/choice"), self.unless_free(f"{name}/forward_time", spec.forward_time)),
        )
        for replica in self.replicas(spec.targets):
            balancer.add(replica)
        return balancer

    def replicas(self, name: str) -> tuple[Part, ...]:
        """Return the replicas of a service: the same ones for everybody who calls it."""
        if name not in self._replicas:
            spec = self._scenario.components[name]
            assert isinstance(spec, Service)  # the scenario's own check has seen to it
            self._replicas[name] = tuple(self._replica(name, spec, index) for index in range(spec.replicas))
        return self._replicas[name]

    def unless_free(self, stream: str, time: Distribution) -> Variate | None:
        """Return the drawn times of a stream, or None where they are always 0: then no event is spent on them."""
        return None if isinstance(time, Constant) and time.mean == 0 else self.variate(stream, time)

    def _replica(self, name: str, spec: Service, index: int) -> Part:
        own = self._own_part(name, index)
        if own is not None:
            return own
        replica = Replica(
            clock=self.clock,
            log=self.log,
            name=name,
            index=index,
            places=(spec.concurrency, spec.backlog),
            overhead=self.unless_free(f"{name}/overhead", spec.overhead),
        )
        wiring = _Wiring(world=self, replica=replica, service=name, index=index)
        replica.endpoints = {
            endpoint: wiring.steps(bound_steps(self._scenario, name, endpoint)) for endpoint in spec.endpoints
        }
        return replica

    def database_of(self, name: str, service: str, index: int) -> Part:
        """Return the database as one replica sees it: through that replica's own pool."""
        key = f"{name} of {service}/{index}"
        if key not in self._parts:
            spec = self._scenario.components[name]
            assert isinstance(spec, Database)  # the scenario's own check has seen to it
            self._parts[key] = self.part(name) if name in self._own else self._database(name, spec, service, index)
        return self._parts[key]

    def _database(self, name: str, spec: Database, service: str, index: int) -> Part:
        return self._own_part(name) or PooledDatabase(
            clock=self.clock,
            log=self.log,
            seen_from=(name, index),
            pool=(spec.pool.size + spec.pool.overflow, spec.pool.timeout),
            round_trip=self.variate(f"{name}/round_trip", spec.round_trip),
            queries={query: self.variate(f"{name}/{query}", each.time) for query, each in spec.queries.items()},
        )


class _Wiring:
    """Makes the steps of one replica, bound to its event loop and its pools."""

    def __init__(self, *, world: World, replica: Replica, service: str, index: int) -> None:
        self._world = world
        self._replica = replica
        self._service = service
        self._index = index

    def steps(self, bound: tuple[BoundStep, ...]) -> Steps:
        return Steps(tuple(self._step(step) for step in bound))

    def _step(self, bound: BoundStep) -> Runnable:
        world, spec, event_loop = self._world, bound.spec, self._replica.event_loop
        match spec:
            case CpuStep():
                time_s = world.variate(bound.stream, spec.time)
                return Compute(event_loop=event_loop, time_s=time_s, ordinal=bound.ordinal)
            case WaitStep():
                time_s = world.variate(bound.stream, spec.time)
                return self._awaiting(Wait(clock=world.clock, time_s=time_s, ordinal=bound.ordinal))
            case CachedStep():
                cache = world.part(spec.cache)
                get, store = (
                    self._awaiting(Access(cache=cache, operation=operation, ordinal=bound.ordinal))
                    for operation in ("get", "set")
                )
                return Cached(get=get, miss=self.steps(bound.nested[0]), store=store)
            case QueryStep():
                database = world.database_of(spec.database, self._service, self._index)
                return self._awaiting(Query(database=database, query=spec.query, ordinal=bound.ordinal))
            case CallStep():
                target = world.part(spec.target)
                return self._awaiting(Call(target=target, endpoint=spec.endpoint, ordinal=bound.ordinal))
            case ParallelStep():
                branches = tuple(self.steps(branch) for branch in bound.nested)
                return self._awaiting(Parallel(clock=world.clock, event_loop=event_loop, branches=branches))
            case _:
                assert_never(spec)

    def _awaiting(self, step: Runnable) -> Runnable:
        return Awaiting(event_loop=self._replica.event_loop, step=step)
