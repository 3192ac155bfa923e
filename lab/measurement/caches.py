"""A cache of a scenario as the reference backend reads it: a Valkey server."""

from __future__ import annotations

from typing import Any, assert_never

from lab.errors import Unsupported
from lab.scenario import stampede
from lab.scenario.cache import Cache, Eviction

_POLICIES: dict[Eviction, str] = {
    "sampled_lru": "allkeys-lru",
    "sampled_lfu": "allkeys-lfu",
    "random": "allkeys-random",
    "noeviction": "noeviction",
}
_FINEST_S = 1e-3  # Valkey counts lives in whole milliseconds


def cache_document(spec: Cache, where: str) -> dict[str, Any]:
    """Return the part of the deployment document for a cache (JSON values, times in seconds).

    Raises:
        Unsupported: Valkey cannot do what the scenario says.
    """
    policy = _POLICIES.get(spec.eviction)
    if spec.capacity is None:
        policy = "allkeys-lru"  # never used: all entries fit
    if policy is None:
        raise Unsupported(
            f"{where}.eviction: is {spec.eviction}, which Valkey does not have: it looks at a few entries only; give "
            "sampled_lru or sampled_lfu, which the lab can predict too"
        )
    if spec.ttl is not None and spec.ttl < _FINEST_S:
        raise Unsupported(f"{where}.ttl: Valkey counts in whole milliseconds; give 1ms or more")
    if spec.warm is not None and spec.ttl is not None:
        raise Unsupported(
            f"{where}.warm: its entries would grow old before the measurement begins, as they have a ttl; leave one out"
        )
    return {
        "kind": "cache",
        "capacity_entries": spec.capacity,
        "eviction": policy,
        "samples": spec.samples,
        "ttl_s": spec.ttl,
        "ttl_jitter": spec.ttl_jitter,
        "value_bytes": int(spec.entry_size),
        "warm_entries": _warm_entries(spec),
        "stampede_protection": _protection(spec.stampede_protection),
    }


def _warm_entries(spec: Cache) -> int | None:
    if spec.warm is None:
        return None
    return spec.warm.entries if spec.capacity is None else min(spec.warm.entries, spec.capacity)


def _protection(protection: stampede.StampedeProtection) -> dict[str, Any]:
    match protection:
        case stampede.NoProtection() | stampede.SingleFlight():
            return {"kind": protection.kind}
        case stampede.Lock():
            return {"kind": "lock", "poll_s": protection.poll, "lock_timeout_s": protection.lock_timeout}
        case stampede.EarlyRefresh():
            return {"kind": "early_refresh", "beta": protection.beta}
        case stampede.StaleWhileRevalidate():
            raise AssertionError("refuse_unmeasurable has refused it")
        case _:
            assert_never(protection)
