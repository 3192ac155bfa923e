"""Makes the deployment of a service, and the autoscaler that moves it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, assert_never

from simpy.events import Event

from lab.distributions import quantile_function
from lab.errors import Unsupported
from lab.scenario.autoscaler import Autoscaler, HpaAutoscaler, KedaAutoscaler, TargetTrackingAutoscaler, metrics_of
from lab.scenario.channels import Channel
from lab.scenario.components import Service
from lab.scenario.knative import KnativeAutoscaler
from lab.scenario.scaling_limits import ScheduledAutoscaler
from lab.scenario.serverless import ServerlessAutoscaler
from lab.scenario.service import slots
from lab.scenario.step_scaling import StepScalingAutoscaler
from lab.simulation.activator import Activator, Choice, Patience
from lab.simulation.autoscaling.alarms import AlarmLoop
from lab.simulation.autoscaling.controller import HpaLoop, KedaLoop
from lab.simulation.autoscaling.knative import KnativeLoop
from lab.simulation.autoscaling.metrics import CpuTimes, InterpreterTimes, Meter, ReadsCpu, Waiting
from lab.simulation.autoscaling.scaled import Scaled
from lab.simulation.autoscaling.schedule import Calendar
from lab.simulation.autoscaling.step_scaling import StepScaling
from lab.simulation.autoscaling.target_tracking import TargetTracking
from lab.simulation.build.process import is_scheduled
from lab.simulation.clock import Order, Timer
from lab.simulation.deployment import Deployment
from lab.simulation.direct import Direct
from lab.simulation.fleet import Fleet
from lab.simulation.platform import Platform, Terms
from lab.simulation.request import Part

if TYPE_CHECKING:
    from lab.simulation.build.world import World


def make_deployment(world: World, name: str, spec: Service, fleet: Fleet) -> Deployment:
    """Return what keeps the service's fleet at a number; the boot time is drawn at the address of the replica."""
    boot_times, boot_time_s = world.stream(f"{name}/boot_time"), quantile_function(spec.boot_time)
    return Deployment(
        clock=world.clock,
        log=world.log,
        name=name,
        fleet=fleet,
        boot_time_s=lambda index: boot_time_s(boot_times.uniform(index)),
        upkeep=(_keeps_number(spec), None if spec.autoscaler is None else spec.autoscaler.quota),
    )


def _keeps_number(spec: Service) -> bool:
    """Whether a process that ends is replaced: a platform for functions has no more than requests need."""
    return spec.autoscaler is not None and not isinstance(spec.autoscaler, ServerlessAutoscaler)


def make_platform(world: World, name: str, spec: Service, autoscaler: ServerlessAutoscaler) -> Platform:
    """Return what hands the requests of a serverless service out; its limits follow the schedule."""
    clock, log, deployment = world.clock, world.log, world.deployment(name)
    assert spec.concurrency is not None  # the scenario's own check has seen to it
    terms = Terms(
        room=spec.concurrency,
        idle_timeout_s=autoscaler.idle_timeout,
        bounds=(autoscaler.min, autoscaler.max),
        burst=autoscaler.scaling_burst,
        rate_per_s=autoscaler.scaling_rate,
    )
    platform = Platform(clock=clock, log=log, name=name, deployment=deployment, terms=terms)

    def act(at_s: float, _: Event) -> None:
        before, (low, high) = deployment.wanted, autoscaler.limits_at(at_s)
        platform.limit(low, high)
        told = {"before": before, "after": deployment.wanted, "reason": "schedule", "min": low, "max": high}
        log.event(name, "scaling_decision", clock.now, **told)

    for action in autoscaler.schedule:
        Timer(clock, action.at, Order.EXPIRY, partial(act, action.at))
    return platform


def make_activator(world: World, name: str, spec: Service, autoscaler: KnativeAutoscaler) -> Activator:
    """Return what hands the requests of a Knative service out."""
    return Activator(
        clock=world.clock,
        log=world.log,
        name=name,
        fleet=world.deployment(name).fleet,
        choice=Choice(room=slots(spec), choices=world.stream(f"{name}/activator")),
        patience=Patience(
            capacity=autoscaler.activator_capacity, timeout_s=autoscaler.activator_timeout, gone=world.gone
        ),
    )


def make_called(world: World, name: str, spec: Service) -> Part:
    """Return what stands for the service to those who call it directly."""
    if isinstance(spec.autoscaler, ServerlessAutoscaler):
        return make_platform(world, name, spec, spec.autoscaler)
    if isinstance(spec.autoscaler, KnativeAutoscaler):
        return make_activator(world, name, spec, spec.autoscaler)
    fleet = world.fleet(name)
    if not fleet.mortal:
        return fleet.members[0]
    return Direct(clock=world.clock, log=world.log, name=name, fleet=fleet)


def start_autoscaler(world: World, name: str, spec: Service, autoscaler: Autoscaler) -> None:
    """Have the autoscaler move the service's deployment from now on."""
    if isinstance(autoscaler, ServerlessAutoscaler):
        world.part(name)  # the platform itself, also if nobody calls it
        return
    if world.is_own(name) and "cpu" in metrics_of(autoscaler):
        raise Unsupported(f"components.{name}.autoscaler: the CPU of a component of your own is not known to the lab")
    scaled = Scaled(
        clock=world.clock,
        log=world.log,
        name=name,
        deployment=world.deployment(name),
        bounds=(autoscaler.min, autoscaler.max),
    )
    Calendar(scaled=scaled, actions=autoscaler.schedule)
    loop: HpaLoop | KedaLoop | AlarmLoop | KnativeLoop
    match autoscaler:
        case HpaAutoscaler():
            loop = HpaLoop(scaled=scaled, meter=_meter(world, name, spec), spec=autoscaler)
        case KedaAutoscaler():
            unsettled = isinstance(world.scenario.components[autoscaler.queue], Channel)
            waiting = Waiting(log=world.log, name=autoscaler.queue, unsettled=unsettled)
            loop = KedaLoop(scaled=scaled, waiting=waiting.read, spec=autoscaler)
        case TargetTrackingAutoscaler():
            rule = TargetTracking(autoscaler)
            loop = AlarmLoop(scaled=scaled, meter=_meter(world, name, spec), spec=autoscaler, rule=rule)
        case StepScalingAutoscaler():
            steps = StepScaling(autoscaler)
            loop = AlarmLoop(scaled=scaled, meter=_meter(world, name, spec), spec=autoscaler, rule=steps)
        case KnativeAutoscaler():
            activator = world.part(name)
            assert isinstance(activator, Activator)  # what stands before such a service
            loop = KnativeLoop(scaled=scaled, activator=activator, spec=autoscaler, aim=autoscaler.aim(slots(spec)))
        case ScheduledAutoscaler():
            return
        case _:
            assert_never(autoscaler)
    world.clock.process(loop.run())


def _meter(world: World, name: str, spec: Service) -> Meter:
    """Return what reads the metrics of the service's replicas."""
    fleet = world.deployment(name).fleet
    cpu: ReadsCpu = CpuTimes(log=world.log, name=name, workers=spec.workers)
    if is_scheduled(world, name, spec) and not world.is_own(name):
        cpu = InterpreterTimes(fleet)
    return Meter(clock=world.clock, fleet=fleet, cpu=cpu, workers=spec.workers * spec.schedulers, slots=slots(spec))
