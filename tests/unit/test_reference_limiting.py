"""Rate limiters of the reference backend: where they may stand, what HAProxy is told, and what its log says of them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from reference_backend import haproxy
from reference_backend.clock import Clock
from reference_backend.collect import balancer_spans
from reference_backend.deployment import Deployment
from reference_backend.haproxy_limit import limit_lines, limiters_in_haproxy
from reference_backend.limiting import RateLimiter
from reference_backend.load.exchange import outcome_of
from reference_backend.rate_limit import Guard
from reference_backend.spans import SpanWriter

_LIMIT = {"kind": "rate_limiter", "targets": "edge", "algorithm": "gcra", "limit": 5, "burst": 3}
_EDGE = {"kind": "load_balancer", "algorithm": "roundrobin", "targets": "api"}
_API = {
    "kind": "service",
    "replicas": 2,
    "endpoints": {"get": {"demands": 1, "steps": [{"kind": "wait", "demand": 0}]}},
}
_COUNTER = {"algorithm": "sliding_window_counter", "counted_in": "haproxy", "window_s": 2}


def _deployment(entry: str = "limit", **parts: dict[str, Any]) -> Deployment:
    described = {"limit": _LIMIT, "edge": _EDGE, "api": _API} | parts
    return Deployment.model_validate({"schema_version": 1, "name": "limited", "entry": entry, "parts": described})


def test_a_limiter_leads_to_its_service() -> None:
    """Requests to the limiter are answered by the service behind the balancer behind it."""
    deployment = _deployment()
    assert deployment.behind("limit") == ("limit", "edge", "api")
    assert deployment.service_behind("limit").replicas == 2
    assert deployment.proxy_at("limit") == "edge"
    guarding = deployment.limiter_before("api")
    assert guarding is not None
    assert guarding[0] == "limit"


@pytest.mark.parametrize(
    ("entry", "parts", "told"),
    [
        ("edge", {}, "goes around the rate limiter 'limit'"),
        ("limit", {"limit": _LIMIT | {"targets": "nobody"}}, "neither a load balancer nor a service"),
        ("limit", {"limit": _LIMIT | {"targets": "limit"}}, "neither a load balancer nor a service"),
        ("limit", {"limit": _LIMIT | {"counted_in": "haproxy"}}, "sliding_window_counter before a load balancer alone"),
        ("limit", {"other": _EDGE}, "parts.other: asks 'api' and so goes around"),
    ],
)
def test_nobody_goes_around_a_limiter(entry: str, parts: dict[str, Any], told: str) -> None:
    """A limiter that not every request passes would count too few; one that leads nowhere counts none."""
    with pytest.raises(ValueError, match=told):
        _deployment(entry, **parts)


def test_real_work_cannot_be_slowed() -> None:
    """A fault that stretches demands has nothing to stretch there."""
    api = {
        "kind": "service",
        "endpoints": {"get": {"demands": 1, "steps": [{"kind": "cpu", "demand": 0, "work": "jwt"}]}},
    }
    fault = {"kind": "slow_down", "component": "api", "at_s": 1.0, "factor": 2.0, "duration_s": 1.0}
    described = {"schema_version": 1, "name": "slowed", "entry": "api", "parts": {"api": api}, "faults": [fault]}
    with pytest.raises(ValueError, match="takes what it takes"):
        Deployment.model_validate(described)
    assert Deployment.model_validate(described | {"faults": [fault | {"steps": "wait"}]}).faults


def test_haproxy_counts_those_that_it_lets_pass() -> None:
    """By key, on the guarded path alone; the warm-up's requests have a negative number and are not counted."""
    limit = _LIMIT | _COUNTER | {"scope": "per_key", "endpoints": ["get"]}
    deployment = _deployment(limit=limit)
    lines = [line.strip() for line in limit_lines(deployment, "edge").splitlines()]
    assert lines[0] == "stick-table type integer size 1m expire 6s store gpc0,gpc0_rate(2s)"
    assert lines[1:4] == [
        "acl counted req.hdr_val(X-Request) ge 0",
        "acl guarded path /get",
        "http-request track-sc0 url_param(key) if counted guarded",
    ]
    assert lines[4].startswith("http-request deny deny_status 429")
    assert lines[5] == "http-request sc-inc-gpc0(0) if counted guarded"  # after the deny: only who passes counts
    assert limit_lines(_deployment(), "edge") == ""
    assert limiters_in_haproxy(deployment) == {"edge": ("limit", frozenset({"get"}))}


def test_the_balancers_log_tells_whom_its_limit_turned_away() -> None:
    """Two passed the limit, one of them to a 503 of a replica; a third got its 429 and came no further."""
    clock = Clock(zero_s=100.0, wall_ahead_s=0.0)
    line = "edge {request} 0 /get?key=1 {start_us} {waited} 0 1 2 {status} -- {server}"
    log = "\n".join(
        line.format(request=request, start_us=int(1e6 * (100 + request)), waited=waited, status=status, server=server)
        for request, waited, status, server in ((1, 0, 200, "r0"), (2, 0, 503, "r1"), (3, -1, 429, "<NOSRV>"))
    )
    assert len(log.splitlines()[0].split()) == len(haproxy.LOG_FIELDS)
    spans = balancer_spans(log + "\n", clock, {"edge": ("limit", None)})
    told = [(span["component"], span["request"], span["outcome"]) for span in spans]
    assert told == [
        *(("limit", 1, "ok"), ("edge", 1, "ok"), ("limit", 2, "ok"), ("edge", 2, "rejected")),
        ("limit", 3, "rejected"),
    ]


class _Counters:
    """Lets one of each subject pass."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def admit(self, subject: str) -> bool:
        """Return whether it is the first one."""
        self.asked.append(subject)
        return self.asked.count(subject) == 1


def test_a_replica_asks_the_counters_first(tmp_path: Path) -> None:
    """The second of a key gets its 429 and a row; the warm-up always passes; the health check is not counted."""
    counters, statuses, reached = _Counters(), [], []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope["path"])

    async def send(message: Any) -> None:
        statuses.append(message.get("status"))

    async def story() -> None:
        limiter = RateLimiter.model_validate(_LIMIT | {"scope": "per_key"})
        writer = SpanWriter(path=tmp_path / "spans", component="api", replica=0)
        guard = Guard(application, name="limit", limiter=limiter, counters=counters, writer=writer)  # type: ignore[arg-type]  # a stand-in
        for path, query, number in (
            *(("/get", b"key=7", b"1"), ("/get", b"key=7", b"2"), ("/get", b"key=8", b"3")),
            *(("/get", b"key=8", b"-1"), ("/-/health", b"", b"")),
        ):
            scope = {"type": "http", "path": path, "query_string": query, "headers": [(b"x-request", number)]}
            await guard(scope, None, send)  # type: ignore[arg-type]  # nothing is received

    asyncio.run(story())
    assert counters.asked == ["7", "7", "8", "8"]
    assert statuses[0] == 429
    assert reached == ["/get", "/get", "/get", "/-/health"]
    rows = [json.loads(line) for line in (tmp_path / "spans").read_text().splitlines()]
    assert [(request, each[0][0], each[0][8]) for request, _, each in rows] == [
        *((1, "limit", "ok"), (2, "limit", "rejected"), (3, "limit", "ok"), (-1, "limit", "ok")),
    ]


def test_a_429_is_a_rejection_to_the_client() -> None:
    """As the simulator has it: turned away, not failed."""
    assert [outcome_of(status) for status in (200, 429, 503, 500)] == ["ok", "rejected", "rejected", "error"]
