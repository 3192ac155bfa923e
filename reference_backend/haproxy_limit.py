"""A rate limit that HAProxy keeps itself, in a stick table: the lines of its configuration, and how to forget."""

from __future__ import annotations

from collections.abc import Callable

from reference_backend.deployment import Deployment
from reference_backend.limiting import RateLimiter

# Only what is let pass counts, as in the other limiters; `http_req_rate` would count those turned away too. A subject's
# first window begins with its first request. The warm-up (request -1) and the health checks are not counted.
_LIMIT = """\
    stick-table type integer size 1m expire {kept_s}s store gpc0,gpc0_rate({window_s}s)
    acl counted req.hdr_val(X-Request) ge 0
    acl guarded {guarded}
    http-request track-sc0 {subject} if counted guarded
    http-request deny deny_status 429 if counted guarded {{ sc_gpc0_rate(0) ge {limit} }}
    http-request sc-inc-gpc0(0) if counted guarded
"""


def limit_lines(deployment: Deployment, balancer: str) -> str:
    """Return what a frontend of HAProxy needs to keep the limit before it; nothing where there is none."""
    for limiter in deployment.rate_limiters().values():
        if limiter.in_haproxy and limiter.targets == balancer:
            return _LIMIT.format(
                kept_s=3 * limiter.window_s,
                window_s=limiter.window_s,
                guarded="always_true" if limiter.endpoints is None else f"path {_paths(limiter)}",
                subject="int(0)" if limiter.scope == "shared" else "url_param(key)",
                limit=limiter.limit,
            )
    return ""


def _paths(limiter: RateLimiter) -> str:
    return " ".join(f"/{endpoint}" for endpoint in limiter.endpoints or ())


def forget(deployment: Deployment, ask: Callable[[str], object]) -> None:
    """Empty the stick tables by asking HAProxy's runtime API, so that every repeat begins with nobody counted."""
    for limiter in deployment.rate_limiters().values():
        if limiter.in_haproxy:
            ask(f"clear table {limiter.targets}")


def limiters_in_haproxy(deployment: Deployment) -> dict[str, tuple[str, frozenset[str] | None]]:
    """Return for each load balancer whose HAProxy keeps a limit the limiter's name, and the endpoints it guards."""
    return {
        limiter.targets: (name, None if limiter.endpoints is None else frozenset(limiter.endpoints))
        for name, limiter in deployment.rate_limiters().items()
        if limiter.in_haproxy
    }
