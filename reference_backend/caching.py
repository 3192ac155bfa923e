"""A cache as a deployment describes it: what fits, what goes when it is full, and who protects it from stampedes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field

from reference_backend.spec import Seconds, Spec


class NoProtection(Spec):
    """Every miss does the work."""

    kind: Literal["none"] = "none"


class SingleFlight(Spec):
    """In each replica one miss of a key does the work; others that miss it there wait for its end."""

    kind: Literal["single_flight"]


class Lock(Spec):
    """Over all replicas one miss of a key does the work, under a lock in the cache (SET NX PX).

    Others look again every ``poll_s``, and after ``lock_timeout_s`` do the work themselves; so long the lock holds.
    """

    kind: Literal["lock"]
    poll_s: Seconds
    lock_timeout_s: Seconds


class EarlyRefresh(Spec):
    """A look-up may recompute an entry before it expires, the likelier the nearer (XFetch).

    Source: Vattani, Chierichetti, Lowenstein (2015), "Optimal probabilistic cache stampede prevention", VLDB 8.
    """

    kind: Literal["early_refresh"]
    beta: Annotated[float, Field(gt=0, le=100)] = 1.0


Protection = Annotated[NoProtection | SingleFlight | Lock | EarlyRefresh, Discriminator("kind")]


class Cache(Spec):
    """A Valkey server of its own.

    It is limited to ``capacity_entries`` by ``maxmemory``, which is found by trial before the first repeat;
    ``eviction`` is its ``maxmemory-policy`` and ``samples`` its ``maxmemory-samples``. An entry lives for ``ttl_s``, up
    to the share ``ttl_jitter`` shorter or longer. The first ``warm_entries`` keys are there when a repeat begins. A
    look-up that fails counts as a miss, and a write that fails spoils nothing.
    """

    kind: Literal["cache"]
    capacity_entries: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    eviction: Literal["allkeys-lru", "allkeys-lfu", "allkeys-random", "noeviction"] = "allkeys-lru"
    samples: Annotated[int, Field(ge=1, le=64)] = 5
    ttl_s: Seconds | None = None
    ttl_jitter: Annotated[float, Field(ge=0, le=1)] = 0.0
    value_bytes: Annotated[int, Field(ge=1, le=1_048_576)] = 256
    warm_entries: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    stampede_protection: Protection = NoProtection()
