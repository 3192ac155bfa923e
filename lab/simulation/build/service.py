"""Makes one replica of a service, with the steps of its endpoints bound to its event loop and its pools."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, assert_never

from lab.errors import Unsupported
from lab.randomness import name_key
from lab.scenario.components import Service as Spec
from lab.scenario.demands import BoundStep, bound_steps
from lab.scenario.faults import SlowDownFault
from lab.scenario.routes import transaction_writes
from lab.scenario.steps import (
    CachedStep,
    CallStep,
    CpuStep,
    InvalidateStep,
    ParallelStep,
    PublishStep,
    QueryStep,
    ThreadStep,
    TransactionStep,
    WaitStep,
)
from lab.simulation.adaptive.slots import Sampled
from lab.simulation.build.adaptive import make_adaptive_slots
from lab.simulation.build.cached import Caching
from lab.simulation.build.guards import hedge_guard
from lab.simulation.build.process import at_its_end, make_admission, make_computing, new_processor, start_pauses
from lab.simulation.bulkhead import BehindBulkhead, Bulkhead, UnlessExpired
from lab.simulation.circuit_breaker import BehindBreaker, CircuitBreaker
from lab.simulation.database import DatabaseClient
from lab.simulation.database.shards import Shards
from lab.simulation.database.transaction import Begin, End, HeldConnections, HeldQuery, Pauses, Transaction
from lab.simulation.fan_out import FanOut, Rule, Tasks
from lab.simulation.hedging import HedgedCall
from lab.simulation.queue.priorities import publishing
from lab.simulation.request import Request
from lab.simulation.service import Replica
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
    TimedCall,
    Wait,
)
from lab.simulation.thread_pool import Blocking, ComputeBeside, ComputeInThread, InThread, ThreadPool
from lab.simulation.variate import Variate
from lab.simulation.workers import Workers

if TYPE_CHECKING:
    from lab.simulation.build.world import World


def make_replica(world: World, name: str, spec: Spec, index: int) -> Replica | Workers:
    """Return replica ``index`` of the service ``name``."""
    workers = tuple(_make_worker(world, name, spec, index, worker) for worker in range(spec.workers))
    return workers[0] if len(workers) == 1 else Workers(choices=world.stream(f"{name}/worker"), workers=workers)


def _make_worker(world: World, name: str, spec: Spec, index: int, worker: int) -> Replica:
    process = index * spec.workers + worker  # its number among all processes of the service
    replica = Replica(
        clock=world.clock,
        log=world.log,
        name=name,
        index=index,
        admission=make_admission(world, spec),
        computing=make_computing(world, name, spec, index=index, process=process),
    )
    if spec.pauses is not None:
        start_pauses(world, name, spec.pauses, replica=replica, process=process)
    wiring = _Wiring(world=world, replica=replica, service=name, spec=spec, process=process)
    replica.endpoints = {
        endpoint: wiring.endpoint(endpoint, bound_steps(world.scenario, name, endpoint)) for endpoint in spec.endpoints
    }
    return replica


class _Wiring:
    """Makes the steps of one worker process: those on its event loop, and those inside a thread."""

    def __init__(self, *, world: World, replica: Replica, service: str, spec: Spec, process: int) -> None:
        self._world = world
        self._replica = replica
        self._service = service
        self._process = process
        self._spec = spec
        self._bulkheads: dict[str, Bulkhead] = {}  # by called component
        self._adaptive = (
            None
            if spec.adaptive_concurrency is None
            else make_adaptive_slots(world, service, process, spec=spec.adaptive_concurrency, slots=replica.slots)
        )
        self._caching = Caching(
            world=world,
            caller=(service, process),
            event_loop=replica.event_loop,
            detached=self._detached,
            awaiting=self._awaiting,
        )
        self._held: dict[str, HeldConnections] = {}  # by database: that of the transaction around the steps
        self._in_thread = False
        self._tasks: Tasks | None = None
        self._endpoint = ""  # whose steps are made
        self._threads = ThreadPool(
            clock=world.clock, log=world.log, name=f"{service}.thread_pool", index=process, threads=spec.threads
        )

    def endpoint(self, name: str, bound: tuple[BoundStep, ...]) -> Runnable:
        self._endpoint = name
        steps: Runnable = self.steps(bound)
        if self._adaptive is not None:
            steps = Sampled(slots=self._adaptive, steps=steps)
        return UnlessExpired(gone=self._world.gone, steps=steps) if self._spec.drop_expired else steps

    def steps(self, bound: tuple[BoundStep, ...]) -> Steps:
        return Steps(tuple(self._step(step) for step in bound))

    def _steps_in_thread(self, bound: tuple[BoundStep, ...]) -> Steps:
        self._in_thread = True
        steps = self.steps(bound)
        self._in_thread = False
        return steps

    def _step(self, bound: BoundStep) -> Runnable:
        world, spec = self._world, bound.spec
        match spec:
            case CpuStep():
                return self._compute(spec, bound)
            case WaitStep():
                lasts_s = self._stretchable(world.variate(bound.stream, spec.time))
                return self._awaiting(Wait(clock=world.clock, time_s=lasts_s, ordinal=bound.ordinal))
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
                call = self._detached(self._call(spec, bound.ordinal))
                return self._awaiting(self._behind_breaker(spec, self._behind_bulkhead(spec.target, call)))
            case PublishStep():
                queue, operation = world.reached(self._service, spec.queue), publishing(spec.priority)
                return self._asking(Publish(queue=queue, operation=operation, ordinal=bound.ordinal))
            case ThreadStep():
                return self._awaiting(
                    InThread(
                        clock=world.clock,
                        pool=self._threads,
                        interpreter=self._replica.interpreter,
                        steps=self._steps_in_thread(bound.nested[0]),
                    )
                )
            case ParallelStep():
                return self._awaiting(self._parallel(spec, tuple(self.steps(branch) for branch in bound.nested)))
            case _:
                assert_never(spec)

    def _stretchable(self, time_s: Variate) -> Callable[[Request, int], float]:
        """Let the times of a wait step be longer while a fault has it so, where one ever does."""
        slow_downs = (fault for fault in self._world.scenario.faults if isinstance(fault, SlowDownFault))
        if not any(fault.component == self._service and fault.steps == "wait" for fault in slow_downs):
            return time_s
        replica = self._replica
        return lambda request, ordinal: time_s(request, ordinal) * replica.wait_factor

    def _compute(self, spec: CpuStep, bound: BoundStep) -> Runnable:
        time_s, ordinal = self._world.variate(bound.stream, spec.time), bound.ordinal
        if not self._in_thread:
            return Compute(event_loop=self._replica.event_loop, time_s=time_s, ordinal=ordinal)
        interpreter = self._replica.interpreter
        if spec.work != "argon2id":
            return ComputeInThread(interpreter=interpreter, time_s=time_s, ordinal=ordinal)
        return ComputeBeside(
            clock=self._world.clock,
            interpreter=interpreter,
            new_processor=lambda: new_processor(self._world, self._spec, self._process // self._spec.workers),
            time_s=time_s,
            ordinal=ordinal,
        )

    def _call(self, spec: CallStep, ordinal: int) -> Runnable:
        clock, hedge = self._world.clock, spec.hedge
        target = self._world.reached(self._service, spec.target)
        call = Call(target=target, endpoint=spec.endpoint, ordinal=ordinal)
        if hedge is not None:
            return HedgedCall(clock=clock, call=call, hedge=hedge, guard=hedge_guard(hedge), limit_s=spec.timeout)
        return call if spec.timeout is None else TimedCall(clock=clock, call=call, limit_s=spec.timeout)

    def _parallel(self, spec: ParallelStep, branches: tuple[Steps, ...]) -> Runnable:
        world, event_loop = self._world, self._replica.event_loop
        if spec.waits_for_all:
            return Parallel(clock=world.clock, event_loop=event_loop, branches=branches)
        if self._tasks is None:
            self._tasks = Tasks(world.clock)
            at_its_end(world, self._service, self._process, self._tasks.end_all)
        return FanOut(
            place=(world.clock, world.log),
            named=(self._service, self._process),
            event_loop=event_loop,
            tasks=self._tasks,
            rule=Rule(
                wanted=spec.wanted,
                width=spec.width,
                eager=spec.wait_for != "all",
                partial=spec.on_failure == "partial",
                timeout_s=spec.timeout,
            ),
            branches=branches,
        )

    def _query(self, spec: QueryStep, ordinal: int) -> Runnable:
        if spec.database in self._held:
            held = self._held[spec.database]
            return self._asking(HeldQuery(held=held, query=spec.query, ordinal=ordinal))
        database = self._world.database_of(spec.database, self._service, self._process)
        return self._asking(Query(database=database, query=spec.query, ordinal=ordinal))

    def _transaction(self, spec: TransactionStep, bound: BoundStep) -> Runnable:
        database = self._world.database_of(spec.database, self._service, self._process)
        if not isinstance(database, DatabaseClient | Shards):
            raise Unsupported(
                f"components.{spec.database}: is replaced by a component of your own, which has no connections to hold "
                "in a transaction; take the transaction out, or let the lab's own database stand"
            )
        on_primary = transaction_writes(self._world.scenario, spec)
        once = (name_key(f"{self._service}/{self._endpoint}") + bound.ordinal) if spec.idempotent else None
        held, outer = HeldConnections(database, on_primary=on_primary, once=once), self._held
        self._held = {**outer, spec.database: held}
        steps = self.steps(bound.nested[0])
        self._held = outer
        return Transaction(
            held=held,
            steps=steps,
            begin=self._asking(Begin(held=held, ordinal=bound.ordinal)),
            ends=(
                self._asking(End(held=held, ordinal=bound.ordinal, commit=True)),
                self._asking(End(held=held, ordinal=bound.ordinal, commit=False)),
            ),
            pauses=[self._pause(spec, bound.ordinal, retry) for retry in range(1, spec.retries + 1)],
        )

    def _pause(self, spec: TransactionStep, ordinal: int, retry: int) -> Runnable:
        draws = self._world.stream(f"{self._service}/{spec.database}/backoff")
        pauses = Pauses(backoff=spec.backoff, draws=draws, ordinal=ordinal, retry=retry)
        return self._awaiting(Wait(clock=self._world.clock, time_s=pauses, ordinal=0))

    def _behind_breaker(self, spec: CallStep, call: Runnable) -> Runnable:
        if spec.circuit_breaker is None:
            return call
        clock, log, whose = self._world.clock, self._world.log, {"process": self._process}
        breaker = CircuitBreaker(clock=clock, log=log, spec=spec.circuit_breaker, owner=self._service, whose=whose)
        return BehindBreaker(breaker=breaker, call=call)

    def _behind_bulkhead(self, target: str, call: Runnable) -> Runnable:
        spec = self._spec.bulkheads.get(target)
        if spec is None:
            return call
        if target not in self._bulkheads:
            world, name = self._world, f"{self._service}.bulkhead.{target}"
            self._bulkheads[target] = Bulkhead(
                place=(world.clock, world.log, name),
                process=self._process,
                max_concurrent=spec.max_concurrent,
                max_wait_s=spec.max_wait,
            )
        return BehindBulkhead(bulkhead=self._bulkheads[target], step=call)

    def _asking(self, step: Runnable) -> Runnable:
        return self._awaiting(self._detached(step))

    def _detached(self, step: Runnable) -> Runnable:
        mortal = self._world.fleet(self._service).mortal
        return Detached(clock=self._world.clock, step=step) if mortal else step

    def _awaiting(self, step: Runnable) -> Runnable:
        if self._in_thread:
            return Blocking(interpreter=self._replica.interpreter, step=step)
        return Awaiting(event_loop=self._replica.event_loop, step=step)
