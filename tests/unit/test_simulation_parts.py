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
    assert loop[loop["operation"] == "turn"]["waiting_time_s"].tolist() == pytest.approx([0.02, 0.04])
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
    _, visits = observe(_cached(capacity=2, eviction="lru"), [0, 1, 2, 3, 4, 5], keys=[0, 1, 0, 2, 0, 1])
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


def test_two_steps_of_one_kind_keep_their_own_times() -> None:
    """They share a stream, not a distribution: 10 ms and 100 ms of waiting, 1 ms and 20 ms of CPU."""
    cpu = [{"kind": "cpu", "time": time} for time in ("1ms", "20ms")]
    requests, visits = observe(scenario({"api": service(waiting("10ms"), *cpu, waiting("100ms"))}), [0.0])
    assert requests["sojourn_time_s"].tolist() == pytest.approx([0.131])
    loop = visits[visits["component"] == "api.event_loop"]
    assert loop["service_time_s"].tolist() == pytest.approx([0.001, 0.02])


def test_two_steps_of_one_distribution_are_drawn_apart() -> None:
    """The same exponential twice in one endpoint: two draws, not one."""
    wait = {"kind": "cpu", "time": {"kind": "exponential", "mean": "10ms"}}
    _, visits = observe(scenario({"api": service(wait, wait)}), [0.0])
    first, second = visits[visits["component"] == "api.event_loop"]["service_time_s"]
    assert first != second


def test_two_look_ups_of_one_cache_are_drawn_apart() -> None:
    """Each access has a time of its own."""
    look_up = {"kind": "cached", "cache": "items", "miss": [waiting("1ms")]}
    access = {"kind": "exponential", "mean": "5ms"}
    parts = {"api": service(look_up, look_up), "items": {"kind": "cache", "access_time": access}}
    _, visits = observe(scenario(parts), [0.0])
    assert visits[visits["component"] == "items"]["service_time_s"].nunique() == 3


def test_a_service_reached_by_two_ways_is_one_service() -> None:
    """Two balancers and a direct call before one replica with one slot: three calls of 100 ms take 300 ms."""
    balancer = {"kind": "load_balancer", "targets": "inner"}
    calls = [[{"kind": "call", "target": target, "endpoint": "get"}] for target in ("a", "b", "inner")]
    described = scenario(
        {
            "api": service({"kind": "parallel", "branches": calls}),
            "a": balancer,
            "b": balancer,
            "inner": service(waiting("100ms"), concurrency=1),
        }
    )
    requests, _ = observe(described, [0.0])
    assert requests["sojourn_time_s"].tolist() == pytest.approx([0.3])


def test_a_computing_loop_admits_and_refuses_nobody() -> None:
    """Arrivals during 100 ms of CPU are read one after the other, when the slot is free again: nobody is refused."""
    described = scenario({"api": service({"kind": "cpu", "time": "100ms"}, concurrency=1, backlog=0)})
    requests, _ = observe(described, [0.0, 0.02, 0.04, 0.06])
    assert requests["outcome"].tolist() == ["ok"] * 4
    assert requests["end_s"].tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4])
