"""From a Scenario to the files that the reference backend reads: a deployment and a schedule."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from lab.errors import Unsupported
from lab.measurement.balancing import load_balancer_document
from lab.measurement.boot_times import boot_times_s
from lab.measurement.caches import cache_document
from lab.measurement.databases import database_part, transaction_backoffs_s
from lab.measurement.edge_caches import answer_bytes, edge_document
from lab.measurement.faults import fault_document
from lab.measurement.limits import backend_cores, limiter_document, shedding_document
from lab.measurement.queues import publish_step, queue_part
from lab.measurement.refusals import no_counterpart, refuse_unmeasurable
from lab.measurement.render_client import breaker_section, client_section, coins
from lab.measurement.scaling import autoscaler_document
from lab.randomness import Stream
from lab.scenario.components import Cache, Cdn, Component, Database, Host, LoadBalancer, Queue, RateLimiter, Service
from lab.scenario.demand_counts import endpoint_demands, transaction_demands
from lab.scenario.demands import BoundStep, bound_steps, demand_slots
from lab.scenario.scenario import Scenario
from lab.scenario.schedule import Schedule
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
from lab.simulation.client import retry_delays_s
from lab.simulation.request import Request
from lab.simulation.variate import Variate


def deployment(scenario: Scenario) -> dict[str, Any]:
    """Return the deployment document of a scenario (JSON values, times in seconds).

    Raises:
        Unsupported: the reference backend has no real counterpart for something in the scenario.
    """
    refuse_unmeasurable(scenario)
    return {
        "schema_version": 1,
        "name": scenario.name,
        "entry": scenario.entry,
        "cores": backend_cores(scenario),
        "client": client_section(scenario.client),
        "parts": {
            name: _part(scenario, name, spec)
            for name, spec in scenario.components.items()
            if not isinstance(spec, Host)  # no part, but where all parts run
        },
        "faults": [fault_document(scenario, number) for number in range(len(scenario.faults))],
    }


def _part(scenario: Scenario, name: str, spec: Component) -> dict[str, Any]:
    match spec:
        case Cdn():
            return edge_document(scenario, name, spec)
        case LoadBalancer():
            return load_balancer_document(spec, f"components.{name}")
        case Service():
            return {
                "kind": "service",
                "replicas": spec.replicas,
                "concurrency": spec.concurrency,
                "backlog": spec.backlog,
                "boot_times_s": boot_times_s(scenario, name),
                "autoscaler": autoscaler_document(spec.autoscaler, f"components.{name}.autoscaler"),
                "shedding": shedding_document(spec.shedding),
                "threads": spec.threads,
                "switch_interval_s": spec.switch_interval,
                "endpoints": {endpoint: _endpoint(scenario, name, endpoint) for endpoint in spec.endpoints},
            }
        case RateLimiter():
            return limiter_document(scenario, f"components.{name}", spec)
        case Cache():
            return cache_document(spec, f"components.{name}")
        case Database():
            return database_part(scenario, name, spec)
        case Queue():
            return queue_part(scenario, name, spec)
        case _:
            raise no_counterpart(f"components.{name}", spec.kind)


def _endpoint(scenario: Scenario, service: str, endpoint: str) -> dict[str, Any]:
    bound = bound_steps(scenario, service, endpoint)
    return {
        "method": "POST" if _writes(scenario, bound) else "GET",
        "demands": endpoint_demands(scenario, service, endpoint),
        "answer_bytes": answer_bytes(scenario, service, endpoint),
        "steps": [_step(scenario, step) for step in bound],
    }


def _writes(scenario: Scenario, steps: tuple[BoundStep, ...]) -> bool:
    for step in steps:
        if isinstance(step.spec, QueryStep):
            database = scenario.components[step.spec.database]
            if isinstance(database, Database) and database.queries[step.spec.query].writes:
                return True
        if any(_writes(scenario, nested) for nested in step.nested):
            return True
    return False


def _step(scenario: Scenario, bound: BoundStep) -> dict[str, Any]:
    spec = bound.spec
    match spec:
        case CpuStep():
            return {"kind": spec.kind, "demand": bound.offset, "work": spec.work}
        case WaitStep():
            return {"kind": spec.kind, "demand": bound.offset}
        case ThreadStep():
            return {"kind": "thread", "steps": [_step(scenario, each) for each in bound.nested[0]]}
        case CachedStep():
            return {"kind": "cached", "cache": spec.cache, "miss": [_step(scenario, each) for each in bound.nested[0]]}
        case QueryStep():
            asked = {"kind": "query", "database": spec.database, "query": spec.query, "demand": bound.offset}
            return asked if spec.repeat == 1 else asked | {"repeat": spec.repeat}
        case TransactionStep():
            return {
                "kind": "transaction",
                "database": spec.database,
                "steps": [_step(scenario, each) for each in bound.nested[0]],
                "backoffs_s": transaction_backoffs_s(spec),
                "demands": transaction_demands(scenario, spec),
            }
        case CallStep():
            return {
                "kind": "call",
                "target": spec.target,
                "endpoint": spec.endpoint,
                "demands_from": bound.offset,
                "demands": endpoint_demands(scenario, spec.target, spec.endpoint),
                "timeout_s": spec.timeout,
                "circuit_breaker": breaker_section(spec.circuit_breaker),
            }
        case PublishStep():
            return publish_step(scenario, spec, bound.offset)
        case InvalidateStep():
            return {"kind": "invalidate", "cache": spec.cache}
        case ParallelStep():
            branches = [[_step(scenario, each) for each in branch] for branch in bound.nested]
            return {"kind": "parallel", "branches": branches}
        case _:
            raise no_counterpart("a step", spec.kind)


def schedule_table(scenario: Scenario, schedule: Schedule, *, seed: int, replication: int) -> pa.Table:
    """Return the schedule as the load generator reads it: each request with its demands and backoffs.

    The demands are the very draws that the simulator uses for this replication.

    Returns:
        Columns request, endpoint, key, intended_start_s, demands (attempts x slots, flattened), backoffs
        (attempts - 1), coins (attempts, if the client has a throttle); metadata ``duration_s``.
    """
    attempts = scenario.client.attempts
    if attempts * len(schedule) > 5_000_000:  # noqa: PLR2004  # rows that the generator can hold
        raise Unsupported(f"{len(schedule):,} requests with {attempts} attempts are too many to send from one machine")

    def stream(name: str) -> Stream:
        return Stream(seed=seed, replication=replication, name=name)

    slots = {endpoint: demand_slots(scenario, endpoint) for endpoint in dict.fromkeys(schedule.endpoint)}
    variates = {
        (slot.stream, slot.distribution): Variate(
            stream=stream(slot.stream), distribution=slot.distribution, requests=len(schedule)
        )
        for each in slots.values()
        for slot in each
    }
    backoffs = stream("client/backoff")

    def demands(number: int, endpoint: str) -> list[float]:
        return [
            variates[slot.stream, slot.distribution](Request(number, attempt, slot.operation, 0, slot.visit))
            for attempt in range(attempts)
            for slot in slots[endpoint]
        ]

    delays = [retry_delays_s(scenario.client, backoffs, number=number) for number in range(len(schedule))]
    table = pa.table(
        {
            "request": pa.array(range(len(schedule)), pa.int64()),
            "endpoint": pa.array(schedule.endpoint, pa.string()),
            "key": pa.array(schedule.key, pa.int64()),
            "intended_start_s": pa.array(schedule.intended_start_s, pa.float64()),
            "demands": pa.array(
                [demands(number, endpoint) for number, endpoint in enumerate(schedule.endpoint)], pa.list_(pa.float64())
            ),
            "backoffs": pa.array(delays, pa.list_(pa.float64())),
            "coins": pa.array(
                coins(scenario.client, stream("client/throttle"), requests=len(schedule)), pa.list_(pa.float64())
            ),
        }
    )
    return table.replace_schema_metadata({"duration_s": repr(scenario.run.duration)})
