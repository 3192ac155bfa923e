"""The arithmetic at 1x against numbers worked out by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab.errors import NotEnoughData
from lab.scenario.arithmetic import arithmetic
from lab.scenario.reader import parse_scenario
from lab.scenario.scenario import Scenario
from tests.unit.malformed import BASE


def _scenario(components: dict[str, Any], *, rate: Any = "10/s", entry: str = "api", **others: Any) -> Scenario:
    workload = {"kind": "open", "arrival_rate": rate, "endpoints": {"get": "100%"}}
    workload |= others.pop("workload", {})
    return Scenario.model_validate(
        {
            "name": "by_hand",
            "workload": workload,
            "entry": entry,
            "components": components,
            "run": {"duration": "100s"},
            **others,
        }
    )


def _service(*steps: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {"kind": "service", "endpoints": {"get": list(steps)}, **others}


def _wait(time: str) -> dict[str, Any]:
    return {"kind": "wait", "time": time}


_SPIKE = {"kind": "spike", "base": "10/s", "peak": "50/s", "at": "40s", "rise": "10s", "hold": "10s", "fall": "10s"}
_MANY_KEYS = {"keys": {"kind": "uniform", "count": 100}}
_LOOK_UP = {"kind": "cached", "cache": "items", "miss": [{"kind": "query", "database": "main", "query": "q"}]}
_DATABASE = {"kind": "database", "pool": {"size": 2}, "round_trip": "1ms", "queries": {"q": "19ms"}}


def test_one_service() -> None:
    """10/s x 150 ms = 1.5 busy of 2 x 2 slots: 37.5 %; CPU 10/s x 50 ms = 0.5 busy of 2 event loops: 25 %."""
    api = _service({"kind": "cpu", "time": "40ms"}, _wait("100ms"), replicas=2, concurrency=2, overhead="10ms")
    edge = {"kind": "load_balancer", "targets": "api", "forward_time": "50ms", "max_connections_per_server": 5}
    sums = arithmetic(_scenario({"edge": edge, "api": api}, entry="edge"))
    slots, loop, places = sums.row("api", "slots"), sums.row("api", "event_loop"), sums.row("edge", "slots")
    assert (slots.offered_load, slots.servers, slots.utilisation) == pytest.approx((1.5, 4, 0.375))
    assert (loop.offered_load, loop.servers, loop.utilisation) == pytest.approx((0.5, 2, 0.25))
    assert (places.holding_time_s, places.servers, places.utilisation) == pytest.approx((0.2, 10, 0.2))
    assert (slots.capacity_per_s, loop.capacity_per_s, places.capacity_per_s) == pytest.approx((4 / 0.15, 40.0, 50.0))
    assert sums.saturates_first == slots
    assert sums.findings == ()


def test_the_cores_of_a_database_are_shared_by_all_pools() -> None:
    """10/s x 19 ms = 0.19 busy of 1 core, however many replicas call; connections are held for the round trip too."""
    edge = {"kind": "load_balancer", "targets": "api"}
    api = _service({"kind": "query", "database": "main", "query": "q"}, replicas=2)
    sums = arithmetic(_scenario({"edge": edge, "api": api, "main": _DATABASE | {"cores": 1}}, entry="edge"))
    cores, connections = sums.row("main", "cores"), sums.row("main", "connections")
    assert (cores.offered_load, cores.servers, cores.capacity_per_s) == pytest.approx((0.19, 1, 1 / 0.019))
    assert (connections.holding_time_s, connections.servers) == pytest.approx((0.02, 4))
    assert sums.saturates_first == cores


def test_a_transaction_holds_one_connection_for_all_its_steps() -> None:
    """3 x (1 + 19) ms of queries, 40 ms elsewhere and 1 ms to commit: 101 ms on one connection, 57 ms on a core."""
    query = {"kind": "query", "database": "main", "query": "q", "repeat": 3}
    steps = {"kind": "transaction", "database": "main", "steps": [query, _wait("40ms")]}
    sums = arithmetic(_scenario({"api": _service(steps), "main": _DATABASE | {"cores": 2}}))
    connections, cores = sums.row("main", "connections"), sums.row("main", "cores")
    assert (connections.arrival_rate_per_s, connections.holding_time_s) == pytest.approx((10.0, 0.101))
    assert (cores.arrival_rate_per_s, cores.offered_load) == pytest.approx((30.0, 0.57))
    repeated = arithmetic(_scenario({"api": _service(query), "main": _DATABASE})).row("main", "connections")
    assert (repeated.arrival_rate_per_s, repeated.holding_time_s) == pytest.approx((30.0, 0.02))


def test_the_lock_of_the_hottest_row_is_held_to_the_end_of_the_transaction() -> None:
    """19 ms of it, the way back and half of that of the commit, 40 ms between: 60 ms x 10/s x the share of the key."""
    queries = {"q": "19ms", "change": {"statement": "update", "time": "19ms"}}
    read, change = ({"kind": "query", "database": "main", "query": query} for query in queries)
    steps = {"kind": "transaction", "database": "main", "steps": [read, change, _wait("40ms")]}
    main = _DATABASE | {"queries": queries}
    row = arithmetic(_scenario({"api": _service(steps), "main": main})).row("main", "hottest_row")
    alone = arithmetic(_scenario({"api": _service(change), "main": main})).row("main", "hottest_row")
    assert (row.holding_time_s, alone.holding_time_s) == pytest.approx((0.06, 0.019))
    assert (row.servers, row.utilisation) == (1, pytest.approx(row.arrival_rate_per_s * 0.06))


@pytest.mark.parametrize(
    ("policy", "primary", "replicas"), [("primary", 10.0, 0.0), ("any", 4.0, 6.0), ("replicas", 1.0, 9.0)]
)
def test_reads_are_shared_with_the_replicas(policy: str, primary: float, replicas: float) -> None:
    """9 reads and 1 write a second: with two replicas, `any` sends a third of the reads to the primary."""
    read, write = ({"kind": "query", "database": "main", "query": query} for query in ("q", "put"))
    queries = {"q": "19ms", "put": {"statement": "insert", "time": "19ms"}}
    main = _DATABASE | {"queries": queries, "cores": 3, "replicas": 2, "read_policy": policy}
    sums = arithmetic(_scenario({"api": _service(read | {"repeat": 9}, write), "main": main}, rate="1/s"))
    assert sums.row("main", "cores").arrival_rate_per_s == pytest.approx(primary)
    assert sums.row("main", "connections").arrival_rate_per_s == pytest.approx(primary)
    if replicas:
        cores, connections = sums.row("main", "replica_cores"), sums.row("main", "replica_connections")
        assert (cores.arrival_rate_per_s, cores.servers) == (pytest.approx(replicas), 6)
        assert (connections.arrival_rate_per_s, connections.servers) == (pytest.approx(replicas), 4)


def test_a_plan_counts_the_rows_of_the_start() -> None:
    """100,000 rows at 55 ns are 5.5 ms, beside 2 ms of its own and 1 ms of network."""
    queries = {"q": {"time": "2ms", "plan": {"kind": "scan", "time_per_row": "55ns"}}}
    main = _DATABASE | {"queries": queries, "rows": 100_000, "row_growth": "1000/s"}
    sums = arithmetic(_scenario({"api": _service({"kind": "query", "database": "main", "query": "q"}), "main": main}))
    assert sums.row("main", "connections").holding_time_s == pytest.approx(0.0085)


def test_levels_of_a_spike() -> None:
    """Base 10/s, peak 50/s; mean (40 x 10 + 10 x 30 + 10 x 50 + 10 x 30 + 30 x 10) / 100 = 18/s."""
    sums = arithmetic(_scenario({"api": _service(_wait("10ms"), concurrency=1)}, rate=_SPIKE))
    assert sums.rates_per_s == pytest.approx({"base": 10.0, "mean": 18.0, "peak": 50.0})
    assert [sums.row("api", "slots", level=level).utilisation for level in ("base", "mean", "peak")] == pytest.approx(
        [0.1, 0.18, 0.5]
    )


def test_tiers_by_hand() -> None:
    """100 keys at 0.1/s; each of 2 replicas holds one for 20 s (of 0.05/s half miss), the shared cache for 10 s."""
    inner = {"kind": "cached", "cache": "shared", "miss": [{"kind": "query", "database": "main", "query": "q"}]}
    components = {
        "edge": {"kind": "load_balancer", "targets": "api"},
        "api": _service({"kind": "cached", "cache": "local", "miss": [inner]}, replicas=2),
        "local": {"kind": "cache", "scope": "replica", "ttl": "20s"},
        "shared": {"kind": "cache", "ttl": "10s", "access_time": "1ms"},
        "main": _DATABASE,
    }
    sums = arithmetic(_scenario(components, entry="edge", workload=_MANY_KEYS))
    # 5/s come to the shared tier, 0.05/s a key: 0.5 / (1 + 0.5) hit.
    assert sums.hit_ratios["peak"] == pytest.approx({"local": 0.5, "shared": 1 / 3})
    assert sums.row("main", "connections").arrival_rate_per_s == pytest.approx(10 / 3)
    assert sums.row("local", "accesses").holding_time_s == 0.0


def test_a_tier_sees_what_the_one_before_it_misses() -> None:
    """The most popular 9 of 100 keys stay in the first tier, so to the second all keys are equal, nearly."""
    inner = {"kind": "cached", "cache": "shared", "miss": [_wait("1ms")]}
    components = {
        "api": _service({"kind": "cached", "cache": "local", "miss": [inner]}),
        "local": {"kind": "cache", "capacity": 10, "eviction": "lfu"},
        "shared": {"kind": "cache", "capacity": 45, "eviction": "random"},
    }
    workload = {"keys": {"kind": "zipf", "exponent": 3, "count": 100}}
    ratios = arithmetic(_scenario(components, workload=workload)).hit_ratios["peak"]
    popularity = [rank**-3 for rank in range(1, 101)]
    assert ratios["local"] == pytest.approx(
        (sum(popularity[:9]) + sum(p * p for p in popularity[9:]) / sum(popularity[9:])) / sum(popularity)
    )
    assert 0.9 < ratios["shared"] < 1.0  # keys 10 to 55 carry most of what is left


def test_an_invalidation_costs_an_access() -> None:
    """Two accesses of 1 ms each: the delete, and a look-up that always hits."""
    components = {
        "api": _service(
            {"kind": "cached", "cache": "items", "miss": [_wait("9ms")]}, {"kind": "invalidate", "cache": "items"}
        ),
        "items": {"kind": "cache", "access_time": "1ms"},
    }
    sums = arithmetic(_scenario(components))
    assert sums.row("items", "accesses").arrival_rate_per_s == pytest.approx(20.0)
    assert sums.row("api", "slots").holding_time_s == pytest.approx(0.002)


def test_a_level_that_lasts_no_time_does_not_count() -> None:
    """A step at the very end of the run, and a spike that the run does not reach."""
    api = {"api": _service(_wait("10ms"))}
    steps = {"kind": "steps", "steps": [{"at": "0s", "rate": "5/s"}, {"at": "100s", "rate": "9/s"}]}
    assert arithmetic(_scenario(api, rate=steps)).rates_per_s["peak"] == 5.0
    assert arithmetic(_scenario(api, rate={**_SPIKE, "at": "200s"})).rates_per_s["peak"] == 10.0


def test_callees_are_part_of_the_holding_time() -> None:
    """The slot is held for the callee's forward time, overhead and steps; of two branches the longer counts."""
    call = {"kind": "call", "target": "edge", "endpoint": "get"}
    components = {
        "api": _service({"kind": "parallel", "branches": [[call, call], [_wait("30ms")]]}, concurrency=10),
        "edge": {"kind": "load_balancer", "targets": "profiles", "forward_time": "1ms"},
        "profiles": _service(_wait("20ms"), overhead="4ms", concurrency=3),
    }
    sums = arithmetic(_scenario(components))
    assert sums.row("api", "slots").holding_time_s == pytest.approx(2 * 0.025)
    assert sums.row("profiles", "slots").arrival_rate_per_s == pytest.approx(20.0)
    assert sums.row("profiles", "slots").utilisation == pytest.approx(20 * 0.024 / 3)
    assert sums.row("edge", "slots").utilisation is None


