"""What a replica saw of each request, written as one line by one system call."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Literal

Outcome = Literal["ok", "rejected", "error", "timeout", "in_flight"]
CacheOperation = Literal["get", "set", "delete", "check", "lock", "unlock"]
# A span as it is written: component, replica, operation, arrival, admitted, departure, waiting time, service time,
# outcome, hit.
Row = tuple[str, int, str, float, float | None, float | None, float | None, float | None, Outcome, bool | None]
# What a statement found or left in a database with replicas: the database, the query, the key, when it was sent, when
# answered, how many changes of the key it found (None: it made one), and the number of its server.
Version = tuple[str, str, int, float, float, int | None, int]


class Trace:
    """The spans of one request at one replica, while it is there."""

    __slots__ = (
        *("admitted_s", "arrival_s", "attempt", "background", "operation", "own_time_s", "refused_s"),
        *("replica", "request", "rows"),
        "versions",
    )

    def __init__(
        self, *, request: int, attempt: int, operation: str, arrival_s: float, replica: int, background: bool = False
    ) -> None:
        self.request = request
        self.background = background
        self.replica = replica
        self.attempt = attempt
        self.operation = operation
        self.arrival_s = arrival_s
        self.admitted_s: float | None = None
        self.refused_s: float | None = None
        self.own_time_s = 0.0
        self.rows: list[Row] = []
        self.versions: list[Version] = []

    def worked(self, since_s: float) -> None:
        """Count the time since then as the service's own work."""
        self.own_time_s += time.monotonic() - since_s

    def add_cache(
        self,
        component: str,
        operation: CacheOperation,
        *,
        since_s: float,
        outcome: Outcome,
        hit: bool | None,
    ) -> None:
        """Record one exchange with a cache: nothing is waited for before it is sent."""
        now = time.monotonic()
        self.rows.append((component, 0, operation, since_s, since_s, now, 0.0, now - since_s, outcome, hit))

    def add_waiting(
        self, component: str, operation: Literal["flight", "poll"], *, since_s: float, outcome: Outcome
    ) -> None:
        """Record a wait of this replica for what another request does for a cache."""
        now = time.monotonic()
        self.rows.append((component, self.replica, operation, since_s, now, now, now - since_s, 0.0, outcome, None))

    def add_query(
        self, component: str, operation: str, *, since_s: float, connected_s: float | None, outcome: Outcome
    ) -> None:
        """Record one query: the wait is for a connection of the pool, the service is the statement.

        The pool belongs to the replica that asks, so that replica's number is recorded with it.
        """
        now = time.monotonic()
        if connected_s is None:
            self.rows.append((component, self.replica, operation, since_s, None, now, None, None, outcome, None))
        else:
            wait = connected_s - since_s
            self.rows.append(
                (component, self.replica, operation, since_s, connected_s, now, wait, now - connected_s, outcome, None)
            )

    def add_statement(self, component: str, operation: str, *, since_s: float, outcome: Outcome) -> None:
        """Record one statement of a transaction, way there and back included, so that its own time is not known."""
        now = time.monotonic()
        row: Row = (f"{component}.server", 0, operation, since_s, since_s, now, 0.0, None, outcome, None)
        self.rows.append(row)

    def add_publish(self, queue: str, *, since_s: float, outcome: Outcome) -> None:
        """Record one publishing: the exchange with the broker, and what it said."""
        now = time.monotonic()
        self.rows.append((f"{queue}.publish", 0, "publish", since_s, since_s, now, 0.0, now - since_s, outcome, None))


class SpanWriter:
    """Appends finished requests, and what becomes of messages, to a file of this replica."""

    def __init__(self, *, path: Path, component: str, replica: int) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._component = component
        self.replica = replica

    def write(self, trace: Trace, *, departure_s: float | None, outcome: Outcome) -> None:
        """Write a request that has left (or, with no departure, one that is still here)."""
        until_s = trace.refused_s if trace.admitted_s is None else trace.admitted_s
        waited = None if until_s is None else until_s - trace.arrival_s
        own = trace.own_time_s if trace.admitted_s is not None and departure_s is not None else None
        mine: Row = (
            self._component, self.replica, trace.operation, trace.arrival_s, trace.admitted_s,
            departure_s, waited, own, outcome, None,
        )  # fmt: skip
        self._write([trace.request, trace.attempt, [mine, *trace.rows], trace.versions, trace.background])

    def write_row(self, request: int, attempt: int, row: Row) -> None:
        """Write one span of an attempt that is no visit to the replica's own service."""
        self._write([request, attempt, [row]])

    def note(self, **fields: str | float | bool | None) -> None:
        """Write what happened to a message, there and then: a killed process has no later."""
        self._write(fields)

    def _write(self, said: object) -> None:
        line = json.dumps(said, separators=(",", ":")) + "\n"
        os.write(self._fd, line.encode())
