"""Whether the keys of an nginx fit together: none is without effect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lab.quantities import default_of
from lab.scenario.leaving import clients_leave
from lab.scenario.nginx import Nginx
from lab.scenario.problems import Problem
from lab.scenario.replicas import most_replicas
from lab.scenario.service import Service

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario


def without_effect(scenario: Scenario, name: str, nginx: Nginx) -> Iterator[Problem]:
    """Yield what is wrong between the keys of one nginx."""
    service = scenario.components.get(nginx.targets)
    if isinstance(service, Service):
        for key, message in _alone(scenario, nginx, service):
            yield Problem(path=("components", name, key), message=message)
    for key, message in (*_tries(nginx), *_leaving(scenario, name, nginx)):
        yield Problem(path=("components", name, key), message=message)


def _alone(scenario: Scenario, nginx: Nginx, service: Service) -> Iterator[tuple[str, str]]:
    weights = nginx.weights
    if weights is not None and len(weights) > service.replicas:
        has = f"{nginx.targets!r} has {service.replicas} replica{'s' * (service.replicas != 1)}"
        yield "weights", f"are {len(weights)}, but {has}; give at most one weight each"
    if most_replicas(scenario, nginx.targets) > 1:
        return
    for key in ("max_fails", "fail_timeout", "next_upstream", "next_upstream_tries"):
        if getattr(nginx, key) != default_of(Nginx, key):
            yield key, f"has no effect, as {nginx.targets!r} never has another replica to go to"


def _tries(nginx: Nginx) -> Iterator[tuple[str, str]]:
    if len(set(nginx.next_upstream)) < len(nginx.next_upstream):
        yield "next_upstream", "names something twice"
    if set(nginx.next_upstream) == {"non_idempotent"}:
        yield "next_upstream", "names no failure after which another replica is tried; add error, timeout, ..."
    never = nginx.next_upstream_tries == 1 or not nginx.next_upstream
    if never and nginx.next_upstream_timeout is not None:
        yield "next_upstream_timeout", "has no effect, as no request is tried twice"
    if not nginx.next_upstream and nginx.next_upstream_tries:
        yield "next_upstream_tries", "has no effect, as next_upstream names nothing after which another is tried"
    if nginx.max_fails == 0 and nginx.fail_timeout != default_of(Nginx, "fail_timeout"):
        yield "fail_timeout", "has no effect, as with max_fails 0 no replica is taken out"


def _leaving(scenario: Scenario, name: str, nginx: Nginx) -> Iterator[tuple[str, str]]:
    if not nginx.ignore_client_abort or clients_leave(scenario, name):
        return
    if not scenario.client.gives_up:
        yield "ignore_client_abort", "has no effect, as clients never give up; give them a timeout"
    else:
        yield "ignore_client_abort", f"has no effect, as only clients give up, and they ask {scenario.entry!r}"
