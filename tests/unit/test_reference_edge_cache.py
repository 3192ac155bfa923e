"""An edge cache of the reference backend: HAProxy's configuration, its log, and what is told of mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lab.errors import Unsupported
from lab.measurement.render import deployment as rendered
from reference_backend import haproxy
from reference_backend.clock import Clock
from reference_backend.collect import balancer_spans
from reference_backend.deployment import Deployment
from reference_backend.edge_cache import EdgeCache, what_is_wrong

from .backends import scenario, waiting

CLOCK = Clock(zero_s=1000.0, wall_ahead_s=1_700_000_000.0)


def document(*edges: dict[str, Any], method: str = "GET") -> dict[str, Any]:
    """Return a deployment of edge caches t0, t1, ... one before the other, and a service behind them."""
    endpoints = {name: {"method": method, "steps": [{"kind": "cpu", "demand": 0}], "demands": 1} for name in "ab"}
    parts: dict[str, Any] = {"api": {"kind": "service", "endpoints": endpoints}}
    for number, edge in enumerate(edges):
        behind = f"t{number + 1}" if number + 1 < len(edges) else "api"
        parts[f"t{number}"] = {"kind": "edge_cache", "targets": behind, "max_age_s": {"a": 5}, **edge}
    return {"schema_version": 1, "name": "edges", "entry": "t0", "parts": parts}


def test_what_is_kept_is_looked_up_given_an_age_and_stored() -> None:
    """Only the endpoints that are named; the next tier is fetched from at its own port."""
    text = haproxy.render(
        Deployment.model_validate(document({"max_age_s": {"a": 5, "b": 60}, "megabytes": 2}, {})),
        haproxy.Frontends(
            fd_of={"t0": 7, "t1": 8},
            replica_ports={"api": {0: 8001}},
            origin_ports={"t0": 9001, "t1": 8001},
            log_fd=9,
            notice_fd=10,
            control=Path("/run/h.sock"),
            connections=10,
        ),
    )
    first = text.partition("cache t0\n")[2].partition("frontend t1\n")[0]
    for line in (
        "total-max-size 2",
        "acl kept var(txn.path) -m str /a /b",
        "http-request cache-use t0 if kept",
        'http-response set-header Cache-Control "s-maxage=60" if { var(txn.path) -m str /b }',
        "http-response cache-store t0 if kept",
        "server r0 127.0.0.1:9001",
    ):
        assert f"    {line}\n" in first, line
    assert "server r0 127.0.0.1:8001\n" in text.partition("cache t1\n")[2]
    assert "set-var proc.epoch_t1 str(e0)" in text.partition("defaults")[0]


@pytest.mark.parametrize(
    ("edges", "method", "says"),
    [
        ([{"max_age_s": {"c": 5}}], "GET", "parts.t0.max_age_s.c: is not an endpoint behind it"),
        ([{}], "POST", "parts.t0.max_age_s.a: is asked for by POST, and only GET is ever kept"),
        ([{"targets": "t0"}], "GET", "parts.t0.targets: leads back to 't0'"),
        ([{"targets": "nowhere"}], "GET", "parts.t0.targets: 'nowhere' is neither"),
    ],
)
def test_an_edge_cache_that_could_keep_nothing_is_refused(edges: list[dict[str, Any]], method: str, says: str) -> None:
    """Each mistake is named with its key."""
    with pytest.raises(ValidationError, match=says):
        Deployment.model_validate(document(*edges, method=method))


@pytest.mark.parametrize(("path", "server", "hit"), [("a", "<CACHE>", True), ("a", "r0", False), ("b", "r0", None)])
def test_the_log_tells_a_hit_by_who_served_it(path: str, server: str, hit: bool | None) -> None:
    """What is not kept says nothing of hits; nobody waits in an edge cache."""
    words = {**dict.fromkeys(haproxy.LOG_FIELDS, "0"), "start_us": "1700001002500000", "Tw": "-1", "status": "200"}
    line = " ".join({**words, "frontend": "t0", "path": f"/{path}?key=3", "server": server, "Ta": "4"}.values())
    edge = EdgeCache(kind="edge_cache", targets="api", max_age_s={"a": 5})
    (span,) = balancer_spans(f"{line}\n", CLOCK, edge_caches={"t0": edge})
    assert (span["hit"], span["waiting_time_s"], span["replica"], span["operation"]) == (hit, 0.0, 0, path)


def test_an_answer_to_a_command_is_a_complaint() -> None:
    """HAProxy says nothing to what it did."""
    assert what_is_wrong("\n") is None
    assert what_is_wrong("Permission denied\n") == "Permission denied"


def described(**keys: Any) -> dict[str, Any]:
    """Return the deployment document of a cdn before a load balancer."""
    cdn = {"max_age": {"get": "10s"}, "age_resolution": "1s", "request_collapsing": False, **keys}
    components = {
        "edge": {"kind": "cdn", "targets": "balancer", **cdn},
        "balancer": {"kind": "load_balancer", "algorithm": "roundrobin", "targets": "api"},
        "api": {"kind": "service", "replicas": 2, "endpoints": {"get": [waiting("1ms")]}},
    }
    keys_asked = {"kind": "zipf", "exponent": 0.9, "count": 1000}
    workload = {"kind": "open", "arrival_rate": "1/s", "endpoints": {"get": "100%"}, "keys": keys_asked}
    return rendered(scenario(components, entry="edge", workload=workload))


def test_objects_take_up_what_the_scenario_says() -> None:
    """8 KiB are 8 blocks with the headers, so 128 of them fill a MiB; without a limit everything fits."""
    limited = described(capacity_bytes="1MiB", entry_size="8KiB")
    assert limited["parts"]["edge"]["megabytes"] == 1
    assert 7 * 1024 < limited["parts"]["api"]["endpoints"]["get"]["answer_bytes"] < 8 * 1024 - 512
    Deployment.model_validate(limited)
    free = described()
    assert free["parts"]["edge"]["megabytes"] >= 2
    assert free["parts"]["api"]["endpoints"]["get"]["answer_bytes"] is None


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"request_collapsing": True}, "edge.request_collapsing: HAProxy fetches for each request"),
        ({"age_resolution": "0s"}, "edge.age_resolution: HAProxy's cache counts whole seconds"),
        ({"max_age": {"get": "1500ms"}}, "edge.max_age: HAProxy's cache counts whole seconds"),
        ({"capacity": 10}, "edge.capacity: HAProxy limits the size"),
        ({"capacity_bytes": "1000000B"}, "edge.capacity_bytes: HAProxy counts in MiB"),
        ({"capacity_bytes": "1MiB", "entry_size": "1500B"}, "edge.entry_size: HAProxy keeps objects in blocks"),
        ({"stale_if_error": "5s"}, "edge.stale_if_error: is 5.0, which the lab can predict but"),
    ],
)
def test_what_haproxy_cannot_do_is_refused(keys: dict[str, Any], says: str) -> None:
    """With the key, and what to say instead."""
    with pytest.raises(Unsupported, match=says):
        described(**keys)
