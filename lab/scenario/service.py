"""A service as it is described: replicas of an application process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from lab.distributions import Constant, Distribution
from lab.quantities import Count, CountOrZero, PositiveDuration, Spec
from lab.scenario.autoscaler import Autoscaler
from lab.scenario.names import Name
from lab.scenario.pauses import Pauses
from lab.scenario.payload import Payload
from lab.scenario.steps import ParallelStep, StepSpec, ThreadStep, walk

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
    backlog: CountOrZero | None = Field(
        default=None, description="Requests that may wait in a replica; beyond it: 503. None: no limit."
    )
    discipline: Literal["fifo", "lifo", "priority"] = Field(
        default="fifo",
        description="Who of the backlog gets a free slot: who has waited longest, who came last, or the most urgent.",
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
    overhead: Distribution = Field(
        default=_NO_TIME, description="CPU time of the framework for each admitted request, on the event loop."
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
    endpoints: dict[Name, Annotated[tuple[StepSpec, ...], Field(min_length=1)]] = Field(
        min_length=1, description="Endpoint name to its steps."
    )


def every_step(service: Service) -> Iterator[StepSpec]:
    """Yield the steps of all endpoints, nested ones too, in the order in which they are written."""
    for steps in service.endpoints.values():
        yield from walk(steps)


def fan_outs(service: Service) -> list[ParallelStep]:
    """Return the parallel steps of a service that do not simply wait for all branches."""
    return [step for step in every_step(service) if isinstance(step, ParallelStep) and not step.waits_for_all]


def uses_threads(service: Service) -> bool:
    """Whether any endpoint of the service does something in a thread."""
    return any(isinstance(step, ThreadStep) for step in every_step(service))


def host_of(service: Service, index: int) -> str | None:
    """Return the name of the host that replica ``index`` runs on; None if it shares its cores with nobody."""
    return service.hosts[index % len(service.hosts)] if service.hosts else None
