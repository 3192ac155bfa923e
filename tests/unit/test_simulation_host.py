"""Processes that share the cores of a host: turns on schedules worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pandas as pd
import pytest

from lab.errors import ScenarioError, Unsupported
from lab.scenario.arithmetic import arithmetic
from lab.scenario.scenario import Scenario
from lab.scenario.topology import mermaid
from lab.simulation.build import World
from lab.simulation.build.service import make_replica
from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.host import Host
from lab.simulation.log import Log
from lab.simulation.processor import Job
from lab.simulation.request import Request
from tests.unit.backends import observe, scenario, service


class Stage:
    """A host, one process for each job, and when each job ended."""

    def __init__(self, *, cores: int, quantum_s: float) -> None:
        self.clock, self.log = Clock(), Log()
        self.host = Host(clock=self.clock, log=self.log, name="vm", cores=cores, quantum_s=quantum_s)
        self.ends_s: dict[int, float] = {}

    def at(self, time_s: float, act: Callable[[], None]) -> None:
        """Do something at a time."""
        Timer(self.clock, time_s, Order.ARRIVAL, lambda _: act())

    def job(self, number: int, cpu_time_s: float) -> Job:
        """Return a job that notes its end."""
        return Job(Request(number, 0, "get", 0, 0), cpu_time_s, lambda _: self.ends_s.update({number: self.clock.now}))

    def run(self) -> list[float]:
        """Return the ends of the jobs."""
        self.clock.run(until=100)
        return [self.ends_s[number] for number in sorted(self.ends_s)]

    def turns(self) -> list[tuple[int, float, float]]:
        """Return request, begin and end of every turn in milliseconds, in the order in which they began."""
        turns = [
            (visit.request, round(1000 * visit.admitted_s, 6), round(1000 * visit.departure_s, 6))
            for visit in self.log.visits
        ]
        return sorted(turns, key=lambda turn: turn[1:])


def _ends_s(*arrivals: tuple[float, float], cores: int = 1, quantum_s: float = 0.003) -> list[float]:
    stage = Stage(cores=cores, quantum_s=quantum_s)
    for number, (start_s, cpu_time_s) in enumerate(arrivals):
        job = stage.job(number, cpu_time_s)
        process = stage.host.process()
        stage.at(start_s, lambda process=process, job=job: process.begin(job))
    return stage.run()


def test_two_processes_take_turns_on_one_core() -> None:
    """7 ms and 4 ms at once, turns of 3 ms: A 0-3, B 3-6, A 6-9, B 9-10 ends, A 10-11 ends."""
    stage = Stage(cores=1, quantum_s=0.003)
    for number, cpu_time_s in enumerate((0.007, 0.004)):
        stage.host.process().begin(stage.job(number, cpu_time_s))
    assert stage.run() == pytest.approx([0.011, 0.010])
    assert stage.turns() == [(0, 0.0, 3.0), (1, 3.0, 6.0), (0, 6.0, 9.0), (1, 9.0, 10.0), (0, 10.0, 11.0)]


def test_three_processes_share_two_cores() -> None:
    """6 ms each, turns of 2 ms, two at once: C begins at 2, A again at 2 or 4; all is done after 18 / 2 = 9 ms."""
    ends_s = _ends_s((0.0, 0.006), (0.0, 0.006), (0.0, 0.006), cores=2, quantum_s=0.002)
    # 0-2 AB; at 2 A makes room for C, B (at the same time) for A: 2-4 CA; 4-6 B and, as C made room for B and A for C,
    # C; 6-8 A and B; C ends its third turn last.
    assert max(ends_s) == pytest.approx(0.010)
    assert sorted(ends_s) == pytest.approx([0.008, 0.008, 0.010])


def test_a_newcomer_waits_for_the_rest_of_a_slice() -> None:
    """A computes alone from 0, looked at every 3 ms; B comes at 7 ms and gets the core at 9 ms, A again at 10 ms."""
    assert _ends_s((0.0, 0.020), (0.007, 0.001)) == pytest.approx([0.021, 0.010])


def test_a_newcomer_at_the_end_of_a_slice_gets_the_core_at_once() -> None:
    """B comes just at 6 ms."""
    assert _ends_s((0.0, 0.020), (0.006, 0.001)) == pytest.approx([0.021, 0.007])


def test_who_is_done_at_the_end_of_the_turn_is_done() -> None:
    """3 ms of work in a turn of 3 ms is not preempted."""
    assert _ends_s((0.0, 0.003), (0.0, 0.003)) == pytest.approx([0.003, 0.006])


def test_a_large_quantum_is_first_come_first_served() -> None:
    """10, 1 and 1 ms at once end at 10, 11 and 12 ms."""
    assert _ends_s((0.0, 0.010), (0.0, 0.001), (0.0, 0.001), quantum_s=9.0) == pytest.approx([0.010, 0.011, 0.012])


def test_a_small_quantum_is_processor_sharing() -> None:
    """2 ms alone, then two share: A needs 6 ms from 0, B 2 ms from 2 ms: B ends at 6 ms, A at 8 ms."""
    assert _ends_s((0.0, 0.006), (0.002, 0.002), quantum_s=1e-5) == pytest.approx([0.008, 0.006], abs=2e-5)


def test_a_process_keeps_its_core_from_job_to_job() -> None:
    """A does three jobs of 1 ms in one turn of 3 ms, although B is ready: round robin is among processes, not jobs."""
    stage = Stage(cores=1, quantum_s=0.003)
    process = stage.host.process()
    jobs = [stage.job(number, 0.001) for number in range(4)]
    for job, following in pairwise(jobs):
        noted = job.ended
        job.ended = lambda done, noted=noted, following=following: (noted(done), process.begin(following))
    process.begin(jobs[0])
    stage.host.process().begin(stage.job(9, 0.004))
    assert stage.run() == pytest.approx([0.001, 0.002, 0.003, 0.007, 0.008])


def test_a_frozen_process_leaves_its_core_to_the_others() -> None:
    """A is frozen from 1 to 5 ms of its 4 ms: B begins at 1, is done at 4; A goes on from 5 to 8 ms."""
    stage = Stage(cores=1, quantum_s=0.010)
    first, second = stage.host.process(), stage.host.process()
    first.begin(stage.job(0, 0.004))
    second.begin(stage.job(1, 0.003))
    stage.at(0.001, first.freeze)
    stage.at(0.005, first.thaw)
    assert stage.run() == pytest.approx([0.008, 0.004])


def test_a_process_that_is_frozen_while_it_waits_loses_its_place() -> None:
    """B waits behind A, C behind B; B is frozen from 1 to 2 ms and comes last."""
    stage = Stage(cores=1, quantum_s=1.0)
    processes = [stage.host.process() for _ in range(3)]
    for number, process in enumerate(processes):
        process.begin(stage.job(number, 0.004))
    stage.at(0.001, processes[1].freeze)
    stage.at(0.002, processes[1].thaw)
    assert stage.run() == pytest.approx([0.004, 0.012, 0.008])


@pytest.mark.parametrize(("victim", "others_s"), [(0, [0.005, 0.006]), (1, [0.004, 0.005])])
def test_death_gives_the_core_back(victim: int, others_s: list[float]) -> None:
    """Of 4, 4 and 1 ms, one on the core or one that waits is killed at 1 ms."""
    stage = Stage(cores=1, quantum_s=1.0)
    processes = [stage.host.process() for _ in range(3)]
    for number, (process, cpu_time_s) in enumerate(zip(processes, (0.004, 0.004, 0.001), strict=True)):
        process.begin(stage.job(number, cpu_time_s))
    stage.at(0.001, processes[victim].halt)
    assert stage.run() == pytest.approx(others_s)


def _shared(replicas: int, *, cores: int, **others: Any) -> Scenario:
    return scenario(
        {
            "edge": {"kind": "load_balancer", "targets": "api"},
            "api": service({"kind": "cpu", "time": "6ms"}, replicas=replicas, hosts=["vm"], **others),
            "vm": {"kind": "host", "cores": cores},
        },
        entry="edge",
    )


def _rows(visits: pd.DataFrame, component: str) -> pd.DataFrame:
    return visits[visits["component"] == component]


def test_replicas_share_the_cores_of_their_host() -> None:
    """Two replicas, one core, 6 ms each: 0-3 A, 3-6 B, 6-9 A, 9-12 B; their waits are in the host's rows."""
    requests, visits = observe(_shared(2, cores=1), [0.0, 0.0])
    assert requests["end_s"].tolist() == pytest.approx([0.009, 0.012])
    turns = _rows(visits, "vm")
    assert turns.groupby("request")["waiting_time_s"].sum().tolist() == pytest.approx([0.003, 0.006])
    assert turns["service_time_s"].sum() == 0
    computed = _rows(visits, "api.event_loop")
    assert computed["service_time_s"].tolist() == pytest.approx([0.006, 0.006])
    enough, _ = observe(_shared(2, cores=2), [0.0, 0.0])
    assert enough["end_s"].tolist() == pytest.approx([0.006, 0.006])