def test_a_time_to_live_by_hand() -> None:
    """100 keys at 0.1/s each, ttl 10 s: a key hits 1 / (1 + 1) = 50 %; 5 misses/s x 20 ms = 0.1 busy of 2."""
    components = {
        "api": _service(_LOOK_UP),
        "items": {"kind": "cache", "ttl": "10s", "access_time": "1ms"},
        "main": _DATABASE,
    }
    sums = arithmetic(_scenario(components, workload=_MANY_KEYS))
    assert sums.hit_ratios["peak"] == pytest.approx({"items": 0.5})
    warm, cold = sums.row("main", "connections"), sums.row("main", "connections", cache="cold")
    assert (warm.arrival_rate_per_s, warm.utilisation) == pytest.approx((5.0, 0.05))
    assert (cold.arrival_rate_per_s, cold.utilisation) == pytest.approx((10.0, 0.1))
    assert sums.row("items", "accesses").arrival_rate_per_s == pytest.approx(15.0)
    assert sums.row("api", "slots").holding_time_s == pytest.approx(0.001 + 0.5 * (0.020 + 0.001))
    assert sums.row("api", "slots", cache="cold").holding_time_s == pytest.approx(0.022)


@pytest.mark.parametrize(
    ("cache", "ratio"),
    [
        ({"capacity": 50}, 0.5),  # Che with equally popular keys: capacity / keys
        ({"capacity": 50, "ttl": "10s"}, 0.5),
        ({"capacity": 80, "ttl": "10s"}, 0.5),
        ({"capacity": 100}, 1.0),
        ({"capacity": 50, "eviction": "fifo"}, 0.5),
        ({"capacity": 50, "eviction": "sampled_lru"}, 0.5),
        ({"capacity": 50, "eviction": "noeviction"}, 0.5),
        ({"capacity": 51, "eviction": "lfu"}, 0.5 + 0.5 / 50),  # 50 stay, one place holds one of the other 50
        ({"capacity_bytes": "12800B"}, 0.5),  # of 256 B each
        ({"capacity_bytes": "12800B", "entry_sizes": {"kind": "uniform", "low": "100B", "high": "412B"}}, 0.5),
        ({"ttl": "10s", "ttl_jitter": "50%"}, 0.5),
        ({}, 1.0),
    ],
    ids=str,
)
def test_hit_ratios_of_full_caches(cache: dict[str, Any], ratio: float) -> None:
    """Where both a capacity and a time to live apply, the lower of both."""
    components = {"api": _service(_LOOK_UP), "items": {"kind": "cache", **cache}, "main": _DATABASE}
    sums = arithmetic(_scenario(components, workload=_MANY_KEYS))
    assert sums.hit_ratios["peak"]["items"] == pytest.approx(ratio)


