"""Circuit breakers on calls, as the supervisor sees them: closed before each repeat, asked for their story after it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx

from reference_backend.backend import Backend
from reference_backend.clock import Clock
from reference_backend.injection import Happening
from reference_backend.limit import FORGET_PATH
from reference_backend.ports import LOOPBACK
from reference_backend.problems import PartFailed
from reference_backend.references import walk

_ANSWER_S = 15.0


def forget(backend: Backend) -> list[tuple[str, int, float, str, dict[str, object]]]:
    """Have all breakers forget what they have seen; return their changes: service, replica, when (monotonic), what.

    Raises:
        PartFailed: a replica with breakers does not answer.
    """
    changes = []
    with httpx.Client(trust_env=False, timeout=_ANSWER_S) as client:
        for service, replica, port in _with_breakers(backend):
            try:
                answer = client.post(f"http://{LOOPBACK}:{port}{FORGET_PATH}")
                answer.raise_for_status()
            except httpx.HTTPError as error:
                raise PartFailed(
                    f"{service}/{replica}",
                    f"its circuit breakers could not be read ({error!r})",
                    why="the next repeat would begin with what they have learnt in this one",
                    do="look whether the replica still has work, or has died",
                ) from error
            changes += [(service, replica, *change) for change in answer.json()["changes"]]
    return changes


def happenings(backend: Backend, clock: Clock) -> Iterator[Happening]:
    """Yield the changes of all breakers since they were last forgotten, and forget them."""
    for service, replica, at_s, kind, detail in forget(backend):
        words = json.dumps({**detail, "process": replica}, sort_keys=True, separators=(",", ":"))
        yield Happening(time_s=at_s - clock.zero_s, component=service, kind=kind, detail=words)


def _with_breakers(backend: Backend) -> Iterator[tuple[str, int, int]]:
    """Yield service, replica and port of all replicas with a breaker on a call."""
    for name, service in backend.deployment.services().items():
        steps = [step for endpoint in service.endpoints.values() for _, step in walk(endpoint.steps, "")]
        if any(step.kind == "call" and step.circuit_breaker is not None for step in steps):
            for replica, port in backend.parts.replica_ports[name].items():
                yield name, replica, port
