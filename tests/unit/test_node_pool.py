"""Nodes under pods: who waits for room, when nodes come and go, and what that does to an autoscaler's new pods."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lab
from lab.errors import ScenarioError
from lab.scenario.scenario import Scenario
from lab.scenario.topology import mermaid
from lab.validation.laws import broken_laws
from tests.unit.autoscaled import Watched
from tests.unit.backends import scenario, service, waiting

_NOBODY = np.array([0.0])


def _pool(
    *schedule: dict[str, Any], pool: dict[str, Any] | None = None, faults: tuple[dict[str, Any], ...] = (), **api: Any
) -> Scenario:
    """Pods that boot for 5 s on nodes of three that boot for 40 s; the run begins with two pods on one node."""
    nodes = {"kind": "node_pool", "pods_per_node": 3, "max": 4, "boot_time": "40s"} | (pool or {})
    autoscaler = {"kind": "scheduled", "min": 1, "max": 20, "schedule": list(schedule)}
    described = {"replicas": 2, "boot_time": "5s", "node_pool": "nodes", "autoscaler": autoscaler} | api
    return scenario(
        {
            "edge": {"kind": "load_balancer", "targets": "api"},
            "api": service(waiting("1s"), **described),
            "nodes": nodes,
        },
        entry="edge",
        run={"duration": "2000s"},
        faults=list(faults),
    )


class _Seen(Watched):
    def of(self, component: str, name: str) -> list[tuple[float, float]]:
        """The steps of a gauge of one component."""
        own = self._samples[(self._samples["component"] == component) & (self._samples["gauge"] == name)]
        return list(zip(own["time_s"], own["value"], strict=True))


def _watch(described: Scenario) -> _Seen:
    return _Seen(described, _NOBODY, own_balancer=False)


def test_pods_without_room_wait_for_a_node() -> None:
    """Six pods are wanted at 12 s: one has room and is ready at 17 s; three wait. The scan at 20 s asks for a node.

    It is there at 60 s, and the three are ready at 65 s.
    """
    seen = _watch(_pool({"at": "12s", "desired": 6}))
    assert seen.of("api", "replicas_ready") == [(0.0, 2), (17.0, 3), (65.0, 6)]
    assert seen.of("nodes", "pods_pending") == [(0.0, 0), (12.0, 3), (60.0, 0)]
    assert seen.of("nodes", "replicas_ready") == [(0.0, 1), (60.0, 2)]
    assert seen.why("nodes_added") == [(20.0, {"added": 1, "pending": 3})]


def test_nodes_that_are_on_their_way_count() -> None:
    """Four pending ask for two nodes at 20 s; three more at 25 s, of which two have room on those, ask for one."""
    seen = _watch(_pool({"at": "12s", "desired": 7}, {"at": "25s", "desired": 10}))
    assert seen.why("nodes_added") == [(20.0, {"added": 2, "pending": 4}), (30.0, {"added": 1, "pending": 7})]
    assert seen.of("nodes", "replicas_ready") == [(0.0, 1), (60.0, 3), (70.0, 4)]
    assert seen.of("api", "replicas_ready")[-2:] == [(65.0, 9), (75.0, 10)]


def test_no_more_nodes_than_allowed() -> None:
    """15 pods would need five nodes, four are given out; an event tells of that. So does a quota."""
    seen = _watch(_pool({"at": "12s", "desired": 15}))
    assert seen.of("api", "replicas_ready")[-1] == (65.0, 12)
    assert seen.why("no_more_nodes") == [(20.0, {"denied": 1, "most": 4, "nodes": 4, "pending": 12})]
    fault = {"kind": "quota", "component": "nodes", "at": "5s", "limit": 2, "duration": "100s"}
    limited = _watch(_pool({"at": "12s", "desired": 15}, pool={"quota": 3}, faults=(fault,)))
    assert limited.of("nodes", "replicas_ready") == [(0.0, 1), (60.0, 2), (150.0, 3)]


def test_a_pod_that_ends_makes_room_for_one_that_waits() -> None:
    """Pods 3 and 4 wait; pod 0 crashes at 15 s, and pod 3 boots in its place; what replaces it waits as well."""
    crash = {"kind": "crash", "component": "api", "at": "15s", "replica": 0}
    seen = _watch(_pool({"at": "12s", "desired": 5}, pool={"max": 1}, faults=(crash,)))
    assert seen.of("api", "replicas_ready") == [(0.0, 2), (15.0, 1), (17.0, 2), (20.0, 3)]
    assert seen.of("nodes", "pods_pending") == [(0.0, 0), (12.0, 2)]  # one got room, another came


def test_pending_pods_are_the_first_to_go() -> None:
    """Three wait when fewer are wanted: they are given up, and no node is asked for."""
    seen = _watch(_pool({"at": "12s", "desired": 6}, {"at": "19s", "desired": 3}))
    assert seen.of("nodes", "pods_pending") == [(0.0, 0), (12.0, 3), (19.0, 0)]
    assert seen.why("nodes_added") == []


def test_an_empty_node_goes_after_its_time() -> None:
    """At 105 s only one pod is left, on node 0. Node 1 is seen empty at 110 s and goes 600 s later, at 710 s.

    With nodes kept for 5 min after they are empty it would be 410 s, but none goes for 10 min after one was asked for,
    at 20 s: so 620 s.
    """
    schedule = ({"at": "12s", "desired": 6}, {"at": "105s", "desired": 1})
    assert _watch(_pool(*schedule)).of("nodes", "replicas_ready")[-1] == (710.0, 1)
    sooner = _watch(_pool(*schedule, pool={"scale_down_unneeded_time": "5min"}))
    assert sooner.of("nodes", "replicas_ready")[-1] == (620.0, 1)
    unneeded = {"scale_down_unneeded_time": "5min", "scale_down_delay_after_add": "1min"}
    assert _watch(_pool(*schedule, pool=unneeded)).of("nodes", "replicas_ready")[-1] == (410.0, 1)


@pytest.mark.parametrize(("scoring", "ready"), [("least_allocated", 2), ("most_allocated", 1)])
def test_where_pods_go_decides_what_becomes_empty(scoring: str, ready: int) -> None:
    """Two nodes of three and two pods: spread out, neither node is ever empty; packed, one of them goes."""
    pool = {"nodes": 2, "min": 1, "scoring": scoring, "scale_down_delay_after_add": "0s"}
    seen = _watch(_pool({"at": "12s", "desired": 2}, pool=pool))
    assert seen.of("nodes", "replicas_ready")[-1][1] == ready


def test_what_it_costs_and_that_it_keeps_the_laws() -> None:
    """One node for 2000 s, and a second from 20 s to 710 s, its boot included."""
    described = _pool({"at": "12s", "desired": 6}, {"at": "105s", "desired": 1}).with_(
        {"run.replications": 1, "workload.arrival_rate": "0.1/s", "components.nodes.scan_interval": "10s"}
    )
    run = lab.simulate(described, progress=False)
    assert run.value("replica_seconds", "nodes") == 2000 + 690
    assert broken_laws(run) == []
    assert lab.arithmetic(described).unused == ()
    assert "1 to 4 nodes of 3" in mermaid(described)
    assert Scenario.model_validate(described.to_document()) == described


@pytest.mark.parametrize(
    ("pool", "api", "says"),
    [
        ({}, {"node_pool": "node"}, "api.node_pool: 'node' is not a node pool (node pools: nodes)"),
        ({}, {"node_pool": None}, "components.nodes: no service has its processes on it; write node_pool: nodes"),
        ({}, {"replicas": 4}, "nodes.nodes: 1 nodes of 3 have room for 3 processes, but the run begins with 4"),
        ({"nodes": 5}, {}, "nodes (5) must lie within min 1 to max 4"),
        ({"nodes": 3, "quota": 2}, {}, "quota (2) is less than the 3 nodes that the run begins with"),
        ({}, {"autoscaler": None}, "api.node_pool: has no effect: no process of this service is started"),
    ],
)
def test_what_makes_no_sense_is_refused(pool: dict[str, Any], api: dict[str, Any], says: str) -> None:
    """With the place and the reason."""
    with pytest.raises(ScenarioError) as caught:
        _pool({"at": "12s", "desired": 4}, pool=pool, **api)
    assert says in str(caught.value)
