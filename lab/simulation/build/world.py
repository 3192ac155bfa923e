"""The parts of one replication by name, made and wired on first use."""

from __future__ import annotations

from typing import assert_never

from lab.distributions import Distribution, is_free
from lab.errors import Unsupported
from lab.randomness import Stream
from lab.scenario.components import (
    Cache,
    Cdn,
    Database,
    Envoy,
    Host,
    LoadBalancer,
    Mailbox,
    Nginx,
    NodePool,
    Queue,
    RateLimiter,
    Service,
    WaitingRoom,
)
from lab.scenario.components import Stream as StreamSpec
from lab.scenario.faults import CrashFault, PartitionFault, SlowLinkFault
from lab.scenario.replicas import processes_end
from lab.scenario.scenario import Scenario
from lab.scenario.shards import places_of
from lab.scenario.shared_luck import shared_streams
from lab.scenario.zones import strikes
from lab.simulation.build.autoscaler import make_called, make_deployment, start_autoscaler
from lab.simulation.build.cache import make_cache, make_nodes
from lab.simulation.build.channel import make_channel
from lab.simulation.build.context import Context, OwnComponents
from lab.simulation.build.database import make_cluster, make_database
from lab.simulation.build.front import make_front
from lab.simulation.build.machines import Machines
from lab.simulation.build.network import ClientWay, make_client_way
from lab.simulation.build.service import make_replica
from lab.simulation.cache import LocalCaches
from lab.simulation.clock import Clock
from lab.simulation.database import Cluster
from lab.simulation.deployment import Deployment
from lab.simulation.fleet import Fleet
from lab.simulation.gone import Gone
from lab.simulation.link import Breakable, Linked, Remote, Wire
from lab.simulation.log import Log
from lab.simulation.request import Part
from lab.simulation.variate import Variate
from lab.simulation.zones import Zones


