"""Makes what processes run on: hosts, whose cores they share, and node pools, which have room for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.distributions import quantile_function
from lab.errors import Unsupported
from lab.scenario.components import Host as HostSpec
from lab.scenario.components import NodePool as NodePoolSpec
from lab.simulation.host import Host
from lab.simulation.node_pool import NodePool

if TYPE_CHECKING:
    from lab.simulation.build.world import World


class Machines:
    """The hosts and node pools of one replication by name, each made on first use."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._hosts: dict[str, Host] = {}
        self._pools: dict[str, NodePool] = {}

    def host(self, name: str) -> Host:
        """Return a host: the same one for all services that run on it."""
        if name not in self._hosts:
            world, spec = self._world, self._world.scenario.components[name]
            assert isinstance(spec, HostSpec)  # the scenario's own check has seen to it
            self._refuse_own(name)
            self._hosts[name] = Host(
                clock=world.clock, log=world.log, name=name, cores=spec.cores, quantum_s=spec.quantum
            )
        return self._hosts[name]

    def node_pool(self, name: str) -> NodePool:
        """Return a node pool: the same one for all services whose processes need room on it.

        The boot time of a node is drawn at its number.
        """
        if name not in self._pools:
            world, spec = self._world, self._world.scenario.components[name]
            assert isinstance(spec, NodePoolSpec)  # the scenario's own check has seen to it
            self._refuse_own(name)
            boot_times, boot_time_s = world.stream(f"{name}/boot_time"), quantile_function(spec.boot_time)
            self._pools[name] = NodePool(
                clock=world.clock,
                log=world.log,
                name=name,
                spec=spec,
                boot_time_s=lambda index: boot_time_s(boot_times.uniform(index)),
            )
        return self._pools[name]

    def start(self) -> None:
        """Have the cluster autoscaler of every node pool begin to look."""
        for name, spec in self._world.scenario.components.items():
            if isinstance(spec, NodePoolSpec):
                self._world.clock.process(self.node_pool(name).run())

    def _refuse_own(self, name: str) -> None:
        if self._world.is_own(name):
            kind = self._world.scenario.components[name].kind.replace("_", " ")
            raise Unsupported(f"components.{name}: is a {kind}, which cannot be replaced by a component of one's own")