def test_a_cache_behind_a_cache_sees_the_misses() -> None:
    """The first misses 5/s of 10/s; the second is looked into 5/s, 0.05/s a key: 0.5 / 1.5 = 1/3 hit."""
    inner = {**_LOOK_UP, "cache": "second"}
    cache = {"kind": "cache", "ttl": "10s"}
    components = {"api": _service({**_LOOK_UP, "miss": [inner]}), "items": cache, "second": cache, "main": _DATABASE}
    sums = arithmetic(_scenario(components, workload=_MANY_KEYS))
    assert sums.hit_ratios["peak"] == pytest.approx({"items": 0.5, "second": 1 / 3})
    assert sums.row("main", "connections").arrival_rate_per_s == pytest.approx(10 / 3)


def test_each_caller_has_its_own_pool() -> None:
    """Three replicas of one service and one of another: 3 x 2 and 1 x 2 connections."""
    query = {"kind": "query", "database": "main", "query": "q"}
    components = {
        "edge": {"kind": "load_balancer", "targets": "api"},
        "api": _service(query, {"kind": "call", "target": "other", "endpoint": "get"}, replicas=3),
        "other": _service(query, query),
        "main": {**_DATABASE, "pool": {"size": 1, "overflow": 1}},
    }
    sums = arithmetic(_scenario(components, entry="edge"))
    of_api, of_other = (sums.row("main", "connections", caller=caller) for caller in ("api", "other"))
    assert (of_api.servers, of_api.arrival_rate_per_s) == (6, 10.0)
    assert (of_other.servers, of_other.arrival_rate_per_s) == (2, 20.0)
    assert sums.saturates_first == of_other