class World:
    """The parts of one replication; whoever asks for a part twice gets the same one."""

    def __init__(  # one more than five: the replication, and what differs from the scenario's own parts
        self,
        *,
        scenario: Scenario,
        seed: int,
        replication: int,
        requests: int,
        own: OwnComponents,
        failing: frozenset[str] = frozenset(),
    ) -> None:
        unknown = ", ".join(sorted(set(own) - set(scenario.components)))
        if unknown:
            raise Unsupported(
                f"components: the scenario has no {unknown} to replace (it has: {', '.join(scenario.components)})"
            )
        self.clock = Clock()
        self.log = Log()
        self.gone = Gone()
        self.scenario = scenario
        self._address = (seed, replication, requests)
        self._own = own
        self._failing = failing
        self._variates: dict[tuple[str, Distribution], Variate] = {}
        self._parts: dict[str, Part] = {}
        self._fleets: dict[str, Fleet] = {}
        self.machines = Machines(self)
        self._clusters: dict[str, Cluster] = {}
        self._deployments: dict[str, Deployment] = {}
        self._zones: dict[str, Zones] = {}
        self._wires: dict[frozenset[str], Wire] = {}
        self._breakable: dict[str, Breakable] = {}
        self._client_way: ClientWay | None = None
        self._twin = 0
        self._shared: frozenset[str] = frozenset()

    def become_twin(self, number: int) -> None:
        """Give the parts luck of their own, for each number another; 0: that of the replication.

        Requests, and demands that travel with them, stay those of the replication. Must be called before any part is
        made.
        """
        self._twin, self._shared = number, shared_streams(self.scenario)

    def stream(self, name: str) -> Stream:
        """Return the stream of this name in this replication."""
        seed, replication, _ = self._address
        own = self._twin and name not in self._shared and not name.startswith("workload/")
        return Stream(seed=seed, replication=replication, name=f"{name}/twin {self._twin}" if own else name)

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

    def unless_free(self, stream: str, time: Distribution) -> Variate | None:
        """Return the drawn times of a stream, or None where they are always 0: then no event is spent on them."""
        return None if is_free(time) else self.variate(stream, time)

    def part(self, name: str) -> Part:
        """Return the component that others call under this name."""
        if name not in self._parts:
            self._parts[name] = self._make(name)
        return self._parts[name]

    def _make(self, name: str) -> Part:
        spec = self.scenario.components[name]
        match spec:
            case LoadBalancer() | Nginx() | Envoy() | Cdn() | RateLimiter() | WaitingRoom():
                return self.own_part(name) or make_front(self, name, spec)
            case Service():
                return make_called(self, name, spec)
            case Cache():
                return self._make_cache(name, spec)
            case Database():
                return self.own_part(name) or make_database(self, name, spec, service=None, replica=0)
            case Queue() | StreamSpec() | Mailbox():
                return self.own_part(name) or make_channel(self, name, spec)
            case Host() | NodePool():
                raise Unsupported(f"components.{name}: is a {spec.kind}, on which processes run; nobody can call it")
            case _:
                assert_never(spec)

    def _make_cache(self, name: str, spec: Cache) -> Part:
        def make(replica: int) -> Part:
            return self.own_part(name, replica) or make_cache(self, name, spec, replica=replica)

        if spec.nodes > 1:
            return make_nodes(self, name, spec)
        return make(0) if spec.scope == "shared" else LocalCaches(name=name, make=make)

    def cache_of(self, name: str, service: str, process: int) -> Part:
        """Return the cache as one process of a service sees it: the shared one, or that process's own."""
        cache = self.part(name)
        return cache.of(service, process) if isinstance(cache, LocalCaches) else cache

    def cache_reached(self, name: str, service: str, process: int) -> Part:
        """Return the cache as one process of a service reaches it, which may fail."""
        crashes = any(
            isinstance(fault, CrashFault) and fault.component == name and fault.node is None
            for fault in self.scenario.faults
        )
        return self.reached(service, name, self.breakable(name) if crashes else self.cache_of(name, service, process))

    def own_part(self, name: str, replica: int = 0) -> Part | None:
        """Return the user's own part for this component, or None if the lab's own is wanted."""
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

    def fleet(self, name: str) -> Fleet:
        """Return the replicas of a service: the same ones for everybody who calls it."""
        if name not in self._fleets:
            spec = self.scenario.components[name]
            assert isinstance(spec, Service)  # the scenario's own check has seen to it

            def make(index: int) -> Part:
                return self.own_part(name, index) or make_replica(self, name, spec, index)

            mortal = processes_end(self.scenario, name)
            rooms = None if spec.node_pool is None else self.machines.node_pool(spec.node_pool)
            self._fleets[name] = fleet = Fleet(clock=self.clock, make=make, mortal=mortal, rooms=rooms)
            for _ in range(spec.replicas):
                fleet.start()
        return self._fleets[name]

    def deployment(self, name: str) -> Deployment:
        """Return what keeps the fleet of a service at its number, where processes come and go."""
        if name not in self._deployments:
            spec = self.scenario.components[name]
            assert isinstance(spec, Service)  # the scenario's own check has seen to it
            self._deployments[name] = make_deployment(self, name, spec, self.fleet(name))
        return self._deployments[name]

    def zones(self, name: str) -> Zones:
        """Return which process of a service is in which zone."""
        if name not in self._zones:
            spec = self.scenario.components[name]
            assert isinstance(spec, Service)  # the scenario's own check has seen to it
            self._zones[name] = Zones(fleet=self.fleet(name), zones=spec.zones)
        return self._zones[name]

    def start_autoscalers(self) -> None:
        """Have every autoscaler of the scenario begin to look."""
        self.machines.start()
        for name, spec in self.scenario.components.items():
            if isinstance(spec, Service) and spec.autoscaler is not None:
                start_autoscaler(self, name, spec, spec.autoscaler)

    def is_own(self, name: str) -> bool:
        """Tell whether the user gave a part of their own for this component."""
        return name in self._own

    def replicas(self, name: str) -> tuple[Part, ...]:
        """Return the replicas of a service that are ready now."""
        return tuple(self.fleet(name).ready)

    def may_fail(self, name: str) -> bool:
        """Whether faults are described for this component: then it is made of parts that can fail."""
        return name in self._failing or any(strikes(self.scenario, fault, name) for fault in self.scenario.faults)

    def wire(self, one: str, other: str) -> Wire | None:
        """Return the wire between two components, where a fault strikes it; else None."""
        ends, kinds = frozenset((one, other)), PartitionFault | SlowLinkFault
        struck = (frozenset(fault.between) for fault in self.scenario.faults if isinstance(fault, kinds))
        if ends not in self._wires and ends in struck:
            self._wires[ends] = Wire(self.clock)
        return self._wires.get(ends)

    def client_way(self) -> ClientWay | None:
        """Return the network between clients and the entry; None where there is none but a round trip."""
        client = self.scenario.client
        if self._client_way is None and client.network is not None:
            self._client_way = make_client_way(self, client.network, client.connections)
        return self._client_way

    def link(self, caller: str, name: str) -> Linked | None:
        """Return the way of a caller to a component, where a fault strikes it; else None."""
        wire = self.wire(caller, name)
        if wire is None:
            return None
        return Linked(clock=self.clock, log=self.log, name=f"{caller}.to.{name}", wire=wire)

    def breakable(self, name: str) -> Breakable:
        """Return a component that crashes as a whole, as its callers find it."""
        if name not in self._breakable:
            self._breakable[name] = Breakable(clock=self.clock, log=self.log, name=name, part=self.part(name))
        return self._breakable[name]

    def reached(self, caller: str, name: str, part: Part | None = None) -> Part:
        """Return a component as one of its callers reaches it.

        Args:
            part: what stands for the component to this caller; the one that all call if not given.
        """
        if part is None:
            part = self.part(name)
        link = self.link(caller, name)
        return part if link is None else Remote(link=link, part=part)

    def database_server(self, name: str, shard: int = 0) -> Cluster:
        """Return the servers of a database, or of one of its shards: the same for all who call; faults act on them.

        Only where the database may fail, or is described beyond its pools, do its callers work with them.
        """
        spec = self.scenario.components[name]
        assert isinstance(spec, Database)  # the scenario's own check has seen to it
        place = places_of(name, spec)[shard]
        if place not in self._clusters:
            self._clusters[place] = make_cluster(self, (name, place), spec)
        return self._clusters[place]

    def database_of(self, name: str, service: str, replica: int) -> Part:
        """Return the database as one replica of a service sees it: through that replica's own pool."""
        key = f"{name} of {service}/{replica}"
        if key not in self._parts:
            spec = self.scenario.components[name]
            assert isinstance(spec, Database)  # the scenario's own check has seen to it
            own = name in self._own
            self._parts[key] = (
                self.part(name) if own else make_database(self, name, spec, service=service, replica=replica)
            )
        return self._parts[key]
