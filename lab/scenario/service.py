"""A service as it is described: replicas of an application process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from lab.distributions import Constant, Distribution
from lab.quantities import Count, CountOrZero, PositiveDuration, Spec
from lab.scenario.adaptive_concurrency import AdaptiveConcurrency, Aimd, Gradient2, Vegas
from lab.scenario.autoscaler import Autoscaler
from lab.scenario.bulkhead import Bulkhead
from lab.scenario.names import Name
from lab.scenario.pauses import Pauses
from lab.scenario.payload import Payload
from lab.scenario.shedding import Shedding
from lab.scenario.steps import CpuStep, ParallelStep, StepSpec, ThreadStep, walk

_NO_TIME = Constant(mean="0s")  # type: ignore[arg-type]  # text in, seconds inside


class Service(Spec):
    """Replicas of an application process with an event loop (uvicorn)."""

    kind: Literal["service"] = "service"
    replicas: CountOrZero = Field(
        default=1,
        description="How many processes; with an autoscaler, how many the run begins with. 0 only where one starts "
        "the first.",
        le=10_000,
    )
    concurrency: Count | None = Field(
        default=None, description="Requests that a replica works on at once. None: no limit."
    )
    adaptive_concurrency: AdaptiveConcurrency | None = Field(
        default=None,
        description="Instead of a fixed concurrency: a limit that each worker finds by itself from how long its "
        "requests take, from getting a slot to the end, if they went well. None: the concurrency stays as it is.",
    )
    backlog: CountOrZero | None = Field(
        default=None, description="Requests that may wait in a replica; beyond it: 503. None: no limit."
    )
    discipline: Literal["fifo", "lifo", "priority", "adaptive_lifo"] = Field(
        default="fifo",
        description="Who of the backlog gets a free slot: who has waited longest, who came last, or the most urgent; "
        "adaptive_lifo: who has waited longest while few wait, who came last once lifo_threshold or more do.",
    )
    lifo_threshold: Count | None = Field(
        default=None,
        description="With discipline adaptive_lifo: from how many waiting on the newest goes first (HHVM's "
        "ThreadJobLIFOSwitchThreshold).",
    )
    shedding: Shedding | None = Field(
        default=None,
        description="Whom of the backlog a worker turns away (503) instead of giving them a slot, because they waited "
        "too long. None: nobody.",
    )
    drop_expired: bool = Field(
        default=False,
        description="Whether work is not begun (503) whose client has given up, as a deadline tells that travels with "
        "requests and calls: the client's timeout or deadline. What messages in queues ask for has none.",
    )
    priorities: dict[Name, CountOrZero] = Field(
        default={},
        description="With discipline priority: each endpoint's class. Lower numbers go first, fifo among equals; "
        "a request that has its slot is not interrupted.",
    )
    workers: Count = Field(
        default=1,
        description="Worker processes of each replica. They share its address; concurrency, backlog, event loop and "
        "pools are each worker's own. A request goes to one of them at random.",
        le=1_000,
    )
    runtime: Literal["event_loop", "processes"] = Field(
        default="event_loop",
        description="What runs the endpoints of a worker. event_loop: coroutines on one thread, so that who computes "
        "stops all others; processes: a lightweight process for each request, interrupted when its time slice is over "
        "(Erlang, Elixir).",
    )
    schedulers: Count = Field(
        default=1, description="With runtime processes: cores of each worker, shared by those that compute.", le=1_000
    )
    time_slice: PositiveDuration = Field(
        default="1ms",
        validate_default=True,
        description="With runtime processes: how long one computes while others want to. (Erlang counts 4,000 "
        "reductions, in practice about this long.)",
    )
    threads: Count = Field(
        default=40,
        description="Threads of each worker for thread steps; who finds none free waits (anyio: 40 tokens).",
        le=10_000,
    )
    switch_interval: PositiveDuration = Field(
        default="5ms",
        validate_default=True,
        description="How long one thread of a worker goes on computing once another one wants to (Python's GIL).",
    )
    hosts: tuple[str, ...] = Field(
        default=(),
        description="Names of the hosts whose cores its processes compute on; replicas take them in turn. None "
        "given: each process has a core to itself.",
    )
    zones: tuple[Name, ...] = Field(
        default=(),
        description="Names of the zones (of a cloud's region) that its replicas are spread over, in turn; a "
        "`zone_loss` takes one away. None given: they are in none.",
    )
    payloads: dict[Name, Payload] = Field(
        default={},
        description="How many bytes clients and endpoints send each other over `client.network`, by endpoint. An "
        "endpoint without: a packet each way whose bytes take no time.",
    )
    node_pool: str | None = Field(
        default=None,
        description="Name of the node pool on which its processes (pods) need room before they boot. None: there is "
        "always room.",
    )
    overhead: Distribution = Field(
        default=_NO_TIME, description="CPU time of the framework for each admitted request, on the event loop."
    )
    busy_overhead: Distribution | None = Field(
        default=None,
        description="The overhead of a request that came while its process was computing for another: its caches are "
        "warm, and its event loop need not be woken. None: as for who finds it idle.",
    )
    rejection_overhead: Distribution = Field(
        default=_NO_TIME, description="CPU time of turning a request away (503), on the event loop."
    )
    pauses: Pauses | None = Field(
        default=None, description="When its processes stand still, as for a garbage collector. None: never."
    )
    boot_time: Distribution = Field(
        default=_NO_TIME,
        description="From the start of a process, by an autoscaler or after a crash, to when it takes requests; what a "
        "cold start takes.",
    )
    autoscaler: Autoscaler | None = Field(
        default=None, description="What changes the number of replicas during the run. None: it stays."
    )
    bulkheads: dict[Name, Bulkhead] = Field(
        default={},
        description="Called component to how many calls of it each worker has under way at most; beyond it a call "
        "waits, or fails at once (502), while calls of others go on.",
    )
    endpoints: dict[Name, Annotated[tuple[StepSpec, ...], Field(min_length=1)]] = Field(
        min_length=1, description="Endpoint name to its steps."
    )


def steps_of(service: Service, endpoint: str) -> tuple[StepSpec, ...]:
    """Return what an endpoint does: its steps as they are written, and then compressing its answer."""
    steps, payload = service.endpoints[endpoint], service.payloads.get(endpoint)
    compressing = None if payload is None else payload.compressing
    return steps if compressing is None else (*steps, CpuStep(time=compressing))


def every_step(service: Service) -> Iterator[StepSpec]:
    """Yield the steps of all endpoints, nested ones too, in the order in which they are done."""
    for endpoint in service.endpoints:
        yield from walk(steps_of(service, endpoint))


def fan_outs(service: Service) -> list[ParallelStep]:
    """Return the parallel steps of a service that do not simply wait for all branches."""
    return [step for step in every_step(service) if isinstance(step, ParallelStep) and not step.waits_for_all]


def most_at_once(service: Service) -> int | None:
    """Return how many requests a worker works on at once at most; None if there is no limit."""
    return service.concurrency if service.adaptive_concurrency is None else service.adaptive_concurrency.max


def least_at_once(service: Service) -> int | None:
    """Return how many requests a worker works on at once at least, if so many come; None if there is no limit."""
    match service.adaptive_concurrency:
        case None:
            return service.concurrency
        case Vegas():
            return 1
        case Gradient2(min=least) | Aimd(min=least):
            return least


def uses_threads(service: Service) -> bool:
    """Whether any endpoint of the service does something in a thread."""
    return any(isinstance(step, ThreadStep) for step in every_step(service))


def host_of(service: Service, index: int) -> str | None:
    """Return the name of the host that replica ``index`` runs on; None if it shares its cores with nobody."""
    return service.hosts[index % len(service.hosts)] if service.hosts else None


def slots(service: Service) -> int | None:
    """Return how many requests a replica works on at once, over all its workers; None if there is no limit."""
    return None if service.concurrency is None else service.concurrency * service.workers