class TestFindings:
    """What is said of too much work, and that nothing is said of enough room."""

    def test_nothing_bounds_the_queue(self) -> None:
        """20/s x 100 ms = 2 busy of 1, no limit anywhere: unstable, growing by 10/s."""
        (finding,) = arithmetic(_scenario({"api": _service(_wait("100ms"), concurrency=1)}, rate="20/s")).findings
        assert (finding.component, finding.severity) == ("api", "unstable")
        assert finding.sentence.startswith(
            "api: slots: on average over the run, 20/s requests bring 20/s x 100 ms = 2 busy of 1: utilisation 200.0%"
        )
        assert "grows by 10/s" in finding.sentence

    @pytest.mark.parametrize(
        ("backlog", "client", "severity"),
        [({"backlog": 5}, {}, "overload"), ({}, {"timeout": "1s"}, "unstable")],
        ids=["backlog", "client timeout"],
    )
    def test_something_bounds_the_queue(self, backlog: dict[str, Any], client: dict[str, Any], severity: str) -> None:
        """A backlog ends the queue; a client's timeout does not, for the work that it left behind is still done."""
        api = _service(_wait("100ms"), concurrency=1, **backlog)
        (finding,) = arithmetic(_scenario({"api": api}, rate="20/s", client=client)).findings
        assert finding.severity == severity

    def test_exactly_full_is_too_much(self) -> None:
        """10/s x 100 ms of one slot: a queue with utilisation 1 has no steady state either."""
        (finding,) = arithmetic(_scenario({"api": _service(_wait("100ms"), concurrency=1)})).findings
        assert finding.severity == "unstable"
        assert arithmetic(_scenario({"api": _service(_wait("99ms"), concurrency=1)})).findings == ()

    def test_a_peak_is_an_overload_only(self) -> None:
        """Mean 18/s x 50 ms = 0.9, peak 50/s x 50 ms = 2.5: the queue drains again."""
        api = _service(_wait("50ms"), concurrency=1)
        (finding,) = arithmetic(_scenario({"api": api}, rate=_SPIKE)).findings
        assert finding.severity == "overload"
        assert "50/s x 50 ms = 2.5 busy of 1" in finding.sentence

    def test_a_balancer_that_holds_back_bounds_the_service(self) -> None:
        """It queues before the service, and its queue has a timeout."""
        edge = {"kind": "load_balancer", "targets": "api", "max_connections_per_server": 4}
        api = _service({"kind": "cpu", "time": "200ms"})
        findings = arithmetic(_scenario({"edge": edge, "api": api}, entry="edge")).findings
        assert [(finding.component, finding.severity) for finding in findings] == [("api", "overload")]
        open_edge = {"kind": "load_balancer", "targets": "api"}
        findings = arithmetic(_scenario({"edge": open_edge, "api": api}, entry="edge")).findings
        assert [(finding.component, finding.severity) for finding in findings] == [("api", "unstable")]

    def test_a_bounded_caller_bounds_its_callee(self) -> None:
        """No more requests reach the callee than the caller has slots and places to wait."""
        call = {"kind": "call", "target": "other", "endpoint": "get"}
        other = _service({"kind": "cpu", "time": "200ms"})
        for backlog, severity in (({"backlog": 5}, "overload"), ({}, "unstable")):
            components = {"api": _service(call, concurrency=100, **backlog), "other": other}
            findings = arithmetic(_scenario(components)).findings
            assert [(f.component, f.severity) for f in findings] == [("other", severity)]

    def test_a_cold_cache(self) -> None:
        """Warm 5/s, cold 10/s on a pool that serves 8/s."""
        main = {**_DATABASE, "pool": {"size": 1}, "queries": {"q": "124ms"}}
        components = {"api": _service(_LOOK_UP), "items": {"kind": "cache", "capacity": 50}, "main": main}
        (finding,) = arithmetic(_scenario(components, workload=_MANY_KEYS)).findings
        assert (finding.component, finding.severity) == ("main", "cold_overload")
        assert "warm caches bring it down to 62.5%" in finding.sentence


