"""A database and the transactions on it as the reference backend is told of them, or why it cannot do them."""

from __future__ import annotations

from typing import Any

from lab.distributions import Constant
from lab.measurement.refusals import refusal
from lab.scenario.client import DecorrelatedBackoff, backoff_delay_s
from lab.scenario.database import Database
from lab.scenario.mix import key_count
from lab.scenario.scenario import Scenario
from lab.scenario.steps import TransactionStep

_FEWEST_ROWS = 1000
_UNUSED = 0.5  # a uniform draw, where there is no jitter to draw


def database_part(scenario: Scenario, name: str, spec: Database) -> dict[str, Any]:
    """Return a database of the deployment.

    Raises:
        Unsupported: it has something that real PostgreSQL on this machine cannot be made to do.
    """
    where = f"components.{name}"
    sleeping = [query for query, each in spec.queries.items() if each.measured_as is None]
    for key in ("cores", "host"):
        if getattr(spec, key) is not None and sleeping:
            raise refusal(f"{where}.{key}", f"is for {sleeping[0]!r}, a statement that sleeps and so needs no core")
    if not isinstance(spec.replication_lag, Constant):
        raise refusal(f"{where}.replication_lag", "is not constant")
    pool = spec.pool
    return {
        "kind": "database",
        "pool": {"size": pool.size, "overflow": pool.overflow, "timeout_s": pool.timeout},
        "rows": max(_FEWEST_ROWS, key_count(scenario)),
        "isolation": spec.isolation,
        "lock_timeout_s": spec.lock_timeout,
        "replicas": spec.replicas,
        "replication_lag_s": spec.replication_lag.mean,
        "read_policy": spec.read_policy,
        "synchronous_replicas": spec.synchronous_replicas,
        "queries": {
            query: {"statement": each.statement, "real": each.measured_as} for query, each in spec.queries.items()
        },
    }


def transaction_backoffs_s(step: TransactionStep) -> list[float]:
    """Return the wait before each retry of a transaction, in seconds.

    Raises:
        Unsupported: it is drawn, and no draw travels with the request for it.
    """
    backoff = step.backoff
    drawn = isinstance(backoff, DecorrelatedBackoff) or backoff.jitter != "none"
    if step.retries and drawn:
        raise refusal("transaction.backoff", "is drawn; give it jitter: none")
    waits: list[float] = []
    for retry in range(1, step.retries + 1):
        previous_s = waits[-1] if waits else None
        waits.append(backoff_delay_s(backoff, retry=retry, uniform=_UNUSED, previous_s=previous_s))
    return waits
