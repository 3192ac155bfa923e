"""Random valid scenarios for hypothesis: one strategy a part of the language."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

import lab
from tests.laws.admission_strategies import gates, guards, limiters
from tests.laws.cdn_strategies import MEDIA, TIERS
from tests.laws.fault_strategies import faults
from tests.laws.scaling_strategies import FUNCTIONS, KNATIVE, NODES, SCALED, SCALED_CONSUMERS

TIMES = st.sampled_from(
    [
        "0s",
        "3ms",
        {"kind": "exponential", "mean": "5ms"},
        {"kind": "lognormal", "mean": "8ms", "scv": 2},
        {"kind": "hyperexponential", "mean": "4ms", "scv": 4},
        {"kind": "uniform", "low": "1ms", "high": "9ms"},
        {"kind": "empirical", "values": ["1ms", "2ms", "20ms"]},
    ]
)
QUERIES = st.builds(
    lambda query: {"kind": "query", "database": "main", "query": query}, st.sampled_from(["one", "two"])
)
WAITS = st.builds(lambda time: {"kind": "wait", "time": time}, TIMES)
TRANSACTIONS = st.builds(
    lambda query, repeat, after: {
        "kind": "transaction",
        "database": "main",
        "steps": [query | {"repeat": repeat}, *after],
    },
    QUERIES,
    st.integers(1, 3),
    st.lists(st.one_of(QUERIES, WAITS), max_size=2),
)
RETRIES = st.sampled_from(
    [
        {"retries": 1},
        {"retries": 3, "backoff": {"kind": "constant", "delay": "1ms"}},
        {"retries": 2, "backoff": {"kind": "decorrelated", "base": "2ms", "cap": "50ms"}, "idempotent": True},
    ]
)
LEAVES = st.one_of(
    st.builds(lambda time: {"kind": "cpu", "time": time}, TIMES),
    WAITS,
    QUERIES,
    st.builds(
        lambda target: {"kind": "call", "target": target, "endpoint": "get"}, st.sampled_from(["inner", "balanced"])
    ),
)


THREADS = st.builds(lambda steps: {"kind": "thread", "steps": steps}, st.lists(LEAVES, min_size=1, max_size=3))
MORE_LEAVES = st.one_of(
    LEAVES,
    st.just({"kind": "call", "target": "quota", "endpoint": "get"}),
    st.just({"kind": "publish", "queue": "jobs"}),
    st.just({"kind": "call", "target": "function", "endpoint": "get"}),
    st.just({"kind": "call", "target": "media", "endpoint": "get"}),
    st.just({"kind": "invalidate", "cache": "items"}),
    QUERIES.map(lambda query: query | {"repeat": 3}),
    TRANSACTIONS,
    THREADS,
    st.builds(
        lambda target, how: {"kind": "call", "target": target, "endpoint": "get", **how},
        st.sampled_from(["inner", "balanced"]),
        st.sampled_from(
            [
                {"timeout": "3ms"},
                {"timeout": "30ms"},
                {"timeout": "30ms", "hedge": {"after": "5ms", "attempts": 3, "throttle": {"tokens": 4}}},
                {"hedge": {"after": "2ms", "budget": "10%"}},
            ]
        ),
    ),
)


def _nested(steps: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(steps, min_size=1, max_size=2)
    return st.one_of(
        st.builds(lambda miss: {"kind": "cached", "cache": "items", "miss": miss}, lists),
        st.builds(lambda branches: {"kind": "parallel", "branches": branches}, st.lists(lists, min_size=2, max_size=3)),
    )


WAITED_FOR = st.sampled_from(
    [
        {"wait_for": "first"},
        {"wait_for": "quorum", "copies": 2, "on_failure": "partial"},
        {"wait_for": 2, "timeout": "9ms"},
        {"timeout": "5ms", "on_failure": "partial"},
        {"copies": 2},
    ]
)


def _nested_deeper(steps: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Also parallel steps that do not wait for all."""
    branches = st.lists(st.lists(steps, min_size=1, max_size=2), min_size=2, max_size=3)
    wide = st.builds(lambda each, how: {"kind": "parallel", "branches": each, **how}, branches, WAITED_FOR)
    return st.one_of(_nested(steps), wide)