def test_a_component_that_nobody_reaches_is_named() -> None:
    """It has no rows, and asking for one is an error rather than 0.0."""
    sums = arithmetic(_scenario({"api": _service(_wait("1ms")), "spare": {"kind": "cache"}}))
    assert sums.unused == ("spare",)
    with pytest.raises(NotEnoughData, match="spare: accesses: no request"):
        sums.row("spare", "accesses")


def test_no_arrivals_are_no_utilisation_but_still_a_capacity() -> None:
    """A rate of 0/s divides nothing by zero."""
    components = {"api": _service(_LOOK_UP, concurrency=1), "items": {"kind": "cache", "ttl": "1s"}, "main": _DATABASE}
    sums = arithmetic(_scenario(components, rate="0/s"))
    assert sums.hit_ratios["peak"] == {"items": 0.0}
    assert sums.row("main", "connections").utilisation == 0.0
    assert sums.row("main", "connections").capacity_per_s == pytest.approx(100.0)


def test_tables_for_notebooks() -> None:
    """A tidy frame, and HTML that names every part and finding and escapes what it must."""
    sums = arithmetic(parse_scenario(BASE).with_({"components.main.pool.size": 1, "workload.arrival_rate": "150/s"}))
    frame = sums.to_frame()
    assert len(frame) == len(sums.rows)
    assert frame.loc[frame["component"] == "items", "utilisation"].isna().all()
    assert set(frame["level"]) == {"base", "mean", "peak"}
    plain = json.loads(json.dumps(sums.to_dict(), allow_nan=False))
    assert len(plain["rows"]) == len(sums.rows)
    assert plain["saturates_first"]["component"] == "edge"
    html = sums._repr_html_()
    assert all(name in html for name in ("edge: slots", "api: event loop", "main: connections of api", "<table>"))
    assert html.count("<li>") == len(sums.findings)


def test_importing_it_does_not_import_scipy() -> None:
    """`import lab` must stay quick."""
    import subprocess
    import sys

    code = "import sys, lab.scenario.arithmetic; print([m for m in ('scipy', 'pandas', 'simpy') if m in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
