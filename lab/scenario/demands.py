"""Which drawn times a request needs, at which addresses: the pairing between simulator and real backend.

The rule, stated once and used by both worlds:

- A request to an endpoint walks a tree: the steps of that endpoint at the service behind ``entry`` (visit 0), and
  below each ``call`` the steps of the callee. The order is the written one, depth first, with the ``miss`` steps of
  a look-up and every branch of a ``parallel`` included, whether or not a request happens to take them. A ``parallel``
  with ``copies`` counts as if its branches, in their order, were written that often.
- Each ``cpu``, ``wait`` and ``query`` step is one *slot*: one time drawn from one stream; a ``query`` that repeats
  is as many slots and uses, one after the other. The streams are
  ``service/endpoint/cpu``, ``service/endpoint/wait`` and ``database/query``.
- The k-th use (k = 0, 1, ...) of one stream within one endpoint draws at visit ``child_visit(v, k)``, where v is the
  visit of that endpoint.
- The k-th call to the same target and endpoint within one endpoint gives the callee the visit
  ``child_visit(v, (name_key("target/endpoint") + k) mod 2^64)``, with the target as the step names it.
- The k-th publishing to the same queue within one endpoint gives the work on its message the visit
  ``child_visit(v, (name_key("publish queue") + k) mod 2^64)``, and its n-th redelivery ``child_visit(that, n)``. What
  the consumer's endpoint needs travels with the message: its slots, once for each delivery that the queue allows. (Of
  a stream or mailbox, which have no real counterpart yet, the consumers' times are no slots.)
- The steps of a ``transaction`` that may be tried again are slots once for each try; its k-th retry draws at the visit
  ``child_visit(v, name_key("retry k"))``.
- Constant times are slots too. Times of the parts themselves (``overhead``, ``round_trip``, ``access_time``,
  ``forward_time``) are not: the real parts bring their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, assert_never

from lab.distributions import Distribution
from lab.randomness import child_visit, name_key
from lab.scenario.components import Database, Queue
from lab.scenario.demand_counts import endpoint_demands, endpoint_steps, message_demands
from lab.scenario.fronts import service_name_behind
from lab.scenario.steps import (
    CachedStep,
    CallStep,
    CpuStep,
    InvalidateStep,
    ParallelStep,
    PublishStep,
    QueryStep,
    StepSpec,
    ThreadStep,
    TransactionStep,
    WaitStep,
)

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario

_MASK = 2**64 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundStep:
    """A step with its address.

    Attributes:
        spec: the step as the scenario has it.
        stream: name of the stream that its time is drawn from; "" for steps without a time of their own.
        ordinal: second argument of ``child_visit``: for its own draw, for a look-up that of the cache, for a call the
            visit of the callee, for a transaction that of its own draws; else 0.
        offset: number of slots before this step's (first) slot, counted from the start of its endpoint.
        nested: the miss steps or those of a thread (one tuple), the branches (one tuple each copy), or nothing.
    """

    spec: StepSpec
    stream: str
    ordinal: int
    offset: int
    nested: tuple[tuple[BoundStep, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandSlot:
    """One time that is drawn for a request: where it is spent, and at which address it is drawn.

    Attributes:
        component: the service (cpu, wait) or the database (query).
        operation: the endpoint (cpu, wait) or the query.
        kind: the kind of the step.
        stream: the stream's name.
        visit: the visit at which the stream is drawn (``child_visit`` already applied).
        distribution: what it is drawn from.
        retry: of which further try of a transaction; 0: it is needed whether or not there is a conflict.
    """

    component: str
    operation: str
    kind: Literal["cpu", "wait", "query"]
    stream: str
    visit: int
    distribution: Distribution
    retry: int = 0


def bound_steps(scenario: Scenario, service_name: str, endpoint: str) -> tuple[BoundStep, ...]:
    """Return the steps of an endpoint, each with its address relative to the visit of that endpoint.

    Args:
        scenario: where the endpoint is.
        service_name: the service, or the load balancer before it.
        endpoint: one of its endpoints.

    Raises:
        ScenarioError: there is no such service, or it has no such endpoint.
    """
    binding = _Binding(scenario=scenario, service=service_name_behind(scenario, service_name), endpoint=endpoint)
    return binding.bind(endpoint_steps(scenario, service_name, endpoint))


def demand_slots(scenario: Scenario, endpoint: str) -> tuple[DemandSlot, ...]:
    """Return the slots of one client request to an endpoint, in the order of the rule above.

    Args:
        scenario: whose clients send the request.
        endpoint: an endpoint of the service behind ``scenario.entry``.

    Raises:
        ScenarioError: the entry has no such endpoint.
    """
    steps = bound_steps(scenario, scenario.entry, endpoint)
    service = service_name_behind(scenario, scenario.entry)
    return tuple(_slots(scenario, steps, service=service, endpoint=endpoint, visit=0))


class _Binding:
    """Gives each step of one endpoint its ordinal and its offset, in the written order."""

    def __init__(self, *, scenario: Scenario, service: str, endpoint: str) -> None:
        self._scenario = scenario
        self._prefix = f"{service}/{endpoint}"
        self._uses: Counter[str] = Counter()
        self._counts: dict[tuple[str, str], int] = {}
        self._offset = 0

    def bind(self, steps: tuple[StepSpec, ...]) -> tuple[BoundStep, ...]:
        return tuple(self._bind_one(step) for step in steps)

    def _bind_one(self, step: StepSpec) -> BoundStep:
        offset = self._offset
        match step:
            case CpuStep() | WaitStep():
                return self._drawn(step, f"{self._prefix}/{step.kind}")
            case QueryStep():
                return self._drawn(step, f"{step.database}/{step.query}")
            case CallStep():
                callee = f"{step.target}/{step.endpoint}"
                ordinal = (name_key(callee) + self._use(f"call {callee}")) & _MASK
                self._offset += endpoint_demands(self._scenario, step.target, step.endpoint, self._counts)
                return BoundStep(spec=step, stream="", ordinal=ordinal, offset=offset)
            case PublishStep():
                ordinal = (name_key(f"publish {step.queue}") + self._use(f"publish {step.queue}")) & _MASK
                self._offset += message_demands(self._scenario, step, self._counts)
                return BoundStep(spec=step, stream="", ordinal=ordinal, offset=offset)
            case CachedStep():
                use = self._use(f"cached {step.cache}")
                return BoundStep(spec=step, stream="", ordinal=use, offset=offset, nested=(self.bind(step.miss),))
            case InvalidateStep():
                return BoundStep(spec=step, stream="", ordinal=self._use(f"invalidate {step.cache}"), offset=offset)
            case TransactionStep():
                name = f"transaction {step.database}"
                ordinal = (name_key(name) + self._use(name)) & _MASK
                once = self.bind(step.steps)
                self._offset += step.retries * (self._offset - offset)
                return BoundStep(spec=step, stream="", ordinal=ordinal, offset=offset, nested=(once,))
            case ThreadStep():
                return BoundStep(spec=step, stream="", ordinal=0, offset=offset, nested=(self.bind(step.steps),))
            case ParallelStep():
                branches = tuple(self.bind(branch) for _ in range(step.copies) for branch in step.branches)
                return BoundStep(spec=step, stream="", ordinal=0, offset=offset, nested=branches)
            case _:
                assert_never(step)

    def _drawn(self, step: CpuStep | WaitStep | QueryStep, stream: str) -> BoundStep:
        times = step.repeat if isinstance(step, QueryStep) else 1
        bound = BoundStep(spec=step, stream=stream, ordinal=self._use(stream, times), offset=self._offset)
        self._offset += times
        return bound

    def _use(self, name: str, times: int = 1) -> int:
        """Count uses of a name; return the number of the first of them."""
        self._uses[name] += times
        return self._uses[name] - times


def _slots(
    scenario: Scenario, steps: tuple[BoundStep, ...], *, service: str, endpoint: str, visit: int
) -> Iterator[DemandSlot]:
    for step in steps:
        below = child_visit(visit, step.ordinal)
        match step.spec:
            case CpuStep() | WaitStep():
                yield DemandSlot(
                    component=service,
                    operation=endpoint,
                    kind=step.spec.kind,
                    stream=step.stream,
                    visit=below,
                    distribution=step.spec.time,
                )
            case QueryStep():
                for use in range(step.ordinal, step.ordinal + step.spec.repeat):
                    yield _query_slot(scenario, step.spec, stream=step.stream, visit=child_visit(visit, use))
            case CallStep(target=target, endpoint=called):
                callee = bound_steps(scenario, target, called)
                name = service_name_behind(scenario, target)
                yield from _slots(scenario, callee, service=name, endpoint=called, visit=below)
            case PublishStep(queue=queue):
                yield from _message_slots(scenario, queue, below)
            case TransactionStep(retries=retries):
                yield from _tries(scenario, step, retries, service=service, endpoint=endpoint, visit=visit)
            case CachedStep() | ParallelStep() | ThreadStep():
                for nested in step.nested:
                    yield from _slots(scenario, nested, service=service, endpoint=endpoint, visit=visit)
            case InvalidateStep():
                pass  # the real cache brings its own time
            case _:
                assert_never(step.spec)


def _tries(
    scenario: Scenario, transaction: BoundStep, retries: int, *, service: str, endpoint: str, visit: int
) -> Iterator[DemandSlot]:
    for number in range(1 + retries):
        tried = child_visit(visit, name_key(f"retry {number}")) if number else visit
        for slot in _slots(scenario, transaction.nested[0], service=service, endpoint=endpoint, visit=tried):
            yield replace(slot, retry=slot.retry or number)


def _message_slots(scenario: Scenario, queue: str, visit: int) -> Iterator[DemandSlot]:
    spec = scenario.components[queue]
    if not isinstance(spec, Queue):
        return
    steps = bound_steps(scenario, spec.consumer, spec.endpoint)
    for again in range(spec.deliveries):
        delivery = child_visit(visit, again) if again else visit
        yield from _slots(scenario, steps, service=spec.consumer, endpoint=spec.endpoint, visit=delivery)


def _query_slot(scenario: Scenario, step: QueryStep, *, stream: str, visit: int) -> DemandSlot:
    database = scenario.components[step.database]
    assert isinstance(database, Database)  # the consistency check of the scenario has seen to it
    return DemandSlot(
        component=step.database,
        operation=step.query,
        kind="query",
        stream=stream,
        visit=visit,
        distribution=database.queries[step.query].time,
    )
