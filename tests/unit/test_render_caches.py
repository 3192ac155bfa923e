"""A cache of a scenario as the reference backend is handed it, and what of it Valkey cannot do."""

from __future__ import annotations

from typing import Any

import pytest

from lab.errors import Unsupported
from lab.measurement.render import deployment

from .backends import scenario, waiting

KEYS = {"kind": "zipf", "exponent": 0.9, "count": 100}


def items(**keys: Any) -> dict[str, Any]:
    """Return the part of the deployment for a cache of these keys."""
    steps = [{"kind": "cached", "cache": "items", "miss": [waiting("1ms")]}, {"kind": "invalidate", "cache": "items"}]
    components = {"api": {"kind": "service", "endpoints": {"get": steps}}, "items": {"kind": "cache", **keys}}
    asked = {"kind": "open", "arrival_rate": "1/s", "endpoints": {"get": "100%"}, "keys": KEYS}
    document = deployment(scenario(components, workload=asked))
    assert [step["kind"] for step in document["parts"]["api"]["endpoints"]["get"]["steps"]] == ["cached", "invalidate"]
    part: dict[str, Any] = document["parts"]["items"]
    return part


@pytest.mark.parametrize(
    ("eviction", "policy"),
    [
        ("sampled_lru", "allkeys-lru"),
        ("sampled_lfu", "allkeys-lfu"),
        ("random", "allkeys-random"),
        ("noeviction", "noeviction"),
    ],
)
def test_evictions_are_those_of_valkey(eviction: str, policy: str) -> None:
    """Each that it has is asked for by its name there."""
    part = items(capacity=10, eviction=eviction)
    assert (part["eviction"], part["capacity_entries"], part["samples"]) == (policy, 10, 5)


@pytest.mark.parametrize("eviction", ["lru", "lfu", "fifo", "slru"])
def test_an_eviction_that_valkey_lacks_is_refused(eviction: str) -> None:
    """It looks at a few entries, so an exact order is not to be had; what all fits into needs none."""
    with pytest.raises(Unsupported, match=f"components.items.eviction: is {eviction}, which Valkey does not have"):
        items(capacity=10, eviction=eviction)
    assert items()["capacity_entries"] is None


def test_protections_are_handed_on_with_their_times() -> None:
    """In seconds; one that the replicas lack is refused."""
    lock = {"kind": "lock", "poll": "20ms", "lock_timeout": "2s"}
    assert items(stampede_protection=lock)["stampede_protection"] == {
        "kind": "lock",
        "poll_s": 0.02,
        "lock_timeout_s": 2.0,
    }
    early = items(ttl="1s", stampede_protection={"kind": "early_refresh", "beta": 2})
    assert early["stampede_protection"] == {"kind": "early_refresh", "beta": 2.0}
    assert items(stampede_protection="single_flight")["stampede_protection"] == {"kind": "single_flight"}
    with pytest.raises(Unsupported, match="stampede_protection: is of kind 'stale_while_revalidate'"):
        items(ttl="1s", stampede_protection="stale_while_revalidate")


def test_a_warm_cache_holds_what_fits_and_does_not_age() -> None:
    """Its first keys are stored before the measurement, so lives would be shortened by what that takes."""
    assert items(capacity=10, eviction="sampled_lru", warm={"entries": 50})["warm_entries"] == 10
    with pytest.raises(Unsupported, match=r"components.items.warm: .* grow old"):
        items(warm={"entries": 50}, ttl="5s")
