"""Whether the keys of an Envoy fit together: none is without effect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lab.quantities import default_of
from lab.scenario.envoy import Envoy, OutlierDetection
from lab.scenario.problems import Problem
from lab.scenario.replicas import most_replicas
from lab.scenario.service import Service

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario


def without_effect(scenario: Scenario, name: str, envoy: Envoy) -> Iterator[Problem]:
    """Yield what is wrong between the keys of one Envoy."""
    for key, message in _unused(envoy):
        yield Problem(path=("components", name, key), message=message)
    detection = envoy.outlier_detection
    if detection is None:
        return
    where = ("components", name, "outlier_detection")
    if isinstance(scenario.components.get(envoy.targets), Service):
        most = most_replicas(scenario, envoy.targets)
        if not detection.always_eject_one_host and int(detection.max_ejection_percent * most + 1e-9) == 0:
            message = (
                f"ejects nobody: {detection.max_ejection_percent * 100:g}% of at most {most} replicas is less than "
                "one; raise it, or set always_eject_one_host"
            )
            yield Problem(path=(*where, "max_ejection_percent"), message=message)
        if detection.enforcing_success_rate and most < detection.success_rate_minimum_hosts:
            yield from _idle_rates(detection, where, most)
    if detection.consecutive_5xx == 0 and not detection.enforcing_success_rate:
        yield Problem(
            path=(*where, "consecutive_5xx"), message="is 0, and success rates are not compared: ejects nobody"
        )
    if not detection.enforcing_success_rate:
        for key in ("success_rate_minimum_hosts", "success_rate_request_volume", "success_rate_stdev_factor"):
            if getattr(detection, key) != default_of(OutlierDetection, key):
                message = "has no effect, as enforcing_success_rate is false"
                yield Problem(path=(*where, key), message=message)


def _idle_rates(detection: OutlierDetection, where: tuple[str, ...], most: int) -> Iterator[Problem]:
    few = f"there are never the {detection.success_rate_minimum_hosts} replicas: at most {most}"
    for key in ("success_rate_minimum_hosts", "success_rate_request_volume", "success_rate_stdev_factor"):
        if getattr(detection, key) != default_of(OutlierDetection, key):
            message = f"has no effect, as {few}"
            yield Problem(path=(*where, key), message=message)


def _unused(envoy: Envoy) -> Iterator[tuple[str, str]]:
    algorithm = envoy.algorithm
    if algorithm != "least_request" and envoy.choice_count != default_of(Envoy, "choice_count"):
        yield "choice_count", f"has no effect, as {algorithm} draws no replicas to compare; only least_request does"
    if algorithm == "ring_hash":
        return
    if envoy.minimum_ring_size != default_of(Envoy, "minimum_ring_size"):
        yield "minimum_ring_size", f"has no effect, as {algorithm} has no ring; only ring_hash has"
    if envoy.hash_balance_factor is not None:
        yield "hash_balance_factor", f"has no effect, as {algorithm} goes by no hash; only ring_hash does"
