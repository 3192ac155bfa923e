"""An edge cache: HAProxy's own small object cache before what it fetches from.

What the cache of HAProxy 2.8 does (``src/cache.c``, ``src/shctx.c``): it keeps answers with status 200 to GET in blocks
of 1 kB, as many as fit into a size in MB. When it is full, the objects go that were not used for longest. An object is
fresh while the clock, which counts whole seconds, has not reached the second in which it came plus its ``s-maxage``.
Requests for what is being fetched are not collapsed: each is fetched.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Annotated, Literal

from pydantic import Field

from reference_backend.ports import LOOPBACK
from reference_backend.problems import PartFailed
from reference_backend.spec import Name, Spec

SERVED_FROM_CACHE = "<CACHE>"  # HAProxy's name, in its log, for the server of an answer that it had
_BLOCK_BYTES = 1024
_EPOCH = "proc.epoch_{name}"

_CACHE = """\

cache {name}
    total-max-size {megabytes}
    max-object-size {object_bytes}
    max-age 86400
"""

# The name of the host is part of what an object is known by, so another epoch's objects are not found: HAProxy has no
# command that empties a cache.
_BACKEND = """\

backend {name}
    retries 3
    timeout connect 1s
    timeout server 24d
    acl kept var(txn.path) -m str {paths}
    http-request set-var(txn.path) path
    http-request set-header Host %[var({epoch})]
    http-request cache-use {name} if kept
{ages}    http-response cache-store {name} if kept
    server r0 {address}
"""
_AGE = '    http-response set-header Cache-Control "s-maxage={age_s}" if {{ var(txn.path) -m str /{endpoint} }}\n'


class EdgeCache(Spec):
    """A cache of HAProxy before a load balancer, a service of one replica, or another edge cache.

    It keeps answers of the endpoints in ``max_age_s``, each for so many seconds; others pass through. ``megabytes`` is
    its total-max-size; an object takes up whole blocks of 1 kB, and none may be larger than ``object_bytes``.
    """

    kind: Literal["edge_cache"]
    targets: Name
    max_age_s: Annotated[dict[Name, Annotated[int, Field(ge=1, le=86_400)]], Field(min_length=1)]
    megabytes: Annotated[int, Field(ge=1, le=4095)] = 64
    object_bytes: Annotated[int, Field(ge=_BLOCK_BYTES, le=524_288)] = 4096


def settings(edge_caches: Mapping[str, EdgeCache]) -> str:
    """Return what HAProxy's global section says about edge caches."""
    return "".join(f"    set-var {_EPOCH.format(name=name)} str(e0)\n" for name in edge_caches)


def sections(name: str, edge: EdgeCache, *, port: int) -> str:
    """Return the cache and the backend of an edge cache, in HAProxy's configuration.

    Args:
        name: its name.
        edge: what it keeps.
        port: of what it fetches from.
    """
    ages = "".join(_AGE.format(endpoint=endpoint, age_s=age_s) for endpoint, age_s in edge.max_age_s.items())
    return _CACHE.format(name=name, megabytes=edge.megabytes, object_bytes=edge.object_bytes) + _BACKEND.format(
        name=name,
        paths=" ".join(f"/{endpoint}" for endpoint in edge.max_age_s),
        epoch=_EPOCH.format(name=name),
        ages=ages,
        address=f"{LOOPBACK}:{port}",
    )


def flush(name: str, ask: Callable[[str], str]) -> None:
    """Have an edge cache find nothing of what it has.

    Args:
        name: its name.
        ask: gives a command to HAProxy's runtime API, and returns the answer.

    Raises:
        PartFailed: HAProxy did not do so.
    """
    wrong = what_is_wrong(ask(f"experimental-mode on; set var {_EPOCH.format(name=name)} str(e{time.monotonic_ns()})"))
    if wrong is not None:
        raise PartFailed(
            name,
            f"HAProxy did not forget what it has ({wrong})",
            why="each repeat begins with an empty cache, or it would measure what the one before it left",
            do="run with HAProxy 2.8, whose runtime API has `set var`",
        )


def what_is_wrong(answer: str) -> str | None:
    r"""Return what HAProxy complained of, if it did not do a command; its answer to one that it did is empty.

    >>> what_is_wrong("\n"), what_is_wrong("Unknown command.\n")
    (None, 'Unknown command.')
    """
    return answer.strip() or None


def visit(
    edge: EdgeCache, entry: Mapping[str, str], endpoint: str, *, arrival_s: float, outcome: str
) -> dict[str, object]:
    """Return the visit that a line of HAProxy's log tells of: nobody waits here, and of what is kept it tells hits."""
    return {
        "request": int(entry["request"]),
        "attempt": int(entry["attempt"]),
        "component": entry["frontend"],
        "replica": 0,
        "operation": endpoint,
        "arrival_s": arrival_s,
        "admitted_s": arrival_s,
        "departure_s": arrival_s + int(entry["Ta"].lstrip("+")) / 1000,
        "waiting_time_s": 0.0,
        "service_time_s": math.nan,
        "outcome": outcome,
        "hit": entry["server"] == SERVED_FROM_CACHE if endpoint in edge.max_age_s else None,
    }
