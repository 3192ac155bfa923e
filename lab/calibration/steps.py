"""The drawn steps of an endpoint by their key path, and the demands that a request was sent for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from lab.distributions import Distribution, quantile_function
from lab.randomness import Stream
from lab.scenario.demands import DemandSlot, demand_slots
from lab.scenario.scenario import Scenario
from lab.scenario.service import Service
from lab.scenario.steps import CachedStep, CpuStep, ParallelStep, StepSpec, WaitStep, nested


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnStep:
    """A ``cpu`` or ``wait`` step of a service's endpoint.

    Attributes:
        path: key path of its time.
        spec: the step.
        on_miss: whether only a request does it that a cache had no answer for.
    """

    path: str
    spec: CpuStep | WaitStep
    on_miss: bool

    @property
    def is_real(self) -> bool:
        """Whether a real backend does there what takes its own time, whatever it was sent."""
        return getattr(self.spec, "work", None) is not None


def own_steps(scenario: Scenario, service: str, endpoint: str) -> tuple[OwnStep, ...]:
    """Return the steps in which a service spends its own time for a visit, in the order in which they are drawn."""
    component = scenario.components[service]
    assert isinstance(component, Service)  # the caller has looked it up
    prefix = f"components.{service}.endpoints.{endpoint}"
    return tuple(_own(component.endpoints[endpoint], prefix, on_miss=False))


def _own(steps: tuple[StepSpec, ...], prefix: str, *, on_miss: bool) -> Iterator[OwnStep]:
    for number, step in enumerate(steps):
        here = f"{prefix}.{number}"
        if isinstance(step, CpuStep | WaitStep):
            yield OwnStep(path=f"{here}.time", spec=step, on_miss=on_miss)
        copies = step.copies if isinstance(step, ParallelStep) else 1
        for _ in range(copies):
            for below, inner in nested(step):
                path = ".".join(map(str, (here, *below)))
                yield from _own(inner, path, on_miss=on_miss or isinstance(step, CachedStep))


class Demands:
    """The times that requests of a Run were sent: pure functions of its seed, so nothing need have recorded them.

    A measurement sends the draws of replication 0 in every repeat.
    """

    def __init__(self, *, scenario: Scenario, seed: int, world: str) -> None:
        self._seed = seed
        self._world = world
        self._streams: dict[tuple[int, str], Stream] = {}
        self._slots = lru_cache(lambda endpoint: demand_slots(scenario, endpoint))

    def of(self, endpoint: str, component: str, operation: str) -> tuple[DemandSlot, ...]:
        """Return the slots that a client's request to an endpoint may use at a component for an operation.

        Those of further tries of a transaction are left out: whether there was one, its steps cannot tell.
        """
        every = self._slots(endpoint)
        wanted = (component, operation)
        return tuple(slot for slot in every if (slot.component, slot.operation) == wanted and not slot.retry)

    def time_s(self, slot: DemandSlot, *, replication: int, request: int, attempt: int) -> float:
        """Return the demand in seconds that a request's attempt was sent for a slot."""
        number = replication if self._world == "predicted" else 0
        stream = self._streams.get((number, slot.stream))
        if stream is None:
            stream = Stream(seed=self._seed, replication=number, name=slot.stream)
            self._streams[number, slot.stream] = stream
        return _quantile(slot.distribution)(stream.uniform(request, attempt, slot.visit))


@lru_cache(maxsize=256)
def _quantile(distribution: Distribution) -> Callable[[float], float]:
    return quantile_function(distribution)