def test_a_backlog_in_one_process_does_not_give_it_a_larger_share() -> None:
    """Three requests at replica 0 and three at replica 1, turns of 3 ms: both replicas end at about the same time."""
    requests, _ = observe(_shared(2, cores=1, overhead="1ms"), [0.0] * 6)
    ends_s = sorted(requests["end_s"])
    assert ends_s[-1] == pytest.approx(0.042)
    assert ends_s[-2] == pytest.approx(0.039)


def test_replicas_take_their_hosts_in_turn() -> None:
    """Three replicas on two hosts of one core: the first and the third share one."""
    parts = {
        "edge": {"kind": "load_balancer", "targets": "api"},
        "api": service({"kind": "cpu", "time": "2ms"}, replicas=3, hosts=["left", "right"]),
        "left": {"kind": "host", "cores": 1},
        "right": {"kind": "host", "cores": 1, "quantum": "1s"},
    }
    described = scenario(parts, entry="edge")
    requests, visits = observe(described, [0.0, 0.0, 0.0])
    assert requests["end_s"].tolist() == pytest.approx([0.002, 0.002, 0.004])
    assert _rows(visits, "left")["request"].tolist() == [0, 2]
    sums = arithmetic(described)
    left, right = sums.row("left", "cores"), sums.row("right", "cores")
    assert (left.servers, left.offered_load) == (1, pytest.approx(2 / 3 * 0.002))
    assert right.offered_load == pytest.approx(1 / 3 * 0.002)
    assert "part_api -.- part_right" in mermaid(described)


