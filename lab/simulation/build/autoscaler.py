"""Makes the deployment of a service, and the autoscaler that moves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from lab.distributions import quantile_function
from lab.errors import Unsupported
from lab.scenario.autoscaler import Autoscaler, HpaAutoscaler, KedaAutoscaler, TargetTrackingAutoscaler, metrics_of
from lab.scenario.components import Queue, Service
from lab.simulation.autoscaling.controller import HpaLoop, KedaLoop, Scaled, TargetTrackingLoop
from lab.simulation.autoscaling.metrics import CpuTimes, InterpreterTimes, Meter, ReadsCpu, Waiting
from lab.simulation.build.process import is_scheduled
from lab.simulation.deployment import Deployment
from lab.simulation.fleet import Fleet

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
        upkeep=(spec.autoscaler is not None, None if spec.autoscaler is None else spec.autoscaler.quota),
    )


def start_autoscaler(world: World, name: str, spec: Service, autoscaler: Autoscaler) -> None:
    """Have the autoscaler move the service's deployment from now on."""
    deployment = world.deployment(name)
    scaled = Scaled(clock=world.clock, log=world.log, name=name, deployment=deployment)
    if world.is_own(name) and any(metric.metric == "cpu" for metric in metrics_of(autoscaler)):
        raise Unsupported(f"components.{name}.autoscaler: the CPU of a component of your own is not known to the lab")
    cpu: ReadsCpu = CpuTimes(log=world.log, name=name, workers=spec.workers)
    if is_scheduled(world, name, spec) and not world.is_own(name):
        cpu = InterpreterTimes(deployment.fleet)
    slots = None if spec.concurrency is None else spec.concurrency * spec.workers
    meter = Meter(clock=world.clock, fleet=deployment.fleet, cpu=cpu, workers=spec.workers, slots=slots)
    loop: HpaLoop | KedaLoop | TargetTrackingLoop
    match autoscaler:
        case HpaAutoscaler():
            loop = HpaLoop(scaled=scaled, meter=meter, spec=autoscaler)
        case KedaAutoscaler():
            unsettled = isinstance(world.scenario.components[autoscaler.queue], Queue)
            waiting = Waiting(log=world.log, name=autoscaler.queue, unsettled=unsettled)
            loop = KedaLoop(scaled=scaled, waiting=waiting.read, spec=autoscaler)
        case TargetTrackingAutoscaler():
            loop = TargetTrackingLoop(scaled=scaled, meter=meter, spec=autoscaler)
        case _:
            assert_never(autoscaler)
    world.clock.process(loop.run())
