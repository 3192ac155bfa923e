"""Makes one replica of a service, with the steps of its endpoints bound to its event loop and its pools."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from lab.errors import Unsupported
from lab.scenario.components import Service as Spec
from lab.scenario.demands import BoundStep, bound_steps
from lab.scenario.routes import transaction_writes
from lab.scenario.steps import (
    CachedStep,
    CallStep,
    CpuStep,
    InvalidateStep,
    ParallelStep,
    PublishStep,
    QueryStep,
    TransactionStep,
    WaitStep,
)
from lab.simulation.build.cached import Caching
from lab.simulation.database import DatabaseClient
from lab.simulation.database.transaction import Begin, End, HeldConnections, HeldQuery, Transaction
from lab.simulation.discipline import Classes, Stack
from lab.simulation.event_loop import EventLoop, Loop
from lab.simulation.interpreter import Interpreter
from lab.simulation.line import WaitingRoom
from lab.simulation.processor import OwnCore
from lab.simulation.scheduled_loop import ScheduledLoop
from lab.simulation.service import Admission, Computing, Replica
from lab.simulation.steps import (
    Awaiting,
    Call,
    Compute,
    Detached,
    Parallel,
    Publish,
    Query,
    Runnable,
    Steps,
    Wait,
)
from lab.simulation.workers import Workers

if TYPE_CHECKING:
    from lab.simulation.build.world import World


def make_replica(world: World, name: str, spec: Spec, index: int, *, faulty: bool = False) -> Replica | Workers:
    """Return replica ``index`` of the service ``name``.

    Args:
        faulty: whether it may be frozen or slowed down; one that may not is quicker to simulate.
    """
    workers = tuple(
        _make_worker(world, name, spec, (index, index * spec.workers + worker), faulty=faulty)
        for worker in range(spec.workers)
    )
    return workers[0] if len(workers) == 1 else Workers(choices=world.stream(f"{name}/worker"), workers=workers)


def _make_worker(world: World, name: str, spec: Spec, numbers: tuple[int, int], *, faulty: bool) -> Replica:
    """Return one worker process, from the number of its replica and its own among all processes of the service."""
    index, process = numbers
    worker = Replica(
        clock=world.clock,
        log=world.log,
        name=name,
        index=index,
        admission=_admission(spec),
        computing=_computing(world, name, spec, process, faulty=faulty),
    )
    wiring = _Wiring(world=world, event_loop=worker.event_loop, service=name, process=process)
    worker.endpoints = {
        endpoint: wiring.steps(bound_steps(world.scenario, name, endpoint)) for endpoint in spec.endpoints
    }
    return worker


def _admission(spec: Spec) -> Admission:
    room: WaitingRoom | None
    match spec.discipline:
        case "fifo":
            room = None
        case "lifo":
            room = Stack()
        case "priority":
            room = Classes(spec.priorities.values())
        case _:
            assert_never(spec.discipline)
    return Admission(concurrency=spec.concurrency, backlog=spec.backlog, room=room, urgencies=spec.priorities)


def _computing(world: World, name: str, spec: Spec, process: int, *, faulty: bool) -> Computing:
    clock, log, loop = world.clock, world.log, f"{name}.event_loop"
    event_loop: Loop
    interpreter: Interpreter | None
    if faulty:
        interpreter = Interpreter(
            clock=clock, log=log, name=name, index=process, processor=OwnCore(clock), switch_interval_s=None
        )
        event_loop = ScheduledLoop(clock=clock, log=log, name=loop, index=process, interpreter=interpreter)
    else:
        interpreter = None
        event_loop = EventLoop(clock=clock, log=log, name=loop, index=process)
    return Computing(
        event_loop=event_loop,
        interpreter=interpreter,
        overhead=world.unless_free(f"{name}/overhead", spec.overhead),
        rejection_overhead=world.unless_free(f"{name}/rejection_overhead", spec.rejection_overhead),
    )


class _Wiring:
    """Makes the steps of one worker process."""

    def __init__(self, *, world: World, event_loop: Loop, service: str, process: int) -> None:
        self._world = world
        self._event_loop = event_loop
        self._service = service
        self._process = process
        self._caching = Caching(
            world=world,
            caller=(service, process),
            event_loop=event_loop,
            detached=self._detached,
            awaiting=self._awaiting,
        )
        self._held: dict[str, HeldConnections] = {}  # by database: that of the transaction around the steps

    def steps(self, bound: tuple[BoundStep, ...]) -> Steps:
        return Steps(tuple(self._step(step) for step in bound))

    def _step(self, bound: BoundStep) -> Runnable:
        world, spec, event_loop = self._world, bound.spec, self._event_loop
        match spec:
            case CpuStep():
                time_s = world.variate(bound.stream, spec.time)
                return Compute(event_loop=event_loop, time_s=time_s, ordinal=bound.ordinal)
            case WaitStep():
                time_s = world.variate(bound.stream, spec.time)
                return self._awaiting(Wait(clock=world.clock, time_s=time_s, ordinal=bound.ordinal))
            case CachedStep():
                return self._caching.look_up(spec.cache, bound.ordinal, self.steps(bound.nested[0]))
            case InvalidateStep():
                return self._caching.access(spec.cache, "delete", bound.ordinal)
            case QueryStep():
                asked = [self._query(spec, bound.ordinal + use) for use in range(spec.repeat)]
                return asked[0] if len(asked) == 1 else Steps(tuple(asked))
            case TransactionStep():
                return self._transaction(spec, bound)
            case CallStep():
                target = world.part(spec.target)
                return self._asking(Call(target=target, endpoint=spec.endpoint, ordinal=bound.ordinal))
            case PublishStep():
                return self._asking(Publish(queue=world.part(spec.queue), ordinal=bound.ordinal))
            case ParallelStep():
                branches = tuple(self.steps(branch) for branch in bound.nested)
                return self._awaiting(Parallel(clock=world.clock, event_loop=event_loop, branches=branches))
            case _:
                assert_never(spec)

    def _query(self, spec: QueryStep, ordinal: int) -> Runnable:
        if spec.database in self._held:
            held = self._held[spec.database]
            return self._asking(HeldQuery(held=held, query=spec.query, ordinal=ordinal))
        database = self._world.database_of(spec.database, self._service, self._process)
        return self._asking(Query(database=database, query=spec.query, ordinal=ordinal))

    def _transaction(self, spec: TransactionStep, bound: BoundStep) -> Runnable:
        database = self._world.database_of(spec.database, self._service, self._process)
        if not isinstance(database, DatabaseClient):
            raise Unsupported(
                f"components.{spec.database}: is replaced by a component of your own, which has no connections to hold "
                "in a transaction; take the transaction out, or let the lab's own database stand"
            )
        writes = transaction_writes(self._world.scenario, spec)
        held, outer = HeldConnections(database, writes=writes), self._held
        self._held = {**outer, spec.database: held}
        steps = self.steps(bound.nested[0])
        self._held = outer
        return Transaction(
            held=held,
            steps=steps,
            begin=self._asking(Begin(held=held, ordinal=bound.ordinal)),
            commit=self._asking(End(held=held, ordinal=bound.ordinal, commit=True)),
            rollback=self._asking(End(held=held, ordinal=bound.ordinal, commit=False)),
        )

    def _asking(self, step: Runnable) -> Runnable:
        return self._awaiting(self._detached(step))

    def _detached(self, step: Runnable) -> Runnable:
        mortal = self._world.fleet(self._service).mortal
        return Detached(clock=self._world.clock, step=step) if mortal else step

    def _awaiting(self, step: Runnable) -> Runnable:
        return Awaiting(event_loop=self._event_loop, step=step)
