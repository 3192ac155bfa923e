"""Which reads of a replicated database were stale: they found fewer changes of their key than had been committed."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reference_backend.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one statement found, or that it changed its key.

    Attributes:
        request: of the client.
        attempt: of it.
        database: which.
        operation: the query.
        key: whose row.
        sent_s: when it was sent to the server, on the clock of the replicas.
        answered_s: when its answer came; a change was committed just before.
        version: how many changes of the key it found since the repeat began; None: it made one.
        server: 0 is the primary.
    """

    request: int
    attempt: int
    database: str
    operation: str
    key: int
    sent_s: float
    answered_s: float
    version: int | None
    server: int


def server_spans(texts: Iterable[str], clock: Clock) -> list[dict[str, object]]:
    """Return a span of ``DATABASE.server`` for each statement in the replicas' lines; of a read, whether it was stale.

    A read is stale if more changes of its key had been answered when it was sent than it found. What happened at the
    server cannot be told from the way there, so that these spans have no service time.

    Args:
        texts: of all replicas, as one reads what another has written.
        clock: of the repeat.
    """
    zero_s = clock.zero_s
    seen = [each for text in texts for each in _seen(text, clock)]
    changes: dict[tuple[str, int], list[float]] = defaultdict(list)
    for each in seen:
        if each.version is None:
            changes[each.database, each.key].append(each.answered_s)
    for times in changes.values():
        times.sort()
    spans: list[dict[str, object]] = []
    for each in seen:
        stale = None
        if each.version is not None:
            stale = bisect_left(changes[each.database, each.key], each.sent_s) > each.version
        spans.append(
            {
                "request": each.request,
                "attempt": each.attempt,
                "component": f"{each.database}.server",
                "replica": each.server,
                "operation": each.operation,
                "arrival_s": each.sent_s - zero_s,
                "admitted_s": each.sent_s - zero_s,
                "departure_s": each.answered_s - zero_s,
                "waiting_time_s": 0.0,
                "service_time_s": float("nan"),
                "outcome": "ok",
                "hit": None,
                "stale": stale,
            }
        )
    return spans


def _seen(text: str, clock: Clock) -> Iterator[Seen]:
    """Yield what the statements in a replica's lines found: not those of the warm-up, nor of a repeat before."""
    for line in text.splitlines():
        written = json.loads(line)
        if isinstance(written, dict):
            continue  # what happened to a message: see stays
        request, attempt, _, *said = written
        for database, operation, key, sent, answered, version, server in said[0] if said else ():
            if request >= 0 and clock.is_of_this_repeat(sent - clock.zero_s):
                yield Seen(
                    request=request,
                    attempt=attempt,
                    database=database,
                    operation=operation,
                    key=key,
                    sent_s=sent,
                    answered_s=answered,
                    version=version,
                    server=server,
                )
