"""Whether the keys of a service fit together, so that none is without effect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lab.distributions import mean_s
from lab.quantities import default_of
from lab.scenario.components import Cache, Component
from lab.scenario.problems import Path, Problem, shown
from lab.scenario.serverless import ServerlessAutoscaler
from lab.scenario.service import Service, every_step, most_at_once, uses_threads
from lab.scenario.shedding import Codel
from lab.scenario.stampede import StaleWhileRevalidate
from lab.scenario.steps import CachedStep, CallStep, ParallelStep, StepSpec, ThreadStep, TransactionStep


def service_problems(components: Mapping[str, Component], name: str, service: Service) -> Iterator[Problem]:
    """Yield what is wrong between the keys of one service.

    Args:
        components: those of the scenario, by name.
        name: what the scenario calls the service.
        service: the service.
    """
    own = (_number, _admission, _bulkheads, _priorities, _threads, _runtime, _zones)
    for key, message in (problem for check in own for problem in check(service)):
        yield Problem(path=("components", name, key), message=message)
    for endpoint, steps in service.endpoints.items():
        yield from _in_threads(components, steps, ("components", name, "endpoints", endpoint), inside=False)


def _number(service: Service) -> Iterator[tuple[str, str]]:
    if service.replicas == 0 and service.autoscaler is None:
        yield "replicas", "0 is out of range: it must be 1 or more, unless an autoscaler starts the first one"


def _admission(service: Service) -> Iterator[tuple[str, str]]:
    if service.adaptive_concurrency is not None and service.concurrency is not None:
        yield "concurrency", "has no effect, as adaptive_concurrency sets it; leave one of them out"
    if most_at_once(service) is None:
        unlimited = "has no effect, as nobody waits at a service without a limit; give it a concurrency too"
        if service.backlog is not None:
            yield "backlog", unlimited
        if service.discipline != "fifo":
            yield "discipline", unlimited
        if service.shedding is not None:
            yield "shedding", unlimited
    turns_away = service.backlog is not None or service.shedding is not None
    if not turns_away and mean_s(service.rejection_overhead) > 0:
        yield "rejection_overhead", "has no effect, as nobody is turned away without a backlog; give it a backlog too"
    if service.backlog == 0 and service.shedding is not None:
        yield "shedding", "has no effect, as with backlog: 0 nobody waits; leave one of them out"
    if isinstance(service.shedding, Codel) and service.discipline != "fifo":
        yield (
            "shedding",
            f"codel judges the queue by how long its oldest has waited, and with {service.discipline} that is not who "
            "is called; use fifo, or server_codel",
        )
    if (service.discipline == "adaptive_lifo") != (service.lifo_threshold is not None):
        yield "lifo_threshold", "belongs to discipline adaptive_lifo, and that needs one; write both, or neither"


def _bulkheads(service: Service) -> Iterator[tuple[str, str]]:
    called = dict.fromkeys(step.target for step in every_step(service) if isinstance(step, CallStep))
    for target in service.bulkheads:
        if target not in called:
            known = ", ".join(called) or "nothing"
            yield "bulkheads", f"there is no call of {shown(target)} to hold back here (it calls: {known})"


def _priorities(service: Service) -> Iterator[tuple[str, str]]:
    if service.discipline != "priority":
        if service.priorities:
            yield "priorities", "has no effect without discipline: priority; write that too, or leave this out"
        return
    known, named = list(service.endpoints), list(service.priorities)
    for endpoint in named:
        if endpoint not in known:
            yield "priorities", f"there is no endpoint {shown(endpoint)} (there are: {', '.join(known)})"
    missing = [endpoint for endpoint in known if endpoint not in named]
    if missing:
        yield (
            "priorities",
            f"says nothing of {', '.join(missing)}; with discipline priority each endpoint has one",
        )


def _zones(service: Service) -> Iterator[tuple[str, str]]:
    if len(set(service.zones)) < len(service.zones):
        yield "zones", "names a zone twice; replicas take the zones in turn, each as often as the others"
    if service.zones and isinstance(service.autoscaler, ServerlessAutoscaler):
        yield "zones", "has no effect with serverless, whose platform runs processes in any zone"


def _threads(service: Service) -> Iterator[tuple[str, str]]:
    if not uses_threads(service):
        for key in ("threads", "switch_interval"):
            if getattr(service, key) != default_of(Service, key):
                yield key, "has no effect, as no endpoint has a thread step; add one, or leave this out"


def _runtime(service: Service) -> Iterator[tuple[str, str]]:
    if service.runtime == "event_loop":
        for key in ("schedulers", "time_slice"):
            if getattr(service, key) != default_of(Service, key):
                yield key, "has no effect on an event loop; write runtime: processes too, or leave it out"
    else:
        if uses_threads(service):
            yield "runtime", "processes need no threads: each computes for itself; take the steps out of the thread"
        if service.hosts:
            yield "hosts", "is not modelled for runtime processes, which have their schedulers' cores; leave it out"


def _in_threads(
    components: Mapping[str, Component], steps: tuple[StepSpec, ...], where: Path, *, inside: bool
) -> Iterator[Problem]:
    for number, step in enumerate(steps):
        here = (*where, number)
        if inside and isinstance(step, ThreadStep | ParallelStep):
            message = (
                f"is a {step.kind} step in a thread, which does one thing after the other; take it out of the thread, "
                "or write its steps one after the other"
            )
            yield Problem(path=here, message=message)
            continue
        if inside and isinstance(step, CachedStep) and _revalidates(components, step):
            message = (
                f"looks into {shown(step.cache)}, which refreshes entries in the background, and the lab does not "
                "model yet that a thread begins that; look it up outside the thread, or choose another protection"
            )
            yield Problem(path=(*here, "cache"), message=message)
        match step:
            case CachedStep():
                yield from _in_threads(components, step.miss, (*here, "miss"), inside=inside)
            case ThreadStep(steps=nested) | TransactionStep(steps=nested):
                within = inside or isinstance(step, ThreadStep)
                yield from _in_threads(components, nested, (*here, "steps"), inside=within)
            case ParallelStep():
                for branch, nested in enumerate(step.branches):
                    yield from _in_threads(components, nested, (*here, "branches", branch), inside=inside)
            case _:
                pass


def _revalidates(components: Mapping[str, Component], step: CachedStep) -> bool:
    cache = components.get(step.cache)
    return isinstance(cache, Cache) and isinstance(cache.stampede_protection, StaleWhileRevalidate)
