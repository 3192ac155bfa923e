"""A cdn of a scenario as the reference backend reads it: HAProxy's cache, which collapses nothing."""

from __future__ import annotations

import math
from typing import Any

from lab.errors import Unsupported
from lab.scenario.cdn import Cdn
from lab.scenario.fronts import leads_to
from lab.scenario.mix import key_count
from lab.scenario.scenario import Scenario

_MEGABYTE, _BLOCK = 2**20, 2**10
_MOST_MEGABYTES = 4095
_CLOCK_S = 1.0
# What HAProxy keeps beside the body: the entry itself and the headers. Measured with 2.8.25; the rest of the last block
# leaves room for a few headers more.
_BESIDE_THE_BODY = 640


def edge_document(scenario: Scenario, name: str, spec: Cdn) -> dict[str, Any]:
    """Return the part of the deployment document for a tier of a cdn (JSON values, times in seconds).

    Raises:
        Unsupported: HAProxy's cache cannot do what the scenario says.
    """
    for key, complaint in _complaints(spec):
        raise Unsupported(f"components.{name}.{key}: {complaint}")
    blocks = max(1, math.ceil(int(spec.entry_size) / _BLOCK))
    everything = key_count(scenario) * len(spec.max_age) * (blocks + 1) * _BLOCK
    megabytes = math.ceil((spec.capacity_bytes or everything) / _MEGABYTE)
    if megabytes > _MOST_MEGABYTES:
        raise Unsupported(f"components.{name}: {megabytes} MiB do not fit into HAProxy's cache ({_MOST_MEGABYTES} MiB)")
    return {
        "kind": "edge_cache",
        "targets": spec.targets,
        "max_age_s": {endpoint: round(age_s) for endpoint, age_s in spec.max_age.items()},
        "megabytes": megabytes,
        "object_bytes": (blocks + 1) * _BLOCK,
    }


def answer_bytes(scenario: Scenario, service: str, endpoint: str) -> int | None:
    """Return how long the body of an endpoint's answer must be for the cdn that keeps it; None: it does not matter."""
    for name, spec in scenario.components.items():
        if isinstance(spec, Cdn) and endpoint in spec.max_age and service in leads_to(scenario, name):
            return int(spec.entry_size) - _BESIDE_THE_BODY if spec.entry_size >= _BLOCK else None
    return None


def _complaints(spec: Cdn) -> list[tuple[str, str]]:
    found = []
    if spec.request_collapsing:
        found.append(("request_collapsing", "HAProxy fetches for each request; say false, which the lab can predict"))
    if spec.age_resolution != _CLOCK_S:
        found.append(("age_resolution", "HAProxy's cache counts whole seconds; give 1s, so that the lab does too"))
    if any(age_s != round(age_s) for age_s in spec.max_age.values()):
        found.append(("max_age", "HAProxy's cache counts whole seconds; give such"))
    if spec.capacity is not None:
        found.append(("capacity", "HAProxy limits the size of what it keeps; give capacity_bytes and entry_size"))
    if spec.capacity_bytes is not None and int(spec.capacity_bytes) % _MEGABYTE:
        found.append(("capacity_bytes", "HAProxy counts in MiB; give a whole number of them"))
    if spec.capacity_bytes is not None and int(spec.entry_size) % _BLOCK:
        found.append(("entry_size", "HAProxy keeps objects in blocks of 1KiB; give a whole number of them"))
    return found
