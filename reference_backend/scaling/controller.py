"""The autoscaler of one service: looks at HAProxy and the processes, decides, and has replicas started and ended.

python -m reference_backend.scaling.controller --deployment D.json --service api --fd 5 --control h.sock
    --replicas '{"0":[40001,17]}' --notes FILE
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path

import uvloop

from reference_backend import cpu
from reference_backend.deployment import Deployment
from reference_backend.haproxy_runtime import ServerState
from reference_backend.reading import read_deployment
from reference_backend.scaling.balancers import balancers_of
from reference_backend.scaling.boots import Boots
from reference_backend.scaling.decision import Decider
from reference_backend.scaling.link import ScalingEnd
from reference_backend.scaling.readings import History, Look
from reference_backend.scaling.records import Notebook
from reference_backend.scaling.replica import Life, Replica
from reference_backend.scaling.spec import Hpa

_LOOK_S = 0.02  # much shorter than the requests whose number is looked at
_MORE_S = 1.0  # what is remembered beyond what a decision looks at


class Controller:
    """Keeps a service at the number of replicas that its autoscaler decides on.

    ::

        decided --start--> booting --ready, add server--> ready --state drain--> draining --nobody under way--> ended
    """

    def __init__(
        self, *, deployment: Deployment, service: str, control: Path, supervisor: ScalingEnd, notes: Notebook
    ) -> None:
        spec = deployment.services()[service]
        assert isinstance(spec.autoscaler, Hpa)  # or this process would not have been started
        self._spec = spec.autoscaler
        self._service = service
        self._supervisor = supervisor
        self._notes = notes
        self._balancers = balancers_of(deployment, service, control)
        self._boots = Boots(supervisor=supervisor, boot_times_s=spec.boot_times_s)
        self._decider = Decider(spec=spec.autoscaler, slots=spec.concurrency)
        self._reads_cpu = any(each.metric == "cpu" for each in spec.autoscaler.metrics)
        self._replicas: list[Replica] = []
        self._zero_s = 0.0
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self, replicas: dict[int, tuple[int, int]]) -> None:
        """Scale from the schedule's zero on, until the process is ended.

        Args:
            replicas: the port and the process of each replica that is there already.
        """
        self._supervisor.say({"here": True})
        self._zero_s = await self._supervisor.zero_s
        for number, (_, pid) in sorted(replicas.items()):
            first = Replica(
                number=number, history=self._history(), started_s=0.0, life=Life.READY, pid=pid, ready_s=0.0
            )
            self._replicas.append(first)
        self._tell_gauges()
        async with asyncio.TaskGroup() as self._tasks:
            self._tasks.create_task(self._look_for_ever())
            self._tasks.create_task(self._sync_for_ever())

    @property
    def _now_s(self) -> float:
        return time.monotonic() - self._zero_s

    def _history(self) -> History:
        return History(keep_s=self._spec.metric_window_s + self._spec.metric_lag_s + _MORE_S)

    def _living(self, life: Life) -> list[Replica]:
        return [replica for replica in self._replicas if replica.life is life]

    async def _look_for_ever(self) -> None:
        while True:
            self._look()
            await asyncio.sleep(_LOOK_S)

    async def _sync_for_ever(self) -> None:
        number = 0
        while True:
            number += 1
            at_s = number * self._spec.sync_period_s
            await asyncio.sleep(max(0.0, at_s - self._now_s))
            self._look()
            self._decide(at_s)

    def _look(self) -> None:
        """Read what the replicas do; take out those that are drained."""
        states = [balancer.servers() for balancer in self._balancers]
        for replica in [each for each in self._replicas if each.life in (Life.READY, Life.DRAINING)]:
            mine = [each[replica.number] for each in states if replica.number in each]
            replica.history.add(self._seen(replica, mine))
            if replica.life is Life.DRAINING and not any(state.under_way or state.queued for state in mine):
                self._take_out(replica)

    def _seen(self, replica: Replica, states: list[ServerState]) -> Look:
        return Look(
            time_s=self._now_s,
            under_way=sum(state.under_way for state in states),
            answered=sum(state.answered for state in states),
            cpu_s=cpu.used_s((replica.pid,)) if self._reads_cpu else 0.0,
        )

    def _decide(self, at_s: float) -> None:
        """Decide what is due at this time, note why, and have it done."""
        current = len(self._living(Life.BOOTING)) + len(self._living(Life.READY))
        decided, why = self._decider.decide(
            at_s,
            now_s=self._now_s,
            ready=self._living(Life.READY),
            booting=len(self._living(Life.BOOTING)),
        )
        self._notes.event(self._service, "scaling_decision", before=current, after=decided, **why)
        surplus = [*reversed(self._living(Life.BOOTING)), *self._newest_first()][: max(0, current - decided)]
        for replica in surplus:
            self._remove(replica)
        for _ in range(decided - current):
            self._add()
        self._tell_gauges()

    def _newest_first(self) -> list[Replica]:
        return sorted(self._living(Life.READY), key=lambda replica: (-replica.ready_s, -replica.number))

    def _add(self) -> None:
        replica = Replica(number=len(self._replicas), history=self._history(), started_s=self._now_s)
        self._replicas.append(replica)
        self._notes.event(self._service, "replica_starting", replica=replica.number)
        assert self._tasks is not None  # decisions are made inside the group
        replica.boot = self._tasks.create_task(self._boot(replica))

    async def _boot(self, replica: Replica) -> None:
        booted = await self._boots.boot(replica.number, started_s=self._zero_s + replica.started_s)
        for balancer in self._balancers:
            balancer.add(replica.number, port=booted.port)
            self._notes.event(balancer.name, "server_added", server=replica.number, replica=replica.number)
        replica.life, replica.pid, replica.ready_s, replica.boot = Life.READY, booted.pid, self._now_s, None
        replica.history.add(self._seen(replica, []))
        took_s = {"boot_time_s": replica.ready_s - replica.started_s, "worked_s": booted.worked_s}
        self._notes.event(self._service, "replica_ready", replica=replica.number, **took_s)
        self._tell_gauges()

    def _remove(self, replica: Replica) -> None:
        """Have a replica go: one that boots at once, one that is ready when nobody is under way there."""
        if replica.life is Life.BOOTING:
            assert replica.boot is not None  # it runs while it boots
            replica.boot.cancel()
            self._end(replica)
            return
        replica.life = Life.DRAINING
        for balancer in self._balancers:
            balancer.drain(replica.number)
            self._notes.event(balancer.name, "server_draining", server=replica.number, replica=replica.number)

    def _take_out(self, replica: Replica) -> None:
        """End a drained replica, unless a load balancer is not done with it: then the next look tries again."""
        for balancer in self._balancers:
            if balancer.name in replica.left:
                continue
            if not balancer.remove(replica.number):
                return
            replica.left.add(balancer.name)
            self._notes.event(balancer.name, "server_removed", server=replica.number, replica=replica.number)
        self._end(replica)
        self._tell_gauges()

    def _end(self, replica: Replica) -> None:
        replica.life = Life.GONE
        self._notes.event(self._service, "replica_ended", replica=replica.number)
        self._supervisor.say({"stop": replica.number})

    def _tell_gauges(self) -> None:
        starting, ready = len(self._living(Life.BOOTING)), len(self._living(Life.READY))
        self._notes.gauge("replicas_wanted", starting + ready)
        self._notes.gauge("replicas_starting", starting)
        self._notes.gauge("replicas_ready", ready)
        self._notes.gauge("replicas_draining", len(self._living(Life.DRAINING)))


async def _main(given: argparse.Namespace) -> None:
    supervisor = await ScalingEnd.over(given.fd)
    controller = Controller(
        deployment=read_deployment(given.deployment),
        service=given.service,
        control=given.control,
        supervisor=supervisor,
        notes=Notebook(given.notes),
    )
    replicas = {int(number): (port, pid) for number, (port, pid) in json.loads(given.replicas).items()}
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(supervisor.listen())
        tasks.create_task(controller.run(replicas))


def main() -> None:
    """Scale until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deployment", type=Path, required=True)
    parser.add_argument("--service", required=True)
    parser.add_argument("--fd", type=int, required=True, help="the inherited socket to the supervisor")
    parser.add_argument("--control", type=Path, required=True, help="HAProxy's runtime socket")
    parser.add_argument("--replicas", required=True, help="JSON: number to port and process id")
    parser.add_argument("--notes", type=Path, required=True, help="where gauges and events are noted")
    uvloop.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
