"""What limits a backend, as the reference backend is told it: rates, waits in the backlog, and the host's cores."""

from __future__ import annotations

from typing import Any

from lab.errors import Unsupported
from lab.scenario.components import Host, LoadBalancer, RateLimiter, Service
from lab.scenario.scenario import Scenario
from lab.scenario.shedding import Shedding


def limiter_document(scenario: Scenario, path: str, spec: RateLimiter) -> dict[str, Any]:
    """Return a rate limiter as the deployment has it.

    A ``sliding_window_counter`` before a load balancer is kept by HAProxy itself, in a stick table; every other limit
    is counted in Valkey, by the replicas before they do anything else. So behind a load balancer it is HAProxy that
    turns nobody away, and passes 429s on.

    Raises:
        Unsupported: the real counters begin their windows in another way, or count no such window.
    """
    if spec.algorithm in ("fixed_window", "sliding_window_counter") and spec.windows != "first_request":
        raise Unsupported(
            f"{path}.windows: is {spec.windows!r}, but the real counters (the library limits on Valkey, HAProxy) begin "
            "the windows of each subject with its first request; write windows: first_request"
        )
    if spec.window != int(spec.window):
        raise Unsupported(
            f"{path}.window: is {spec.window:g} s, but the library limits knows whole seconds; give those"
        )
    if spec.scope == "per_client":
        raise Unsupported(f"{path}.scope: the load generator's requests carry no client; count shared or per_key")
    in_haproxy = spec.algorithm == "sliding_window_counter" and isinstance(
        scenario.components[spec.targets], LoadBalancer
    )
    return {
        "kind": "rate_limiter",
        "targets": spec.targets,
        "counted_in": "haproxy" if in_haproxy else "valkey",
        "algorithm": spec.algorithm,
        "limit": spec.limit,
        "window_s": int(spec.window),
        "burst": spec.at_once,
        "scope": spec.scope,
        "endpoints": None if spec.endpoints is None else list(spec.endpoints),
    }


def shedding_document(spec: Shedding | None) -> dict[str, Any] | None:
    """Return a controlled delay as the deployment has it."""
    return None if spec is None else {"kind": spec.kind, "target_s": spec.target, "interval_s": spec.interval}


def backend_cores(scenario: Scenario) -> int | None:
    """Return on how many cores the whole backend is to run; None if the scenario says nothing of cores.

    Raises:
        Unsupported: there are several hosts, or services that are on none: the real parts all share the same cores.
    """
    hosts = {name: part for name, part in scenario.components.items() if isinstance(part, Host)}
    if not hosts:
        return None
    services = {name: part for name, part in scenario.components.items() if isinstance(part, Service)}
    elsewhere = [name for name, part in services.items() if set(part.hosts) != set(hosts)]
    if len(hosts) > 1 or elsewhere:
        raise Unsupported(
            f"components: the hosts are {', '.join(hosts)}"
            + (f", and {', '.join(elsewhere)} computes elsewhere" if elsewhere else "")
            + "; the parts of the reference backend all share the cores of one machine; give every service the same "
            "one host"
        )
    return next(iter(hosts.values())).cores
