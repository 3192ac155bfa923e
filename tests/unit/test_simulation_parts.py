"""Service, event loop, cache and database: each rule on a schedule worked out by hand."""

from __future__ import annotations

import pytest

from tests.unit.backends import observe, scenario, service, waiting

_QUERY = {"kind": "query", "database": "main", "query": "get"}


def _database(**pool: object) -> dict[str, object]:
    return {"kind": "database", "pool": pool, "round_trip": "0s", "queries": {"get": "100ms"}}


def test_backlog_beyond_the_slots_is_rejected() -> None:
    """One slot, one place to wait: of three at once the third is turned away without waiting."""
    requests, _ = observe(scenario({"api": service(waiting("100ms"), concurrency=1, backlog=1)}), [0.0, 0.0, 0.0])
    assert requests["outcome"].tolist() == ["ok", "ok", "rejected"]
    assert requests["sojourn_time_s"].tolist() == pytest.approx([0.1, 0.2, 0.0])


def test_a_slot_that_is_freed_goes_to_whoever_waited() -> None:
    """Somebody who arrives just when a slot is freed does not overtake the one who waited for it."""
    requests, _ = observe(scenario({"api": service(waiting("100ms"), concurrency=1)}), [0.0, 0.05, 0.1])
    assert requests["end_s"].tolist() == pytest.approx([0.1, 0.2, 0.3])


def test_cpu_blocks_the_event_loop_and_waiting_does_not() -> None:
    """Three requests of 20 ms CPU are served one after the other; three waits of 20 ms at once."""
    blocking, visits = observe(scenario({"api": service({"kind": "cpu", "time": "20ms"})}), [0.0] * 3)
    assert blocking["end_s"].tolist() == pytest.approx([0.02, 0.04, 0.06])
    loop = visits[visits["component"] == "api.event_loop"]
    assert loop["waiting_time_s"].tolist() == pytest.approx([0.0, 0.02, 0.04])
    free, _ = observe(scenario({"api": service(waiting("20ms"))}), [0.0] * 3)
    assert free["end_s"].tolist() == pytest.approx([0.02] * 3)


def test_overhead_is_cpu_on_the_event_loop_of_every_request() -> None:
    """The framework's own CPU time comes before the steps, and queues like any other."""
    requests, _ = observe(scenario({"api": service(waiting("10ms"), overhead="5ms")}), [0.0, 0.0])
    assert requests["end_s"].tolist() == pytest.approx([0.015, 0.02])


def test_pool_waits_first_come_first_served_and_gives_up_with_an_error() -> None:
    """One connection, 100 ms each, patience 150 ms: the third would wait 200 ms and fails after 150."""
    described = scenario({"api": service(_QUERY), "main": _database(size=1, timeout="150ms")})
    requests, visits = observe(described, [0.0, 0.0, 0.0])
    assert requests["outcome"].tolist() == ["ok", "ok", "error"]
    assert requests["end_s"].tolist() == pytest.approx([0.1, 0.2, 0.15])
    pool = visits[visits["component"] == "main"]
    assert pool["waiting_time_s"].tolist() == pytest.approx([0.0, 0.1, 0.15])
    assert pool["admitted_s"].isna().tolist() == [False, False, True]
    assert pool["outcome"].tolist() == ["ok", "ok", "timeout"]


def test_overflow_adds_connections() -> None:
    """Size 1 and overflow 1 serve two at once."""
    described = scenario({"api": service(_QUERY), "main": _database(size=1, overflow=1)})
    requests, _ = observe(described, [0.0, 0.0, 0.0])
    assert requests["end_s"].tolist() == pytest.approx([0.1, 0.1, 0.2])


def test_each_replica_has_a_pool_of_its_own() -> None:
    """Two replicas with one connection each serve two queries at once, as SQLAlchemy's pools do."""
    described = scenario(
        {
            "edge": {"kind": "load_balancer", "targets": "api"},
            "api": service(_QUERY, replicas=2),
            "main": _database(size=1),
        },
        entry="edge",
    )
    requests, visits = observe(described, [0.0, 0.0])
    assert requests["end_s"].tolist() == pytest.approx([0.1, 0.1])
    assert sorted(visits[visits["component"] == "main"]["replica"]) == [0, 1]


def _cached(**cache: object) -> object:
    steps = {"kind": "cached", "cache": "items", "miss": [waiting("100ms")]}
    return scenario({"api": service(steps), "items": {"kind": "cache", "access_time": "1ms", **cache}})


def test_a_miss_costs_its_steps_and_the_next_one_hits() -> None:
    """Get, miss, work, set: 102 ms; then a get alone: 1 ms."""
    requests, visits = observe(_cached(), [0.0, 1.0])
    assert requests["sojourn_time_s"].tolist() == pytest.approx([0.102, 0.001])
    looked_up = visits[visits["operation"] == "get"]
    looked_up = looked_up[looked_up["component"] == "items"]
    assert looked_up["hit"].tolist() == [False, True]


def test_an_entry_is_not_served_when_its_time_to_live_is_over() -> None:
    """Stored at 0.102 s to live 1 s: it is there at 1.1 s and gone at 1.2 s."""
    _, visits = observe(_cached(ttl="1s"), [0.0, 1.1, 1.2])
    assert visits[visits["hit"].notna()]["hit"].tolist() == [False, True, False]


def test_the_least_recently_used_entry_goes_first() -> None:
    """Room for two: reading key 0 keeps it, so storing key 2 evicts key 1."""
    _, visits = observe(_cached(capacity=2), [0, 1, 2, 3, 4, 5], keys=[0, 1, 0, 2, 0, 1])
    assert visits[visits["hit"].notna()]["hit"].tolist() == [False, False, True, False, True, False]


def test_without_protection_every_miss_does_the_work() -> None:
    """Three readers of a cold key all pay: a stampede."""
    requests, _ = observe(_cached(), [0.0, 0.01, 0.02])
    assert requests["sojourn_time_s"].tolist() == pytest.approx([0.102] * 3)


def test_a_failed_call_fails_the_caller_with_an_error() -> None:
    """The callee turns the request away (503); its caller answers 502, an error."""
    described = scenario(
        {
            "api": service({"kind": "call", "target": "inner", "endpoint": "get"}),
            "inner": service(waiting("100ms"), concurrency=1, backlog=0),
        }
    )
    requests, visits = observe(described, [0.0, 0.05])
    assert requests["outcome"].tolist() == ["ok", "error"]
    assert visits[visits["component"] == "inner"]["outcome"].tolist() == ["ok", "rejected"]
