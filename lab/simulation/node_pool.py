"""Nodes under pods: who has room for a process, and a cluster autoscaler that has nodes come and go."""

from __future__ import annotations

from collections.abc import Callable, Generator

from simpy.events import Event

from lab.scenario.node_pool import NodePool as Spec
from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.fleet import Member
from lab.simulation.log import Log


class Node:
    """A machine.

    Attributes:
        index: its number among all that the pool ever had.
        ready: whether pods can boot on it.
        pods: how many have their room on it.
        unneeded_s: when it was first seen without pods; None: it has some, or was not looked at since.
    """

    __slots__ = ("index", "pods", "ready", "unneeded_s")

    def __init__(self, index: int) -> None:
        self.index = index
        self.ready = False
        self.pods = 0
        self.unneeded_s: float | None = None


class NodePool:
    """Gives processes their room on nodes.

    ::

        process started --> a ready node with room? --yes--> boots there --ends--> its room is free again
                             | no                              ^
                             `--> pending (in order) ----------+ room is free, or a node is ready

        scan: pending ones beyond the room that is coming --> as many nodes as they need, up to max and quota
              a node empty since scale_down_unneeded_time, none added for long enough --> it goes, down to min

    It removes empty nodes alone: Kubernetes' also moves the pods of nodes that are less than half full.

    Source: kubernetes/autoscaler, cluster-autoscaler/FAQ.md; kube-scheduler, NodeResourcesFit.
    """

    def __init__(self, *, clock: Clock, log: Log, name: str, spec: Spec, boot_time_s: Callable[[int], float]) -> None:
        self._clock = clock
        self._log = log
        self._name = name
        self._spec = spec
        self._boot_time_s = boot_time_s
        self._made = 0
        self._added_s: float | None = None
        self._denied = 0
        self._nodes: list[Node] = []
        self._home: dict[Member, Node] = {}
        self._pending: dict[Member, Callable[[], None]] = {}  # in the order in which they were started
        self.quota = spec.quota
        for _ in range(spec.nodes):
            self._new_node().ready = True
        self._read_gauges()

    def admit(self, member: Member, begin: Callable[[], None]) -> None:
        """Have ``begin`` called when the process has its room: now, or when there is some."""
        self._pending[member] = begin
        self._place()

    def leave(self, member: Member) -> None:
        """Free the room of a process that has ended, or forget that it waits for some."""
        self._pending.pop(member, None)
        node = self._home.pop(member, None)
        if node is not None:
            node.pods -= 1
            self._place()
        self._read_gauges()

    def allow(self, quota: int | None) -> None:
        """Set the quota; the nodes that are there stay."""
        self.quota = quota

    def run(self) -> Generator[Event, object, None]:
        """Scan for ever."""
        number = 0
        while True:
            number += 1
            delay_s = number * self._spec.scan_interval - self._clock.now
            yield Timer(self._clock, max(0.0, delay_s), Order.EXPIRY)
            self._scan()

    def _scan(self) -> None:
        spec = self._spec
        coming = sum(not node.ready for node in self._nodes)
        short = len(self._pending) - coming * spec.pods_per_node
        needed = max(0, -(-short // spec.pods_per_node))
        most = spec.max if self.quota is None else min(spec.max, self.quota)
        added = max(0, min(needed, most - len(self._nodes)))
        for _ in range(added):
            self._start()
        if needed - added > self._denied:
            told = {"pending": len(self._pending), "nodes": len(self._nodes), "most": most}
            self._log.event(self._name, "no_more_nodes", self._clock.now, denied=needed - added, **told)
        self._denied = needed - added
        if added:
            self._added_s = self._clock.now
            self._log.event(self._name, "nodes_added", self._clock.now, added=added, pending=len(self._pending))
        self._remove_unneeded()
        self._read_gauges()

    def _remove_unneeded(self) -> None:
        spec, now_s = self._spec, self._clock.now
        for node in self._nodes:
            if node.pods or not node.ready:
                node.unneeded_s = None
            elif node.unneeded_s is None:
                node.unneeded_s = now_s
        if self._added_s is not None and now_s < self._added_s + spec.scale_down_delay_after_add:
            return
        for node in list(self._nodes):
            due = node.unneeded_s is not None and now_s >= node.unneeded_s + spec.scale_down_unneeded_time
            if due and len(self._nodes) > spec.min:
                self._nodes.remove(node)
                self._log.event(self._name, "node_removed", now_s, node=node.index)

    def _new_node(self) -> Node:
        node = Node(self._made)
        self._made += 1
        self._nodes.append(node)
        return node

    def _start(self) -> None:
        node = self._new_node()
        Timer(self._clock, self._boot_time_s(node.index), Order.COMPLETION, lambda _: self._booted(node))

    def _booted(self, node: Node) -> None:
        node.ready = True
        self._place()

    def _place(self) -> None:
        """Give room to those that wait for some, in their order."""
        while self._pending:
            free = [node for node in self._nodes if node.ready and node.pods < self._spec.pods_per_node]
            if not free:
                break
            sign = 1 if self._spec.scoring == "least_allocated" else -1
            node = min(free, key=lambda each: (sign * each.pods, each.index))
            member, begin = next(iter(self._pending.items()))
            del self._pending[member]
            node.pods += 1
            node.unneeded_s = None
            self._home[member] = node
            begin()
        self._read_gauges()

    def _read_gauges(self) -> None:
        now_s, ready = self._clock.now, sum(node.ready for node in self._nodes)
        for gauge, value in (
            ("replicas_wanted", len(self._nodes)),
            ("replicas_starting", len(self._nodes) - ready),
            ("replicas_ready", ready),
            ("pods_placed", len(self._home)),
            ("pods_pending", len(self._pending)),
        ):
            self._log.gauge(self._name, -1, gauge, now_s, value)