MEASURABLE_STEPS = st.lists(st.recursive(LEAVES, _nested, max_leaves=5), min_size=1, max_size=4)
STEPS = st.lists(st.recursive(MORE_LEAVES, _nested_deeper, max_leaves=5), min_size=1, max_size=4)
LIMITS = st.one_of(
    st.just({}),
    st.builds(lambda slots, backlog: {"concurrency": slots, "backlog": backlog}, st.integers(1, 4), st.integers(0, 5)),
)


def _replicas(endpoints: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    """What a replica of a service with these endpoints may be beside its limits."""
    unlimited = st.builds(lambda workers: {"workers": workers}, st.integers(1, 3))
    limited = st.builds(
        lambda discipline, workers, slots, backlog, cpu_time: {
            "workers": workers,
            "concurrency": slots,
            "backlog": backlog,
            "rejection_overhead": cpu_time,
            "overhead": "3ms",
            "busy_overhead": cpu_time,
            **discipline,
        },
        st.sampled_from(
            [
                {"discipline": "fifo"},
                {"discipline": "lifo"},
                {"discipline": "adaptive_lifo", "lifo_threshold": 2},
                {"discipline": "adaptive_lifo", "lifo_threshold": 2, "backlog": None, "shedding": "server_codel"},
                {"backlog": None, "shedding": {"kind": "codel", "target": "2ms", "interval": "20ms"}},
                {"discipline": "priority", "priorities": dict(zip(endpoints, (2, 1), strict=False))},
            ]
        ),
        st.integers(1, 2),
        st.integers(1, 4),
        st.integers(0, 5),
        TIMES,
    )
    adaptive = st.builds(
        lambda rule, backlog: {"adaptive_concurrency": {"initial": 2, "max": 4} | rule, "backlog": backlog},
        st.sampled_from(
            [
                {"kind": "gradient2", "min": 1, "window": "100ms"},
                {"kind": "gradient2", "min": 2, "long_window": 20},
                {"kind": "vegas", "probe_multiplier": 3},
                {"kind": "aimd", "min": 1, "timeout": "10ms"},
            ]
        ),
        st.sampled_from([None, 0, 3]),
    )
    pauses = st.sampled_from(
        [
            {},
            {},
            {
                "pauses": {
                    "every": {"kind": "exponential", "mean": "500ms"},
                    "time": {"kind": "exponential", "mean": "60ms"},
                }
            },
        ]
    )
    return st.builds(dict.__or__, st.one_of(unlimited, limited, adaptive), pauses)


EDGE = st.builds(
    lambda algorithm, connections, server_timeout: {
        "kind": "load_balancer",
        "targets": "api",
        "algorithm": algorithm,
        "max_connections_per_server": connections,
        "queue_timeout": "50ms",
        "server_timeout": server_timeout,
    },
    st.sampled_from(["roundrobin", "leastconn", "random"]),
    st.one_of(st.none(), st.integers(1, 6)),
    st.sampled_from([None, "30ms"]),
)
_CHOICES = st.one_of(
    st.builds(lambda weights: {"algorithm": "roundrobin", "weights": weights}, st.sampled_from([None, [1], [3]])),
    st.builds(lambda limit: {"algorithm": "leastconn", "max_queue": limit}, st.sampled_from([None, 1, 4])),
    st.builds(lambda draws: {"algorithm": "random", "draws": draws}, st.integers(1, 3)),
    st.just({"algorithm": "first"}),
    st.just({"algorithm": "random", "hash_balance_factor": 120}),
    st.just({"algorithm": "uri", "hash_type": "consistent", "hash_balance_factor": 150}),
    st.builds(
        lambda hash_type, limit: {"algorithm": "uri", "hash_type": hash_type, "max_queue": limit},
        st.sampled_from(["map_based", "consistent"]),
        st.sampled_from([None, 2]),
    ),
)
_CHECKS = st.one_of(
    st.none(),
    st.builds(
        lambda fall, marked: {"interval": "200ms", "fall": fall, "fast_interval": "50ms", "on_marked_down": marked},
        st.integers(1, 3),
        st.sampled_from(["keep_sessions", "shutdown_sessions"]),
    ),
)


@st.composite
def edges(draw: st.DrawFn, *, patient: bool) -> dict[str, Any]:
    """Draw a load balancer before ``api`` with keys that the reference backend does not know.

    Args:
        patient: whether its clients never give up, or a cdn asks it on their behalf.
    """
    connections = draw(st.one_of(st.none(), st.integers(1, 6)))
    choice = draw(_CHOICES)
    if connections is None:
        choice.pop("max_queue", None)
    return choice | {
        "kind": "load_balancer",
        "targets": "api",
        "max_connections_per_server": connections,
        "queue_timeout": "50ms",
        "connect_timeout": draw(st.sampled_from([None, "20ms"])),
        "abort_on_close": not patient and connections is not None and draw(st.booleans()),
        "retries": draw(st.integers(0, 3)),
        "redispatch": draw(st.booleans()),
        "server_timeout": draw(st.sampled_from([None, "30ms"])),
        "health_check": draw(_CHECKS),
        "slow_start": None if connections is None else draw(st.sampled_from([None, "2s"])),
    }


@st.composite
def nginxes(draw: st.DrawFn, *, patient: bool, replicas: int) -> dict[str, Any]:
    """Draw an nginx before ``api``, which begins with so many replicas.

    Args:
        patient: whether its clients never give up.
        replicas: with one, what concerns another one is left at its default.
    """
    others = {
        "max_fails": draw(st.integers(0, 2)),
        "next_upstream": draw(
            st.sampled_from([["error"], ["error", "timeout"], ["timeout", "http_500", "http_503", "non_idempotent"]])
        ),
        "next_upstream_tries": draw(st.sampled_from([0, 2])),
        "weights": draw(st.sampled_from([None, [3, 1]])),
    }
    return {
        "kind": "nginx",
        "targets": "api",
        "algorithm": draw(st.sampled_from(["round_robin", "least_conn", "random", "random_two"])),
        "max_conns": draw(st.one_of(st.none(), st.integers(1, 6))),
        "read_timeout": draw(st.sampled_from(["60s", "30ms"])),
        "ignore_client_abort": not patient and draw(st.booleans()),
        **(others if replicas > 1 else {}),
    }


@st.composite
def envoys(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an Envoy before ``api``."""
    algorithm = draw(
        st.sampled_from(
            [
                {"algorithm": "round_robin"},
                {"algorithm": "least_request", "choice_count": 3},
                {"algorithm": "random"},
                {"algorithm": "ring_hash", "minimum_ring_size": 50},
                {"algorithm": "ring_hash", "hash_balance_factor": 120},
            ]
        )
    )
    detection = st.builds(
        lambda interval, failures, percent: {
            "interval": interval,
            "consecutive_5xx": failures,
            "base_ejection_time": "300ms",
            "max_ejection_percent": percent,
            "always_eject_one_host": True,
        },
        st.sampled_from(["100ms", "10s"]),
        st.integers(0, 3),
        st.sampled_from(["10%", "100%"]),
    )
    return algorithm | {
        "kind": "envoy",
        "targets": "api",
        "max_connections": draw(st.sampled_from([1, 3, 1024])),
        "max_pending_requests": draw(st.sampled_from([1, 5, 1024])),
        "max_requests": draw(st.sampled_from([2, 1024])),
        "outlier_detection": draw(st.one_of(st.none(), detection)),
        "healthy_panic_threshold": draw(st.sampled_from(["0%", "50%"])),
        "timeout": draw(st.sampled_from([None, "15s", "30ms"])),
    }


BUDGETS = st.one_of(
    st.none(),
    st.just("20%"),
    st.builds(lambda ratio, burst: {"ratio": ratio, "burst": burst}, st.sampled_from(["0%", "10%"]), st.integers(1, 5)),
)
BACKOFFS = st.sampled_from(
    [
        {"kind": "constant", "delay": "0s"},
        {"kind": "exponential", "base": "10ms", "cap": "50ms"},
        {"kind": "decorrelated", "base": "5ms", "cap": "60ms"},
    ]
)
BREAKERS = st.one_of(
    st.none(),
    st.builds(
        lambda window, half_open: {"window": window, "half_open": half_open, "open_for": "200ms"},
        st.integers(1, 9),
        st.integers(1, 3),
    ),
)


HEDGES = st.builds(
    lambda after, attempts, more: {"after": after, "attempts": attempts, **more},
    st.sampled_from(["0s", "3ms", "15ms"]),
    st.integers(2, 3),
    st.sampled_from([{}, {"budget": "10%"}, {"budget": {"ratio": "0%", "burst": 3}}, {"throttle": {"tokens": 3}}]),
)
THROTTLES = st.sampled_from([None, {"multiplier": 1.5, "window": "500ms"}, {}])


_LOSSES = st.sampled_from(["0%", "3%", "20%"])
NETWORKS = st.one_of(
    st.none(),
    st.builds(lambda kind, loss: {"kind": kind, "loss": loss}, st.sampled_from(["lte", "wifi"]), _LOSSES),
    st.builds(
        lambda trip, down, loss: {"kind": "custom", "round_trip": trip, "down": down, "up": "1Mbit/s", "loss": loss},
        TIMES,
        st.sampled_from([None, "2Mbit/s"]),
        _LOSSES,
    ),
)
CONNECTIONS = st.one_of(
    st.none(),
    st.builds(
        lambda kind, tls, keep_alive, limit: {"kind": kind, "keep_alive": keep_alive, "limit": limit} | tls,
        st.sampled_from(["http1", "http2"]),
        st.sampled_from([{"tls": "none"}, {"tls": "tls12"}, {"handshake": {"time": "8ms", "cores": 2}}]),
        st.sampled_from(["0s", "100ms", "60s"]),
        st.sampled_from([None, None, 3, 50]),
    ),
)
PAYLOADS = st.sampled_from(
    [
        {},
        {"get": {"response": "100KiB"}},
        {"get": {"request": "5KiB"}, "put": {"request": "60KiB", "response": "1KiB"}},
        {"get": {"response": "40KiB", "compression": {"kind": "gzip"}}},
    ]
)


@st.composite
def clients(draw: st.DrawFn, *, measurable: bool = False) -> dict[str, Any]:
    """Draw a client: patience and retries; budget, breaker and deadline where they need not be measurable."""
    retry = {"attempts": draw(st.integers(1, 3)), "backoff": draw(BACKOFFS)}
    plain = {
        "timeout": draw(st.sampled_from([None, "20ms", "200ms"])),
        "retry": draw(st.sampled_from([None, retry])),
        "round_trip": draw(st.sampled_from(["0s", "2ms"])),
    }
    if measurable:
        return plain
    outcomes = [["timeout", "rejected", "error"], ["error"], ["rejected", "timeout"]]
    more = {"budget": draw(BUDGETS), "retry_on": draw(st.sampled_from(outcomes))}
    network = draw(NETWORKS)
    if draw(st.integers(0, 4)) == 0:
        return plain | {"retry": None, "hedge": draw(HEDGES), "deadline": draw(st.sampled_from([None, "250ms"]))}
    return plain | {
        "throttle": draw(THROTTLES),
        "network": network,
        "connections": draw(CONNECTIONS) if network else None,
        "round_trip": "0s" if network else plain["round_trip"],
        "deadline": draw(st.sampled_from([None, "250ms"])),
        "retry": draw(st.sampled_from([None, retry | more])),
        "circuit_breaker": draw(BREAKERS),
    }


RATES = st.sampled_from(
    ["60/s", {"kind": "ramp", "start": "0/s", "end": "150/s", "over": "2s"},
     {"kind": "spike", "base": "10/s", "peak": "200/s", "at": "500ms", "rise": "0s", "hold": "500ms", "fall": "1s"},
     {"kind": "diurnal", "mean": "40/s", "peak_to_mean": 2, "period": "2s", "peak_at": "1s"},
     {"kind": "sum", "of": ["20/s", {"kind": "herd", "clients": 60, "at": "1s"},
                            {"kind": "herd", "clients": 30, "at": "2s", "jitter": "500ms"}]},
     {"kind": "sum", "of": [{"kind": "hawkes", "base": "10/s", "brought": "70%", "delay": "200ms"},
                            {"kind": "modulated", "phases": [{"rate": "200/s", "mean": "200ms"},
                                                             {"rate": "0/s", "mean": "1s"}]}]}]
)  # fmt: skip
KEYS = st.sampled_from(
    [
        {"kind": "zipf", "exponent": 1.0, "count": 20},
        {"kind": "hot_key", "base": {"kind": "uniform", "count": 30}, "share": "50%", "at": "1s", "until": "2s"},
        {"kind": "cells", "cells": 5, "keys_per_cell": 2, "hot": [{"cell": 1, "share": "80%", "at": "1s"}]},
    ]
)


PRESENCES = st.one_of(
    st.none(),
    st.builds(
        lambda online, offline, reconnect: {"online": online, "offline": offline, "reconnect": reconnect},
        st.sampled_from(["200ms", {"kind": "exponential", "mean": "50ms"}]),
        st.sampled_from(["30ms", {"kind": "uniform", "low": "0s", "high": "400ms"}]),
        st.sampled_from([None, "put"]),
    ),
)


@st.composite
def workloads(draw: st.DrawFn, *, measurable: bool = False) -> dict[str, Any]:
    """Draw a workload: open where it must be measurable, else of any kind but replay, which needs a file."""
    mix = {"endpoints": {"get": "70%", "put": "30%"}, "keys": draw(KEYS)}
    match draw(st.sampled_from(["open"] if measurable else ["open", "open", "closed", "sessions"])):
        case "open":
            return {"kind": "open", "arrival_rate": draw(RATES), **mix}
        case "closed":
            think_time = draw(st.sampled_from(["5ms", {"kind": "exponential", "mean": "100ms"}]))
            users = {"population": draw(st.integers(1, 15)), "ramp_up": draw(st.sampled_from(["0s", "1s"]))}
            presence = {"presence": draw(PRESENCES)}
            return {"kind": "closed", "think_time": think_time, **users, **presence, **mix}
        case _:
            first, then = {"endpoint": "get"}, {"endpoint": "put", "think_time": draw(TIMES)}
            journeys = {
                "one": {"share": "30%", "requests": [first]},
                "two": {"share": "70%", "requests": [first, then]},
            }
            choices = {
                "on_failure": draw(st.sampled_from(["abandon", "go_on"])),
                "key_per": draw(st.sampled_from(["request", "session"])),
            }
            keys = {"keys": mix["keys"]}
            return {"kind": "sessions", "arrival_rate": draw(RATES), "journeys": journeys, **choices, **keys}


LIVES = st.sampled_from(
    [
        {},
        {"ttl": "300ms", "ttl_jitter": "40%"},
        {"ttl": "100ms", "ttl_from": "access"},
        {"ttl": "200ms", "stampede_protection": {"kind": "early_refresh", "beta": 2}},
        {"ttl": "200ms", "stampede_protection": {"kind": "stale_while_revalidate", "stale_for": "200ms"}},
        {"ttl": "200ms", "stampede_protection": "single_flight"},
    ]
)
ROOMS = st.one_of(
    st.just({}),
    st.builds(
        lambda room, eviction: room | {"eviction": eviction},
        st.sampled_from(
            [
                {"capacity": 3},
                {"capacity": 8, "warm": {"kind": "most_popular", "entries": 5}},
                {"capacity_bytes": "8KiB", "entry_sizes": {"kind": "lognormal", "mean": "2KiB", "scv": 1}},
            ]
        ),
        st.sampled_from(["lru", "lfu", "fifo", "random", "slru", "sampled_lru", "sampled_lfu", "noeviction"]),
    ),
)
SCOPES = st.sampled_from(
    [
        {},
        {"access_time": "1ms"},
        {"scope": "replica"},
        {"nodes": 3, "auto_eject": True},
        {"nodes": 2, "hash_type": "modulo"},
        {"stampede_protection": {"kind": "lock", "poll": "10ms", "lock_timeout": "60ms"}},
    ]
)
POOLS = st.builds(
    lambda size, overflow: {"size": size, "overflow": overflow, "timeout": "40ms"}, st.integers(1, 3), st.integers(0, 2)
)
SERVERS = st.builds(
    lambda cores, connect, most: {"cores": cores, "connect_time": connect, "max_connections": most},
    st.one_of(st.none(), st.integers(1, 3)),
    st.sampled_from(["0s", {"kind": "exponential", "mean": "5ms"}]),
    st.sampled_from([None, 4]),
)
PLAIN_DATABASE = {"kind": "database", "pool": {"size": 2, "overflow": 1, "timeout": "40ms"}}
GROWING = {"rows": 1000, "row_growth": "500/s"}
PLANS = st.sampled_from([{"kind": "scan", "time_per_row": "10us"}, {"kind": "index", "time_per_comparison": "200us"}])
REPLICATIONS = st.builds(
    lambda replicas, lag, policy, synchronous: {
        **{"replicas": replicas, "replication_lag": lag, "read_policy": policy},
        **{"synchronous_replicas": min(synchronous, replicas)},
    },
    st.integers(1, 2),
    st.sampled_from(["5ms", {"kind": "exponential", "mean": "100ms"}]),
    st.sampled_from(["primary", "replicas", "any", "read_your_writes"]),
    st.integers(0, 2),
)
SHARDS = st.sampled_from([{}, {}, {"shards": 2}, {"shards": 3}])
LOCKS = st.builds(
    lambda isolation, timeout, reading: {
        **{"isolation": isolation, "lock_timeout": timeout},
        **{"one": reading, "two": "update"},
    },
    st.sampled_from(["read_committed", "repeatable_read", "serializable"]),
    st.sampled_from([None, "30ms"]),
    st.sampled_from(["select", "select_for_update", "update"]),
)


def _database(*parts: dict[str, Any], time: Any, plan: Any, locks: dict[str, Any]) -> dict[str, Any]:
    """Return a database of two queries; they lock rows if ``locks`` says how."""
    ways = {key: value for key, value in locks.items() if key not in ("one", "two")}
    queries = {
        "one": {"time": time, "plan": plan, "statement": locks.get("one", "select")},
        "two": {"time": time, "statement": locks.get("two", "insert")},
    }
    merged = {key: value for part in parts for key, value in part.items()}
    return {"kind": "database", **merged, **ways, **(GROWING if plan else {}), "queries": queries}


DATABASES = st.builds(
    lambda pool, shards, server, replication, time, plan, locks: _database(
        {"pool": pool}, shards, server, replication, time=time, plan=plan, locks=locks
    ),
    POOLS,
    SHARDS,
    st.one_of(st.just({}), SERVERS),
    st.one_of(st.just({}), REPLICATIONS),
    TIMES,
    st.one_of(st.none(), PLANS),
    st.one_of(st.just({}), LOCKS),
)
SQLITE = st.builds(
    lambda pool, timeout, time, plan, statement: {
        **{"kind": "database", "engine": "sqlite", "pool": pool, "busy_timeout": timeout},
        **(GROWING if plan else {}),
        "queries": {"one": {"time": time, "plan": plan}, "two": {"statement": statement, "time": time}},
    },
    POOLS,
    st.sampled_from(["4ms", "60ms", "5s"]),
    TIMES,
    st.one_of(st.none(), PLANS),
    st.sampled_from(["insert", "update"]),
)
ANY_DATABASE = st.one_of(DATABASES, DATABASES, DATABASES, SQLITE)
MEASURABLE_CACHES = st.sampled_from(
    [
        {"kind": "cache"},
        {"kind": "cache", "capacity": 3, "eviction": "sampled_lru", "access_time": "1ms"},
        {"kind": "cache", "ttl": "300ms"},
    ]
)
CACHES = st.builds(lambda scope, room, life: {"kind": "cache"} | scope | room | life, SCOPES, ROOMS, LIVES)


def retried(steps: list[dict[str, Any]], database: dict[str, Any], ways: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the steps with each transaction that may conflict tried again, in these ways, or done once."""
    polls, once = database.get("engine") == "sqlite", {"idempotent": True} if ways.get("idempotent") else {}
    snapshots = polls or database.get("isolation", "read_committed") != "read_committed"
    again = []
    for step in steps:
        if step["kind"] == "transaction":
            queries = [each["query"] for each in step["steps"] if each["kind"] == "query"]
            statements = [database["queries"][query].get("statement", "select") for query in queries]
            conflicts = any(each != "select" for each in statements) and not (polls and statements[0] != "select")
            again.append(
                step
                | ({key: way for key, way in ways.items() if key != "idempotent"} if conflicts and snapshots else {})
                | (once if {"insert", "update"} & set(statements) and not polls else {})
            )
        else:
            again.append(step)
    return again


def in_tiers(steps: list[dict[str, Any]], depth: int = 0) -> list[dict[str, Any]]:
    """Return the steps with each look-up inside a miss asking another cache: items, items_1, items_2, ..."""
    tiers = []
    for step in steps:
        match step:
            case {"kind": "cached", "miss": miss}:
                cache = f"items_{depth}" if depth else "items"
                tiers.append(step | {"cache": cache, "miss": in_tiers(miss, depth + 1)})
            case {"kind": "parallel", "branches": branches}:
                tiers.append(step | {"branches": [in_tiers(branch, depth) for branch in branches]})
            case _:
                tiers.append(step)
    return tiers


WORKERS = st.builds(
    lambda replicas, slots, time: {
        "kind": "service",
        "replicas": replicas,
        "concurrency": slots,
        "endpoints": {"do": [{"kind": "query", "database": "main", "query": "two"}, {"kind": "wait", "time": time}]},
    },
    st.integers(1, 3),
    st.one_of(st.none(), st.integers(1, 2)),
    TIMES,
)
QUEUES = st.builds(
    lambda shape, bound, promise: {"kind": "queue", "consumer": "worker", "endpoint": "do"} | shape | bound | promise,
    st.sampled_from([{}, {"prefetch": 3}, {"partitions": 2}, {"max_priority": 3}]),
    st.sampled_from([{}, {"capacity": 2}, {"capacity": 2, "overflow": "reject"}]),
    st.sampled_from(
        [{"acknowledge": "before"}, {"visibility_timeout": "20ms", "max_attempts": 2}, {"redelivery": "at_once"}]
    ),
)


STREAMS = st.builds(
    lambda partitions, batch, poll, commit, rebalance, group: {
        **{"kind": "stream", "consumer": "worker", "endpoint": "do", "partitions": partitions},
        **{"max_poll_records": batch, "poll_time": poll, "commit_interval": commit, "rebalance": rebalance},
        **{"max_attempts": 2, "rebalance_time": "20ms"},
        **group,
    },
    st.sampled_from([1, 2, 7]),
    st.sampled_from([1, 3, 500]),
    TIMES,
    st.sampled_from(["0s", "300ms"]),
    st.sampled_from(["eager", "cooperative"]),
    st.sampled_from(
        [
            {"heartbeat_interval": "50ms", "session_timeout": "200ms"},
            {"heartbeat_interval": "70ms", "session_timeout": "150ms", "max_poll_interval": "40ms"},
        ]
    ),
)
MAILBOXES = st.builds(
    lambda online, offline, bound, group: {
        **{"kind": "mailbox", "consumer": "worker", "endpoint": "do", "online": online, "offline": offline},
        **{"retry_after": "100ms"},
        **bound,
        **group,
    },
    st.sampled_from(["500ms", {"kind": "exponential", "mean": "100ms"}]),
    st.sampled_from(["10ms", {"kind": "exponential", "mean": "300ms"}]),
    st.sampled_from([{}, {"capacity": 1}, {"capacity": 2, "overflow": "drop_head"}, {"retention": "200ms"}]),
    st.sampled_from([{}, {}, {"group_size": 3, "recipients": 5}]),
)
CHANNELS = st.one_of(QUEUES, STREAMS, MAILBOXES)


HOSTS = st.builds(
    lambda cores, quantum: {"kind": "host", "cores": cores, "quantum": quantum},
    st.integers(1, 2),
    st.sampled_from(["3ms", "500us", "1s"]),
)
HOSTED = st.sampled_from([{}, {"hosts": ["vm"]}])
RUNTIMES = st.sampled_from([{}, {"runtime": "processes", "schedulers": 2, "time_slice": "3ms"}])


@st.composite
def scenarios(draw: st.DrawFn, *, measurable: bool = False) -> lab.Scenario:
    """Draw a valid scenario: a balanced service that uses a cache, a database, a queue, and two ways into another.

    Args:
        measurable: leave out what the reference backend cannot do yet.
    """
    steps = MEASURABLE_STEPS if measurable else STEPS
    on_host = {} if measurable else draw(HOSTED)
    of_api, of_inner = (LIMITS if measurable else st.one_of(LIMITS, _replicas(of)) for of in (("get", "put"), ("get",)))
    caches = MEASURABLE_CACHES if measurable else CACHES
    more = (
        {}
        if measurable
        else {
            **{"jobs": draw(CHANNELS), "worker": draw(WORKERS) | draw(SCALED_CONSUMERS), "vm": draw(HOSTS)},
            "media": draw(MEDIA),
        }
    )
    leaf = {"kind": "service", "endpoints": {"get": [{"kind": "cpu", "time": draw(TIMES)}]}, "overhead": draw(TIMES)}
    queries = {"one": draw(TIMES), "two": {"statement": "insert", "time": "2ms"}}
    database = (
        PLAIN_DATABASE | {"queries": queries}
        if measurable
        else draw(st.one_of(DATABASES, DATABASES, DATABASES, SQLITE))
    )
    ways = {} if measurable else draw(RETRIES)
    api = {
        "kind": "service",
        "replicas": draw(st.integers(1, 3)),
        "endpoints": {endpoint: retried(in_tiers(draw(steps)), database, ways) for endpoint in ("get", "put")},
    }
    client = draw(clients(measurable=measurable))
    networked = client.get("network") is not None
    payloads = {"payloads": draw(PAYLOADS)} if networked else {}
    zones = [] if measurable else draw(st.sampled_from([[], [], ["a", "b"]]))
    zoned = {"zones": zones} if zones else {}
    patient = client["timeout"] is None and client.get("deadline") is None
    workload = draw(workloads(measurable=measurable))
    if database.get("shards") and workload["keys"]["kind"] == "cells":
        database |= {"shard_by": draw(st.sampled_from(["key", "cell"]))}
    fronts = {} if measurable else draw(st.one_of(gates(clients_known=workload["kind"] != "open"), TIERS))
    unheard = patient or any(front["kind"] == "cdn" for front in fronts.values())
    guarded = {} if measurable else draw(guards(api["endpoints"], patient=patient))
    quota = draw(limiters(endpoints=("get",), clients_known=False)) | {"targets": "inner"}
    scaled = {} if measurable else draw(SCALED)
    if scaled and draw(st.booleans()):
        scaled = scaled | {"node_pool": "nodes"}
    return lab.Scenario.model_validate(
        {
            "name": "random",
            "workload": workload,
            "client": client,
            "entry": "edge",
            "components": {
                "balancer" if fronts else "edge": draw(
                    EDGE
                    if measurable
                    else st.one_of(edges(patient=unheard), nginxes(patient=unheard, replicas=api["replicas"]), envoys())
                ),
                **fronts,
                **({} if measurable else {"quota": quota}),
                "api": api | guarded | payloads | zoned | draw(of_api) | on_host | scaled,
                "balanced": {"kind": "load_balancer", "targets": "inner", "max_connections_per_server": 2}
                | ({"host": "vm", "forward_time": "1ms"} if on_host else {}),
                "inner": leaf | draw(of_inner) | (on_host or ({} if measurable else draw(RUNTIMES))),
                **{"items" + f"_{depth}" * (depth > 0): draw(caches) for depth in range(6)},
                **more,
                **({} if measurable else {"function": leaf | draw(st.one_of(FUNCTIONS, KNATIVE))}),
                **({"nodes": draw(NODES)} if "node_pool" in scaled else {}),
                "main": database,
            },
            "faults": [] if measurable else draw(faults(database, client=client, zones=zones)),
            "run": {"duration": "3s", "replications": 1, "seed": draw(st.integers(0, 99))},
        }
    )
