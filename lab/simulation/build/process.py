"""Makes what a worker process is beside its steps: who is let in, and what computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, assert_never

from lab.distributions import Distribution, quantile_function
from lab.scenario.components import Service as Spec
from lab.scenario.pauses import Pauses as PausesSpec
from lab.scenario.service import host_of, uses_threads
from lab.scenario.shedding import Codel, ServerCodel, Shedding
from lab.simulation.discipline import AdaptiveStack, Classes, Stack
from lab.simulation.event_loop import EventLoop, Loop, Machine
from lab.simulation.fleet import Life, Member
from lab.simulation.host import Host
from lab.simulation.interpreter import Interpreter
from lab.simulation.lightweight import Schedulers
from lab.simulation.line import Line, Slots, WaitingRoom
from lab.simulation.managed_line import Calling, InTurn, ManagedLine
from lab.simulation.pauses import Pauses
from lab.simulation.processor import OwnCore, Processor
from lab.simulation.scheduled_loop import ScheduledLoop
from lab.simulation.service import Admission, Computing, Replica
from lab.simulation.shedding import CoDel, ServerCoDel

if TYPE_CHECKING:
    from lab.simulation.build.world import World


def make_admission(world: World, spec: Spec) -> Admission:
    """Return who is let in by one worker of the service, and in which order."""
    return Admission(slots=_slots(world, spec), backlog=spec.backlog, urgencies=spec.priorities)


def _slots(world: World, spec: Spec) -> Slots:
    if spec.shedding is None and spec.adaptive_concurrency is None:
        return Line(world.clock, spec.concurrency, _room(spec))
    places = spec.concurrency if spec.adaptive_concurrency is None else spec.adaptive_concurrency.initial
    assert places is not None  # the consistency check of the scenario has seen to it
    return ManagedLine(clock=world.clock, places=places, room=_room(spec), calling=_calling(spec.shedding))


def _room(spec: Spec) -> WaitingRoom | None:
    match spec.discipline:
        case "fifo":
            return None
        case "lifo":
            return Stack()
        case "priority":
            return Classes(spec.priorities.values())
        case "adaptive_lifo":
            assert spec.lifo_threshold is not None  # the consistency check of the scenario has seen to it
            return AdaptiveStack(spec.lifo_threshold)
        case _:
            assert_never(spec.discipline)


def _calling(shedding: Shedding | None) -> Calling:
    match shedding:
        case None:
            return InTurn()
        case Codel(target=target_s, interval=interval_s):
            return CoDel(target_s=target_s, interval_s=interval_s)
        case ServerCodel(target=target_s, interval=interval_s):
            return ServerCoDel(target_s=target_s, interval_s=interval_s)
        case _:
            assert_never(shedding)


def is_scheduled(world: World, name: str, spec: Spec) -> bool:
    """Whether the computing of the service's processes is scheduled, and not done at once by a plain event loop."""
    return (
        world.may_fail(name)
        or bool(spec.hosts)
        or uses_threads(spec)
        or spec.pauses is not None
        or spec.runtime == "processes"
    )


def make_computing(world: World, name: str, spec: Spec, *, index: int, process: int) -> Computing:
    """Return what computes in one worker: the plain event loop, which is quicker to simulate, where that does.

    Args:
        index: number of the replica, which decides on the host.
        process: number of the worker among all processes of the service, which tells its rows apart.
    """
    clock, log = world.clock, world.log
    event_loop: Loop
    machine: Machine | None = None
    interpreter: Interpreter | None = None
    if spec.runtime == "processes":
        cores = Host(
            clock=clock,
            log=log,
            name=f"{name}.schedulers",
            cores=spec.schedulers,
            quantum_s=spec.time_slice,
            index=process,
        )
        event_loop = machine = Schedulers(clock=clock, log=log, name=name, index=process, cores=cores)
    elif is_scheduled(world, name, spec):
        interpreter = Interpreter(
            clock=clock,
            log=log,
            name=name,
            index=process,
            processor=new_processor(world, spec, index),
            switch_interval_s=spec.switch_interval if uses_threads(spec) else None,
        )
        event_loop = machine = ScheduledLoop(
            clock=clock, log=log, name=f"{name}.event_loop", index=process, interpreter=interpreter
        )
    else:
        event_loop = EventLoop(clock=clock, log=log, name=f"{name}.event_loop", index=process)
    overhead = busy_overhead = world.unless_free(f"{name}/overhead", spec.overhead)
    if spec.busy_overhead is not None:  # drawn at the same address: a request is as quick or slow in both
        busy_overhead = world.unless_free(f"{name}/overhead", spec.busy_overhead)
    return Computing(
        event_loop=event_loop,
        machine=machine,
        interpreter=interpreter,
        overhead=overhead,
        busy_overhead=busy_overhead,
        rejection_overhead=world.unless_free(f"{name}/rejection_overhead", spec.rejection_overhead),
    )


def start_pauses(world: World, name: str, spec: PausesSpec, *, replica: Replica, process: int) -> None:
    """Have a process stand still now and then; each of its times is drawn at its own number and that of the time."""

    def times(stream: str, distribution: Distribution) -> Callable[[int], float]:
        draws, quantile = world.stream(f"{name}/pauses/{stream}"), quantile_function(distribution)
        return lambda number: quantile(draws.uniform(process, 0, number))

    pauses = Pauses(clock=world.clock, process=replica, every=times("every", spec.every), time=times("time", spec.time))
    at_its_end(world, name, process, pauses.end)


def new_processor(world: World, spec: Spec, index: int) -> Processor:
    """Return what a process of replica ``index``, or a thread beside it, computes on."""
    host = host_of(spec, index)
    return OwnCore(world.clock) if host is None else world.machines.host(host).process()


def at_its_end(world: World, service: str, process: int, told: Callable[[], None]) -> None:
    """Have ``told`` called when a process of the service ends, if processes of it can end.

    Args:
        process: its number among all processes of the service.
    """
    fleet, spec = world.fleet(service), world.scenario.components[service]
    if fleet.mortal:
        assert isinstance(spec, Spec)  # it has processes
        replica = process // spec.workers

        def see(member: Member) -> None:
            if member.index == replica and member.life is Life.GONE:
                told()

        fleet.watch(see)