def test_a_balancer_on_the_host_waits_for_turns_like_any_other() -> None:
    """Turns of 3 ms; A is passed on 0-1 and computed from 1 on; B comes at 2 and is passed on when A's turn ends at 4.

    Then A computes 5-8 (its 6 ms are done at 8), and B 8-14.
    """
    edge = {"kind": "load_balancer", "targets": "api", "forward_time": "1ms", "host": "vm"}
    described = _shared(1, cores=1).with_({"components.edge": edge})
    requests, visits = observe(described, [0.0, 0.002])
    assert requests["end_s"].tolist() == pytest.approx([0.008, 0.014])
    assert _rows(visits, "edge")["service_time_s"].tolist() == pytest.approx([0.001, 0.001])
    own_s = visits["waiting_time_s"] + visits["service_time_s"]
    assert own_s.groupby(visits["request"]).sum().tolist() == pytest.approx([0.008, 0.012])
    assert arithmetic(described).row("vm", "cores").offered_load == pytest.approx(0.007)
    assert "part_edge -.- part_vm" in mermaid(described)
    with pytest.raises(ScenarioError, match=r"edge\.host: has no effect, as the balancer computes nothing"):
        described.with_({"components.edge.forward_time": "0s"})
    alone, _ = observe(described.with_({"components.edge.host": None}), [0.0, 0.002])
    assert alone["end_s"].tolist() == pytest.approx([0.007, 0.013])


def test_threads_of_a_process_share_what_the_host_gives_it() -> None:
    """Replica 0 has two threads of 6 ms, replica 1 one, one core, turns of 3 ms and a GIL that switches after 5 ms.

    Core: 0 has it 0-3, 1 3-6, 0 6-9, 1 9-12 and is done, 0 12-18. In 0, thread A computes 5 ms; then its loop reads
    the other request (at 8); A ends at 9, B begins, and after its 5 ms (at 17) the loop answers A's request.
    """
    parts = {
        "edge": {"kind": "load_balancer", "targets": "api"},
        "api": service({"kind": "thread", "steps": [{"kind": "cpu", "time": "6ms"}]}, replicas=2, hosts=["vm"]),
        "vm": {"kind": "host", "cores": 1},
    }
    requests, visits = observe(scenario(parts, entry="edge"), [0.0, 0.0, 0.0])
    assert requests["end_s"].tolist() == pytest.approx([0.017, 0.012, 0.018])
    own_s = visits["waiting_time_s"] + visits["service_time_s"]
    assert own_s.groupby(visits["request"]).sum().tolist() == pytest.approx([0.017, 0.012, 0.018])


@pytest.mark.parametrize("in_thread", [False, True])
@pytest.mark.parametrize("victim", [0, 1])
def test_a_process_that_dies_leaves_the_host_to_the_others(victim: int, in_thread: bool) -> None:
    """Two processes of 6 ms on one core, turns of 3 ms; one is killed at 1 ms, on the core or waiting for it."""
    step: dict[str, Any] = {"kind": "cpu", "time": "6ms"}
    step = {"kind": "thread", "steps": [step]} if in_thread else step
    described = _shared(2, cores=1, endpoints={"get": [step]})
    world = World(scenario=described, seed=1, replication=0, requests=2, own={})
    spec = described.components["api"]
    work = [
        world.clock.process(make_replica(world, "api", spec, index).handle(Request(index, 0, "get", 0, 0)))
        for index in (0, 1)
    ]
    work[victim].defused = True
    Timer(world.clock, 0.001, Order.EXPIRY, lambda _: work[victim].interrupt())
    world.clock.run(until=1)
    rows = pd.DataFrame([(row.request, row.departure_s) for row in world.log.visits], columns=["request", "end_s"])
    ends_s = rows.groupby("request")["end_s"].max()
    assert ends_s[victim] == pytest.approx(0.001)
    assert ends_s[1 - victim] == pytest.approx(0.007 if victim == 0 else 0.006)
    assert rows["end_s"].notna().all()


def test_a_host_is_not_replaced_by_a_component_of_ones_own() -> None:
    """It is nothing that could be called."""
    world = World(
        scenario=_shared(1, cores=1), seed=1, replication=0, requests=1, own={"vm": lambda _: pytest.fail("never made")}
    )
    with pytest.raises(Unsupported, match="is a host"):
        world.part("edge")
    with pytest.raises(Unsupported, match="nobody can call it"):
        world.part("vm")
