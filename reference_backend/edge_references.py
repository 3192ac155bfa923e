"""Can edge caches fetch from what they name, and keep what they name?"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reference_backend.deployment import Deployment


def edge_cache_problems(deployment: Deployment, entrance: Callable[[Deployment, str, str], list[str]]) -> list[str]:
    """Return what keeps edge caches from fetching, and what they name that is not there or may not be kept.

    Args:
        deployment: whose edge caches; its load balancers lead to services.
        entrance: returns what keeps requests from entering at a name, for a key path.
    """
    problems = []
    edges = deployment.edge_caches()
    for name, edge in edges.items():
        where = f"parts.{name}.targets"
        passed, behind = {name}, edge.targets
        while behind in edges and behind not in passed:
            passed.add(behind)
            behind = edges[behind].targets
        wrong = [f"{where}: leads back to {behind!r}"] if behind in passed else entrance(deployment, where, behind)
        problems += wrong or _keeps(deployment, name)
    return problems


def _keeps(deployment: Deployment, name: str) -> list[str]:
    problems = []
    endpoints = deployment.service_behind(name).endpoints
    for endpoint in deployment.edge_caches()[name].max_age_s:
        where = f"parts.{name}.max_age_s.{endpoint}"
        if endpoint not in endpoints:
            problems.append(f"{where}: is not an endpoint behind it (those are: {', '.join(endpoints)})")
        elif endpoints[endpoint].method != "GET":
            problems.append(f"{where}: is asked for by {endpoints[endpoint].method}, and only GET is ever kept")
    return problems
