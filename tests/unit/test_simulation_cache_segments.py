"""Two segments, and lives that begin anew: each rule on a schedule worked out by hand."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from lab.errors import ScenarioError
from lab.scenario.arithmetic import arithmetic
from lab.validation.cache_laws import cache_laws
from tests.unit.backends import observe, scenario, service, waiting


def _cached(**cache: Any) -> Any:
    look_up = {"kind": "cached", "cache": "items", "miss": [waiting("0s")]}
    keys = {"kind": "uniform", "count": 100}
    workload = {"kind": "open", "arrival_rate": "1/s", "endpoints": {"get": "100%"}, "keys": keys}
    items = {"kind": "cache", "access_time": "0s"} | cache
    return scenario({"api": service(look_up), "items": items}, workload=workload)


def _hits(described: Any, starts_s: list[float], keys: list[int]) -> list[bool]:
    _, visits = observe(described, starts_s, keys=keys)
    own = visits[(visits["component"] == "items") & visits["hit"].notna()]
    return own.sort_values("request")["hit"].astype(bool).tolist()


def _asked(keys: list[int], **cache: Any) -> list[bool]:
    return _hits(_cached(**cache), [float(number) for number in range(len(keys))], keys)


def test_a_scan_passes_the_protected_by() -> None:
    """0 and 1 are used twice; then six come once: with room for 4, half of it protected, 0 and 1 are still there."""
    keys = [0, 1, 0, 1, *range(10, 16), 0, 1]
    assert _asked(keys, capacity=4, eviction="slru", protected_share="50%")[-2:] == [True, True]
    assert _asked(keys, capacity=4)[-2:] == [False, False]


def test_who_falls_out_of_protection_is_first_on_probation() -> None:
    """Room for 3, one protected: 1 takes the place of 0, which then outlives 2, and is protected again when used."""
    keys = [0, 0, 1, 2, 1, 3, 0, 4, 5, 0, 1]
    #      stored 0, protected 0, then 1 and 2 on probation; 1 protected, 0 back; 3 evicts 2; 0 protected, 1 back;
    #      4 evicts 3, 5 evicts 1; 0 is there, 1 is not
    hits = [False, True, False, False, True, False, True, False, False, True, False]
    assert _asked(keys, capacity=3, eviction="slru", protected_share="34%") == hits


def test_what_is_larger_than_the_protected_room_stays_on_probation() -> None:
    """Entries of 400 B in 1000 B, of which 300 B are protected: plain LRU."""
    room = {"capacity_bytes": "1000B", "entry_size": "400B"}
    keys = [0, 1, 0, 2, 0, 1]
    assert _asked(keys, eviction="slru", protected_share="30%", **room) == _asked(keys, **room)


def test_a_flush_and_an_invalidation_forget_the_segment() -> None:
    """After it was taken out an entry is a newcomer again."""
    look_up = {"kind": "cached", "cache": "items", "miss": [waiting("0s")]}
    api = {"kind": "service", "endpoints": {"get": [look_up], "put": [{"kind": "invalidate", "cache": "items"}]}}
    items = {"kind": "cache", "capacity": 2, "eviction": "slru", "protected_share": "50%", "access_time": "0s"}
    workload = {"kind": "open", "arrival_rate": "1/s", "endpoints": {"get": "50%", "put": "50%"}}
    keys = {"keys": {"kind": "uniform", "count": 9}}
    flush = [{"kind": "flush", "component": "items", "at": "8500ms"}]
    described = scenario({"api": api, "items": items}, workload=workload | keys, faults=flush)
    asked = [("get", 0), ("get", 0), ("put", 0), ("get", 0), ("get", 1), ("get", 2), ("get", 0), ("get", 0), ("get", 0)]
    after = [("get", 0), ("get", 0)]
    endpoints, wanted = zip(*asked, *after, strict=True)
    _, visits = observe(described, [float(n) for n in range(11)], endpoints=list(endpoints), keys=list(wanted))
    own = visits[(visits["component"] == "items") & visits["hit"].notna()].sort_values("request")
    assert own["hit"].astype(bool).tolist() == [False, True, False, False, False, False, True, True, False, True]


def test_a_life_from_the_last_use_begins_anew_with_each() -> None:
    """2 s: used every 1.9 s it stays; after 2 s without a use it is gone. From the write it would be gone at 2 s."""
    starts_s = [0.0, 1.9, 3.8, 5.7, 7.7]
    assert _hits(_cached(ttl="2s", ttl_from="access"), starts_s, [0] * 5) == [False, True, True, True, False]
    assert _hits(_cached(ttl="2s", ttl_from="write"), starts_s, [0] * 5) == [False, True, False, True, False]


def test_the_arithmetic_of_a_sliding_life() -> None:
    """100 keys at 100/s with a life of 1 s: a hit is whoever comes within a second of the one before, 1 - 1/e."""
    sums = arithmetic(_cached(ttl="1s", ttl_from="access").with_({"workload.arrival_rate": "100/s"}))
    assert sums.hit_ratios["peak"]["items"] == pytest.approx(0.632, abs=1e-3)


def test_the_law_counts_a_sliding_life_from_the_last_use() -> None:
    """Used every 1.9 s it keeps a promise of 2 s, and would break one of 1 s."""
    described = _cached(ttl="2s", ttl_from="access")
    frames = observe(described, [0.0, 1.9, 3.8, 5.7])
    requests, visits = (frame.assign(replication=0) for frame in frames)
    visits = visits.astype({"hit": pd.BooleanDtype()}) if visits["hit"].dtype == object else visits
    assert list(cache_laws(described, requests, visits)) == []
    (said,) = cache_laws(described.with_({"components.items.ttl": "1s"}), requests, visits)
    assert "more than 1.000000 s" in said


@pytest.mark.parametrize(
    ("cache", "says"),
    [
        ({"capacity": 9, "protected_share": "50%"}, "protected_share: has no effect with eviction: lru"),
        ({"ttl_from": "access"}, "ttl_from: has no effect without a ttl"),
        (
            {"ttl": "1s", "ttl_from": "access", "stampede_protection": "early_refresh"},
            "ttl_from: is at odds with early_refresh, as what is used would not expire",
        ),
    ],
)
def test_what_does_not_fit_is_refused(cache: dict[str, Any], says: str) -> None:
    """Each with the path, what is wrong and why."""
    with pytest.raises(ScenarioError) as caught:
        _cached(**cache)
    assert says in str(caught.value)
