"""What of the scenario language has no counterpart in the reference backend yet: refused, never ignored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lab.errors import Unsupported
from lab.quantities import Spec, default_of
from lab.scenario import stampede
from lab.scenario.autoscaler import HpaAutoscaler
from lab.scenario.cache import Cache
from lab.scenario.cdn import Cdn
from lab.scenario.client import (
    CircuitBreaker,
    Client,
    ConstantBackoff,
    DecorrelatedBackoff,
    ExponentialBackoff,
    Retry,
)
from lab.scenario.client_throttle import Throttle
from lab.scenario.database import Database, Pool, QuerySpec
from lab.scenario.faults import CrashFault, FlushFault, HangFault, PartitionFault, SlowDownFault, SlowLinkFault
from lab.scenario.hedge import Hedge, HedgeThrottle
from lab.scenario.host import Host
from lab.scenario.load_balancer import HealthCheck, LoadBalancer
from lab.scenario.queue import Queue
from lab.scenario.rate_limiter import RateLimiter
from lab.scenario.retry_budget import RetryBudget
from lab.scenario.scenario import Scenario
from lab.scenario.serverless import ServerlessAutoscaler
from lab.scenario.service import Service
from lab.scenario.shedding import Codel, ServerCodel
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
from lab.scenario.workload import OpenWorkload, ReplayWorkload

# The keys that the reference backend and its load generator obey. Every other key must be left at its default.
_OBEYED: dict[type[Spec], tuple[str, ...]] = {
    Scenario: (
        *("name", "question", "facts", "assumptions", "not_modelled", "entry", "objectives", "scale", "calibration"),
        "run",
    ),
    OpenWorkload: ("kind", "arrival_rate", "endpoints", "keys"),
    ReplayWorkload: ("kind", "file"),
    Client: ("timeout", "deadline", "round_trip"),
    Retry: ("attempts", "retry_on"),
    RetryBudget: ("ratio", "burst"),
    CircuitBreaker: ("window", "minimum", "failure_ratio", "open_for", "half_open"),
    Throttle: ("multiplier", "window"),
    Hedge: ("after", "attempts"),
    HedgeThrottle: ("tokens", "ratio"),
    ConstantBackoff: ("kind", "delay", "jitter"),
    ExponentialBackoff: ("kind", "base", "cap", "factor", "jitter"),
    DecorrelatedBackoff: ("kind", "base", "cap"),
    LoadBalancer: (
        *("kind", "targets", "algorithm", "draws", "hash_type", "hash_balance_factor", "weights", "forward_time"),
        *("max_connections_per_server", "max_queue", "queue_timeout", "abort_on_close", "connect_timeout", "retries"),
        *("redispatch", "server_timeout", "slow_start", "host"),
    ),
    HealthCheck: ("interval", "phase", "fall", "rise", "fast_interval", "down_interval", "timeout", "on_marked_down"),
    Service: (
        *("kind", "replicas", "concurrency", "backlog", "overhead", "rejection_overhead", "threads", "switch_interval"),
        *("busy_overhead", "hosts", "boot_time"),
    ),
    HpaAutoscaler: (
        *("kind", "min", "max", "metric", "target", "more_metrics", "metric_window", "metric_lag", "sync_period"),
        *("tolerance", "scale_up", "scale_down", "cpu_initialization_period"),
    ),
    ServerlessAutoscaler: ("kind", "min", "max", "idle_timeout", "scaling_burst", "scaling_rate", "memory"),
    Codel: ("kind", "target", "interval"),
    ServerCodel: ("kind", "target", "interval"),
    RateLimiter: (
        *("kind", "targets", "algorithm", "limit", "window", "windows", "burst", "scope", "endpoints"),
        "check_time",
    ),
    Host: ("kind", "cores", "quantum"),  # the quantum is the kernel's
    ThreadStep: ("kind",),
    Cache: ("kind", "capacity", "eviction", "samples", "ttl", "ttl_jitter", "entry_size", "warm", "access_time"),
    Cdn: (
        *("kind", "targets", "max_age", "age_resolution", "capacity", "capacity_bytes", "entry_size"),
        *("request_collapsing", "hit_time", "forward_time"),
    ),
    stampede.NoProtection: ("kind",),
    stampede.SingleFlight: ("kind",),
    stampede.Lock: ("kind", "poll", "lock_timeout"),
    stampede.EarlyRefresh: ("kind", "beta"),
    Database: (
        *("kind", "round_trip", "connect_time", "host", "cores", "isolation"),
        *("lock_timeout", "replicas", "replication_lag", "read_policy", "synchronous_replicas"),
    ),
    Queue: (
        *("kind", "consumer", "endpoint", "prefetch", "acknowledge", "visibility_timeout", "max_attempts"),
        *("poll_interval", "capacity", "overflow", "publish_time", "access_time"),
    ),
    Pool: ("size", "overflow", "timeout", "prefill"),
    QuerySpec: ("time", "statement", "measured_as"),
    CpuStep: ("kind", "time", "work"),
    WaitStep: ("kind", "time"),
    CachedStep: ("kind", "cache"),
    InvalidateStep: ("kind", "cache"),
    QueryStep: ("kind", "database", "query", "repeat"),
    TransactionStep: ("kind", "database", "retries"),
    CallStep: ("kind", "target", "endpoint", "timeout"),
    PublishStep: ("kind", "queue"),
    ParallelStep: ("kind",),
    FlushFault: ("kind", "at", "component"),
    CrashFault: ("kind", "at", "component", "replicas", "replica", "restart_after"),
    HangFault: ("kind", "at", "component", "replicas", "replica", "duration"),
    SlowDownFault: ("kind", "at", "component", "replicas", "replica", "factor", "steps", "duration"),
    PartitionFault: ("kind", "at", "between", "duration"),
    SlowLinkFault: ("kind", "at", "between", "delay", "duration"),
}

# Of some keys that it obeys, the only values that it knows.
_KNOWN: dict[tuple[type[Spec], str], tuple[str, ...]] = {
    (Database, "read_policy"): ("primary", "replicas", "any"),
}


def refuse_unmeasurable(scenario: Scenario) -> None:
    """Raise for the first thing in the scenario that the reference backend cannot do.

    Raises:
        Unsupported: with the path in the scenario and what to do.
    """
    for path, what in _unmeasurable(scenario, ""):
        raise refusal(path, what)


def no_counterpart(where: str, kind: str) -> Unsupported:
    """Return the error for a kind that the reference backend does not have."""
    return refusal(where, f"is of kind {kind!r}")


def refusal(path: str, what: str) -> Unsupported:
    """Return the error for what is at a key path of the scenario; ``what`` goes on from there."""
    return Unsupported(
        f"{path}: {what}, which the lab can predict but the reference backend cannot do yet, so there is nothing to "
        "measure; leave it out of a scenario that is measured"
    )


def _unmeasurable(spec: Spec, path: str) -> Iterator[tuple[str, str]]:
    obeyed = _OBEYED.get(type(spec))
    if obeyed is None:
        yield path, f"is of kind {getattr(spec, 'kind', type(spec).__name__)!r}"
        return
    for name in type(spec).model_fields:
        value, here = getattr(spec, name), f"{path}.{name}" if path else name
        known = _KNOWN.get((type(spec), name))
        if known is not None and value not in known:
            yield here, f"is {value!r}"
        if name in obeyed or value == default_of(type(spec), name):
            continue
        nested = list(_nested(value, here))
        if not nested:
            yield here, f"is {value!r}"
        for inner, where in nested:
            yield from _unmeasurable(inner, where)


def _nested(value: object, path: str) -> Iterator[tuple[Spec, str]]:
    if isinstance(value, Spec):
        yield value, path
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from _nested(each, f"{path}.{name}")
    elif isinstance(value, tuple):
        for number, each in enumerate(value):
            yield from _nested(each, f"{path}.{number}")
