"""In each pair of components composed, the time that the client sees is the sum of waits and services behind it."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

import lab
from lab.validation.laws import broken_laws

pytestmark = pytest.mark.slow

_TIME = {"kind": "lognormal", "mean": "8ms", "scv": 1.0}
_WAIT = {"kind": "wait", "time": _TIME}
_DATABASE = {"kind": "database", "pool": {"size": 1, "timeout": "5s"}, "queries": {"get": _TIME}}
_CACHE = {"kind": "cache", "capacity": 5, "access_time": {"kind": "exponential", "mean": "1ms"}}
_LOCAL = {"kind": "cache", "scope": "replica", "capacity": 2, "eviction": "random", "ttl": "2s", "ttl_jitter": "50%"}
_SERVED = _DATABASE | {"pool": {"size": 2, "timeout": "5s"}, "cores": 1, "connect_time": "3ms"}
_QUERY = {"kind": "query", "database": "main", "query": "get"}
_BACKOFF = {"kind": "exponential", "base": "5ms", "cap": "80ms"}
_CALLEE = {"kind": "service", "concurrency": 1, "overhead": "1ms", "endpoints": {"get": [_WAIT]}}

# What stands first -> (its own part, the steps of a service that uses the second)
_FRONTS: dict[str, dict[str, Any]] = {
    "service": {},
    "load_balancer": {
        "edge": {
            "kind": "load_balancer",
            "algorithm": "leastconn",
            "targets": "api",
            "max_connections_per_server": 1,
            "queue_timeout": "5s",
            "forward_time": "1ms",
        }
    },
    "bounded_load_balancer": {
        "edge": {"kind": "load_balancer", "targets": "api", "algorithm": "random", "server_timeout": "10s"}
    },
    "hashing_load_balancer": {
        "edge": {
            "kind": "load_balancer",
            "targets": "api",
            "algorithm": "uri",
            "hash_type": "consistent",
            "max_connections_per_server": 1,
            "max_queue": 20,
            "queue_timeout": "5s",
        }
    },
}
_FRONTS["rate_limiter"] = {
    "edge": {"kind": "rate_limiter", "targets": "balancer", "limit": 50, "burst": 5, "check_time": "1ms"},
    "balancer": _FRONTS["load_balancer"]["edge"],
}
_FRONTS["waiting_room"] = {"edge": {"kind": "waiting_room", "targets": "api", "max_active": 2, "queue_timeout": "5s"}}
_FRONTS["nginx"] = {
    "edge": {"kind": "nginx", "targets": "api", "algorithm": "least_conn", "max_conns": 9, "forward_time": "1ms"}
}
_FRONTS["envoy"] = {"edge": {"kind": "envoy", "targets": "api", "algorithm": "least_request", "max_connections": 2}}
_FRONTS["cdn"] = {
    "edge": {
        **{"kind": "cdn", "targets": "shield", "points_of_presence": 4, "max_age": {"get": "200ms"}},
        **{"hit_time": "1ms", "forward_time": {"kind": "exponential", "mean": "3ms"}},
    },
    "shield": {
        **{"kind": "cdn", "targets": "balancer", "max_age": {"get": "300ms"}, "stale_while_revalidate": "100ms"},
        **{"capacity": 30, "forward_time": "2ms"},
    },
    "balancer": _FRONTS["load_balancer"]["edge"],
}
_FRONTS["autoscaled"] = {
    "edge": _FRONTS["load_balancer"]["edge"] | {"max_connections_per_server": 2},
    "api": {
        "boot_time": "1s",
        "autoscaler": {
            **{"kind": "hpa", "metric": "concurrency", "target": "50%", "min": 1, "max": 3},
            **{"sync_period": "2s", "metric_window": "1s", "metric_lag": "1s"},
            "scale_down": {
                "stabilization_window": "0s",
                "policies": [{"kind": "percent", "value": 100, "period": "2s"}],
            },
        },
    },
}
_FRONTS["pausing"] = {
    "edge": _FRONTS["load_balancer"]["edge"],
    "api": {
        "pauses": {"every": {"kind": "exponential", "mean": "2s"}, "time": {"kind": "exponential", "mean": "200ms"}}
    },
}
_FRONTS["lightweight_processes"] = {"api": {"runtime": "processes", "schedulers": 2}}
_FRONTS["autoscaled_on_nodes"] = {
    "edge": _FRONTS["autoscaled"]["edge"],
    "api": _FRONTS["autoscaled"]["api"] | {"node_pool": "nodes"},
    "nodes": {"kind": "node_pool", "pods_per_node": 1, "max": 2, "boot_time": "1s", "scan_interval": "1s"},
}
_FRONTS["knative"] = {
    "api": {
        **{"replicas": 0, "boot_time": "40ms"},
        "autoscaler": {"kind": "knative", "max": 4, "stable_window": "6s", "tick": "500ms"},
    }
}
_FRONTS["serverless"] = {
    "api": {
        **{"replicas": 0, "boot_time": "40ms"},
        "autoscaler": {"kind": "serverless", "max": 30, "idle_timeout": "500ms", "scaling_burst": 20},
    }
}
_BACKS: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "wait": ([_WAIT], {}),
    "cpu": ([{"kind": "cpu", "time": _TIME}], {}),
    "database": ([_QUERY], {"main": _DATABASE}),
    "database_with_cores": ([_QUERY], {"main": _SERVED}),
    "read_replica": ([_QUERY], {"main": _SERVED | {"replicas": 1, "read_policy": "any"}}),
    "transaction": (
        [{"kind": "transaction", "database": "main", "steps": [_QUERY | {"repeat": 2}, _WAIT]}],
        {"main": _DATABASE | {"pool": {"size": 2, "timeout": "5s"}}},
    ),
    "row_locks": (
        [{"kind": "transaction", "database": "main", "steps": [_QUERY, _WAIT]}],
        {"main": _SERVED | {"queries": {"get": {"statement": "update", "time": "3ms"}}, "pool": {"size": 5}}},
    ),
    "serializable": (
        [
            {"kind": "transaction", "database": "main", "steps": [_QUERY, _WAIT], "idempotent": True}
            | {"retries": 100, "backoff": _BACKOFF}
        ],
        {
            "main": _SERVED
            | {"queries": {"get": {"statement": "update", "time": "3ms"}}, "pool": {"size": 5}}
            | {"isolation": "serializable"}
        },
    ),
    "sqlite": (
        [{"kind": "transaction", "database": "main", "steps": [_QUERY, _WAIT]}],
        {
            "main": {"kind": "database", "engine": "sqlite", "pool": {"size": 9}, "busy_timeout": "20s"}
            | {"queries": {"get": {"statement": "update", "time": "1ms"}}}
        },
    ),
    "shards": ([_QUERY], {"main": _SERVED | {"shards": 3, "pool": {"size": 1, "timeout": "5s"}}}),
    "synchronous_replica": (
        [_QUERY],
        {
            "main": _SERVED
            | {"replicas": 2, "synchronous_replicas": 1, "replication_lag": _TIME, "read_policy": "any"}
            | {"queries": {"get": {"statement": "insert", "time": "3ms"}}}
        },
    ),
    "cache_over_database": (
        [{"kind": "cached", "cache": "items", "miss": [_QUERY]}],
        {"main": _DATABASE, "items": _CACHE},
    ),
    "queue": (
        [{"kind": "publish", "queue": "jobs"}, _WAIT],
        {
            "jobs": {"kind": "queue", "consumer": "worker", "endpoint": "do", "publish_time": "2ms"},
            "worker": {
                "kind": "service",
                "replicas": 2,
                "concurrency": 1,
                "endpoints": {"do": [_QUERY]},
            },
            "main": _DATABASE,
        },
    ),
    "urgent_queue": (
        [{"kind": "publish", "queue": "mails", "priority": 3}, _WAIT],
        {
            "mails": {"kind": "queue", "consumer": "sender", "endpoint": "do", "max_priority": 5},
            "sender": {"kind": "service", "replicas": 2, "concurrency": 1, "endpoints": {"do": [_QUERY]}},
            "main": _DATABASE,
        },
    ),
    "mailbox": (
        [{"kind": "publish", "queue": "chats"}, _WAIT],
        {
            "chats": {
                **{"kind": "mailbox", "consumer": "reader", "endpoint": "do", "publish_time": "2ms"},
                **{"online": {"kind": "exponential", "mean": "2s"}, "offline": {"kind": "exponential", "mean": "1s"}},
            },
            "reader": {"kind": "service", "replicas": 2, "endpoints": {"do": [_WAIT]}},
        },
    ),
    "stream": (
        [{"kind": "publish", "queue": "log"}, _WAIT],
        {
            "log": {
                **{"kind": "stream", "consumer": "reader", "endpoint": "do", "partitions": 3, "publish_time": "2ms"},
                **{"max_poll_records": 5, "poll_time": "1ms", "commit_interval": "1s"},
            },
            "reader": {"kind": "service", "replicas": 2, "concurrency": 1, "endpoints": {"do": [_QUERY]}},
            "main": _DATABASE,
        },
    ),
    "cache_of_nodes": (
        [{"kind": "cached", "cache": "items", "miss": [_QUERY]}],
        {"main": _DATABASE, "items": _CACHE | {"nodes": 3, "eviction": "slru", "ttl": "300ms", "ttl_from": "access"}},
    ),
    "two_tiers": (
        [{"kind": "cached", "cache": "local", "miss": [{"kind": "cached", "cache": "items", "miss": [_QUERY]}]}],
        {"main": _DATABASE, "items": _CACHE | {"eviction": "sampled_lfu"}, "local": _LOCAL},
    ),
    "invalidated_cache": (
        [{"kind": "cached", "cache": "items", "miss": [_QUERY]}, {"kind": "invalidate", "cache": "items"}],
        {"main": _DATABASE, "items": _CACHE},
    ),
    **{
        f"cache_with_{protection}": (
            [{"kind": "cached", "cache": "items", "miss": [_QUERY]}],
            {"main": _DATABASE, "items": _CACHE | {"ttl": "300ms", "stampede_protection": protection}},
        )
        for protection in ("single_flight", "lock", "early_refresh", "stale_while_revalidate")
    },
    "service": ([{"kind": "call", "target": "callee", "endpoint": "get"}], {"callee": _CALLEE}),
    "quorum_with_a_hedged_call": (
        [
            {
                **{"kind": "parallel", "wait_for": 2, "timeout": "5s"},
                "branches": [
                    [
                        {
                            "kind": "call",
                            "target": "callee",
                            "endpoint": "get",
                            "hedge": {"after": "20ms", "budget": "10%"},
                        }
                    ],
                    [_QUERY],
                    [_WAIT],
                ],
            }
        ],
        {"callee": _CALLEE, "main": _DATABASE},
    ),
    "impatient_call": ([{"kind": "call", "target": "callee", "endpoint": "get", "timeout": "5s"}], {"callee": _CALLEE}),
    "thread": ([{"kind": "thread", "steps": [_WAIT, {"kind": "cpu", "time": "3ms"}, _QUERY]}], {"main": _DATABASE}),
    "shedding_service": (
        [{"kind": "call", "target": "callee", "endpoint": "get"}],
        {"callee": _CALLEE | {"shedding": {"kind": "server_codel", "target": "20ms", "interval": "200ms"}}},
    ),
    "adaptive_service": (
        [{"kind": "call", "target": "callee", "endpoint": "get"}],
        {
            "callee": _CALLEE
            | {
                "concurrency": None,
                "adaptive_concurrency": {"kind": "aimd", "initial": 1, "min": 1, "max": 3, "timeout": "10ms"},
            }
        },
    ),
    "codel_and_a_bulkhead": (
        [{"kind": "call", "target": "callee", "endpoint": "get"}],
        {"callee": _CALLEE | {"shedding": "codel", "concurrency": 2}},
    ),
    "service_on_a_shared_host": (
        [{"kind": "cpu", "time": _TIME}, {"kind": "call", "target": "callee", "endpoint": "get"}],
        {"callee": _CALLEE | {"hosts": ["vm"], "overhead": "5ms"}, "vm": {"kind": "host", "cores": 1}},
    ),
    "service_with_workers": (
        [{"kind": "call", "target": "callee", "endpoint": "get"}],
        {"callee": _CALLEE | {"workers": 2, "discipline": "lifo"}},
    ),
    "balanced_service": (
        [{"kind": "call", "target": "inner", "endpoint": "get"}],
        {
            "inner": {
                "kind": "load_balancer",
                "targets": "callee",
                "max_connections_per_server": 1,
                "queue_timeout": "5s",
            },
            "callee": _CALLEE | {"replicas": 2},
        },
    ),
}


_FRONTS["over_network"] = {
    "client": {
        "network": {
            "kind": "custom",
            "round_trip": {"kind": "lognormal", "mean": "40ms", "scv": 0.3},
            "down": "12Mbit/s",
            "up": "2Mbit/s",
            "loss": "1%",
        }
    },
    "edge": _FRONTS["load_balancer"]["edge"],
    "api": {"payloads": {"get": {"request": "2KiB", "response": "64KiB"}}},
}


_FRONTS["on_connections"] = _FRONTS["over_network"] | {
    "client": {
        **_FRONTS["over_network"]["client"],
        "connections": {"kind": "http1", "new": "30%", "handshake": {"time": "5ms"}},
    }
}


def _scenario(front: str, back: str) -> lab.Scenario:
    steps, parts = _BACKS[back]
    api = {"kind": "service", "concurrency": 2, "overhead": "500us", "endpoints": {"get": steps}}
    api |= {"hosts": ["vm"]} if "vm" in parts else {}
    api |= {"bulkheads": {"callee": {"max_concurrent": 1, "max_wait": "1s"}}} if "bulkhead" in back else {}
    own = {name: part for name, part in _FRONTS[front].items() if name != "client"}
    return lab.Scenario.model_validate(
        {
            "name": "pair",
            "workload": {
                "kind": "open",
                "arrival_rate": "70/s",
                "endpoints": {"get": "100%"},
                "keys": {"kind": "zipf", "exponent": 1.0, "count": 50},
            },
            "client": _FRONTS[front].get("client", {}),
            "entry": "edge" if "edge" in own else "api",
            "components": own | parts | {"api": api | own.get("api", {})},
            "run": {"duration": "20s", "replications": 1, "seed": 5},
        }
    )


# Lightweight processes need no threads, and have the cores of their own schedulers: the language refuses these.
_REFUSED = {("lightweight_processes", back) for back in ("thread", "service_on_a_shared_host")}


@pytest.mark.parametrize(("front", "back"), [pair for pair in product(_FRONTS, _BACKS) if pair not in _REFUSED])
def test_client_time_is_waits_plus_services(front: str, back: str) -> None:
    """Composed in pairs, nothing is lost and nothing counted twice; the pair does queue, so the test can fail."""
    run = lab.simulate(_scenario(front, back), progress=False, allow_unstable=True)
    assert broken_laws(run) == []
    assert (run.requests["outcome"] == "ok").sum() > 500
    assert run.visits["waiting_time_s"].max() > 0.001


def test_parallel_takes_as_long_as_its_slowest_branch() -> None:
    """Two constant branches at once take the longer one's time, and both leave their visits."""
    branches = [[{"kind": "wait", "time": "30ms"}], [_QUERY]]
    scenario = lab.Scenario.model_validate(
        {
            "name": "fan_out",
            "workload": {"kind": "open", "arrival_rate": "5/s", "endpoints": {"get": "100%"}},
            "entry": "api",
            "components": {
                "api": {"kind": "service", "endpoints": {"get": [{"kind": "parallel", "branches": branches}]}},
                "main": {"kind": "database", "pool": {"size": 9}, "round_trip": "0s", "queries": {"get": "10ms"}},
            },
            "run": {"duration": "10s", "replications": 1},
        }
    )
    run = lab.simulate(scenario, progress=False)
    done = run.requests[run.requests["outcome"] == "ok"]
    assert len(done) > 20
    assert done["sojourn_time_s"].to_numpy() == pytest.approx(0.03)
    assert set(run.visits["component"]) == {"api", "main"}
