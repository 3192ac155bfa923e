"""Whether the keys of a load balancer fit together: none is without effect, and somebody serves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lab.distributions import is_free
from lab.quantities import default_of
from lab.scenario.fronts import leads_to
from lab.scenario.leaving import clients_leave
from lab.scenario.load_balancer import LoadBalancer
from lab.scenario.problems import Problem
from lab.scenario.service import Service

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario


def without_effect(scenario: Scenario, name: str, balancer: LoadBalancer) -> Iterator[Problem]:
    """Yield what is wrong between the keys of one load balancer."""
    service = scenario.components.get(balancer.targets)
    replicas = service.replicas if isinstance(service, Service) else None
    for key, message in (*_unused(balancer), *_unheeded(scenario, name, balancer), *_weights(balancer, replicas)):
        yield Problem(path=("components", name, key), message=message)


def _unused(balancer: LoadBalancer) -> Iterator[tuple[str, str]]:
    algorithm, limit = balancer.algorithm, balancer.max_connections_per_server
    if balancer.draws != default_of(LoadBalancer, "draws") and algorithm != "random":
        yield "draws", f"has no effect, as {algorithm} draws no servers; only random does"
    if balancer.hash_type != "map_based" and algorithm != "uri":
        yield "hash_type", f"has no effect, as {algorithm} goes by no hash; only uri does"
    if balancer.hash_balance_factor is not None and algorithm != "random" and not _by_ring(balancer):
        said = "a map_based uri" if algorithm == "uri" else algorithm
        yield "hash_balance_factor", f"has no effect, as {said} has no ring; only a consistent uri and random have"
    if balancer.max_queue is not None and algorithm not in ("uri", "leastconn"):
        yield "max_queue", f"has no effect, as with {algorithm} nobody waits for one certain replica"
    elif balancer.max_queue is not None and limit is None:
        yield "max_queue", "has no effect, as nobody waits at all; give it max_connections_per_server too"
    if balancer.host is not None and is_free(balancer.forward_time):
        yield "host", "has no effect, as the balancer computes nothing; give it a forward_time, or leave it out"
    if balancer.slow_start is not None and limit is None and (algorithm == "first" or _by_table(balancer)):
        said = "first" if algorithm == "first" else "a map_based uri"
        yield "slow_start", f"has no effect, as {said} heeds no weights and there is no max_connections_per_server"


def _unheeded(scenario: Scenario, name: str, balancer: LoadBalancer) -> Iterator[tuple[str, str]]:
    if not balancer.abort_on_close:
        return
    if name not in leads_to(scenario, scenario.entry):
        yield "abort_on_close", f"has no effect, as only clients give up, and they ask {scenario.entry!r}"
    elif balancer.max_connections_per_server is None:
        yield "abort_on_close", "has no effect, as nobody waits in a queue; give it max_connections_per_server too"
    elif not scenario.client.gives_up:
        yield "abort_on_close", "has no effect, as clients never give up; give them a timeout"
    elif not clients_leave(scenario, name):
        yield (
            "abort_on_close",
            "has no effect behind a CDN that stores all that is asked for, whoever leaves",
        )


def _by_ring(balancer: LoadBalancer) -> bool:
    return balancer.algorithm == "uri" and balancer.hash_type == "consistent"


def _by_table(balancer: LoadBalancer) -> bool:
    return balancer.algorithm == "uri" and balancer.hash_type == "map_based"


def _weights(balancer: LoadBalancer, replicas: int | None) -> Iterator[tuple[str, str]]:
    weights = balancer.weights
    if weights is None:
        return
    if not any(weights):
        yield "weights", "are all 0, so nobody would serve; give at least one replica some weight"
    if replicas is not None and len(weights) > replicas:
        has = f"{balancer.targets!r} has {replicas} replica{'s' * (replicas != 1)}"
        yield "weights", f"are {len(weights)}, but {has}; give at most one weight each"
