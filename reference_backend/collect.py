"""From the lines that replicas and HAProxy wrote to one table of spans."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa
import pyarrow.parquet as pq

from reference_backend import edge_cache, haproxy
from reference_backend.aftermath import Aftermath
from reference_backend.clock import Clock
from reference_backend.edge_cache import EdgeCache
from reference_backend.happenings import Happening
from reference_backend.problems import PartFailed
from reference_backend.staleness import server_spans
from reference_backend.stays import Stays

SPANS = pa.schema(
    [
        ("request", pa.int64()),
        ("attempt", pa.int32()),
        ("component", pa.string()),
        ("replica", pa.int32()),
        ("operation", pa.string()),
        ("arrival_s", pa.float64()),
        ("admitted_s", pa.float64()),
        ("departure_s", pa.float64()),
        ("waiting_time_s", pa.float64()),
        ("service_time_s", pa.float64()),
        ("outcome", pa.string()),
        ("hit", pa.bool_()),
        ("stale", pa.bool_()),
        ("abandoned", pa.bool_()),
        ("background", pa.bool_()),
    ]
)
EVENTS = pa.schema(
    [("time_s", pa.float64()), ("component", pa.string()), ("kind", pa.string()), ("detail", pa.string())]
)
NO_REPLICA = -1  # HAProxy chose no server: the request waited in the backend's queue until it was refused
_GIVEN_UP = ("timeout", "cancelled")  # how attempts end that their client does not wait for any more
_MILLISECOND_S = 0.001
_ARRIVAL = 3  # the place of the arrival in a row of a replica's line

Span = dict[str, object]


def replica_spans(text: str, clock: Clock) -> list[Span]:
    """Return the spans in a replica's lines.

    Those of the warm-up (request -1) are left out, and those that were left over from a repeat before: their ids are
    given again in this one.
    """
    spans = []
    for line in text.splitlines():
        written = json.loads(line)
        if isinstance(written, dict):
            continue  # what happened to a message: see stays
        request, attempt, rows, *said = written
        background = bool(said) and said[-1] is True
        if request < 0 or not clock.is_of_this_repeat(rows[0][_ARRIVAL] - clock.zero_s):
            continue
        for component, replica, operation, arrival, admitted, departure, waiting, service, outcome, hit in rows:
            spans.append(
                {
                    "request": request,
                    "attempt": attempt,
                    "component": component,
                    "replica": replica,
                    "operation": operation,
                    "arrival_s": arrival - clock.zero_s,
                    "admitted_s": _relative(admitted, clock),
                    "departure_s": _relative(departure, clock),
                    "waiting_time_s": math.nan if waiting is None else waiting,
                    "service_time_s": math.nan if service is None else service,
                    "outcome": outcome,
                    "hit": hit,
                    "background": background,
                }
            )
    return spans


def _relative(monotonic_s: float | None, clock: Clock) -> float:
    return math.nan if monotonic_s is None else monotonic_s - clock.zero_s


def balancer_spans(
    text: str,
    clock: Clock,
    limiters: Mapping[str, tuple[str, frozenset[str] | None]] = MappingProxyType({}),
    edge_caches: Mapping[str, EdgeCache] = MappingProxyType({}),
) -> list[Span]:
    """Return the spans in HAProxy's log, and those of the rate limiters that it keeps itself.

    The start is exact to microseconds, durations are whole milliseconds. HAProxy's own work cannot be told from what it
    waits for at that resolution, so the service time is NaN.
    """
    spans = []
    for line in text.splitlines():
        words = line.split()
        if len(words) != len(haproxy.LOG_FIELDS):
            continue  # a notice of HAProxy's own, such as a server that went down
        entry = dict(zip(haproxy.LOG_FIELDS, words, strict=True))
        if not entry["request"].isdigit():
            continue  # a warm-up or readiness request
        arrival_s = int(entry["start_us"]) / 1e6 - clock.wall_ahead_s - clock.zero_s
        if not clock.is_of_this_repeat(arrival_s):
            continue  # it was left over from a repeat before
        limiter, guarded = limiters.get(entry["frontend"], ("", frozenset()))
        if guarded is None or _endpoint(entry) in guarded:
            spans.append(_limiter_span(limiter, entry, arrival_s))
            if int(entry["status"]) == HTTPStatus.TOO_MANY_REQUESTS:
                continue  # it came no further
        edge = edge_caches.get(entry["frontend"])
        if edge is not None:
            status = balancer_outcome(int(entry["status"]))
            spans.append(edge_cache.visit(edge, entry, _endpoint(entry), arrival_s=arrival_s, outcome=status))
            continue
        # While a server refuses the connection, the request waits just as it does in the queue.
        queued_ms, connecting_ms = int(entry["Tw"]), int(entry["Tc"])
        waited_ms = queued_ms + connecting_ms
        replica = haproxy.replica_of(entry["server"])
        admitted = queued_ms >= 0 and connecting_ms >= 0 and replica is not None
        spans.append(
            {
                "request": int(entry["request"]),
                "attempt": int(entry["attempt"]),
                "component": entry["frontend"],
                "replica": NO_REPLICA if replica is None else replica,
                "operation": _endpoint(entry),
                "arrival_s": arrival_s,
                "admitted_s": arrival_s + waited_ms * _MILLISECOND_S if admitted else math.nan,
                "departure_s": arrival_s + int(entry["Ta"].lstrip("+")) * _MILLISECOND_S,
                "waiting_time_s": waited_ms * _MILLISECOND_S if admitted else math.nan,
                "service_time_s": math.nan,
                "outcome": balancer_outcome(int(entry["status"])),
                "hit": None,
                "background": False,
            }
        )
    return spans


def _endpoint(entry: Mapping[str, str]) -> str:
    return entry["path"].lstrip("/").partition("?")[0]


def _limiter_span(limiter: str, entry: Mapping[str, str], arrival_s: float) -> Span:
    """Return the visit to a limit that HAProxy keeps; its look into the table takes no time that could be seen."""
    passed = int(entry["status"]) != HTTPStatus.TOO_MANY_REQUESTS
    return {
        "request": int(entry["request"]),
        "attempt": int(entry["attempt"]),
        "component": limiter,
        "replica": 0,
        "operation": _endpoint(entry),
        "arrival_s": arrival_s,
        "admitted_s": arrival_s if passed else math.nan,
        "departure_s": arrival_s,
        "waiting_time_s": 0.0,
        "service_time_s": 0.0,
        "outcome": "ok" if passed else "rejected",
        "hit": None,
    }


def balancer_outcome(status: int) -> str:
    """Return what an answer's status says about a visit to the load balancer.

    >>> [balancer_outcome(status) for status in (200, 503, 429, 504, 502, -1)]
    ['ok', 'rejected', 'rejected', 'timeout', 'error', 'error']
    """
    if HTTPStatus.OK <= status < HTTPStatus.BAD_REQUEST:
        return "ok"
    if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        return "rejected"
    return "timeout" if status == HTTPStatus.GATEWAY_TIMEOUT else "error"


def mark_abandoned(spans: list[Span], attempts: list[dict[str, object]]) -> None:
    """Say of each span whether its client had given up before it ended; null where the attempt is not known."""
    gave_up = {
        (attempt["request"], attempt["attempt"]): attempt["end_s"] if attempt["outcome"] in _GIVEN_UP else math.inf
        for attempt in attempts
    }
    for span in spans:
        end_s = gave_up.get((span["request"], span["attempt"]))
        departure_s = span["departure_s"]
        if not isinstance(end_s, float) or not isinstance(departure_s, float):
            span["abandoned"] = None
        elif math.isnan(departure_s):
            span["abandoned"] = end_s < math.inf
        else:
            span["abandoned"] = departure_s > end_s


def add_unfinished(
    spans: list[Span], attempts: list[dict[str, object]], balancer: str, endpoints: dict[object, str]
) -> None:
    """Add a span in flight for each attempt that entered a load balancer and left no line there yet."""
    seen = {(span["request"], span["attempt"]) for span in spans if span["component"] == balancer}
    for attempt in attempts:
        # An attempt that ended in an error may never have reached the load balancer.
        if (attempt["request"], attempt["attempt"]) in seen or attempt["outcome"] not in (*_GIVEN_UP, "in_flight"):
            continue
        unknown = dict.fromkeys(("admitted_s", "departure_s", "waiting_time_s", "service_time_s"), math.nan)
        spans.append(
            {
                "request": attempt["request"],
                "attempt": attempt["attempt"],
                "component": balancer,
                "replica": NO_REPLICA,
                "operation": endpoints[attempt["request"]],
                "arrival_s": attempt["start_s"],
                **unknown,
                "outcome": "in_flight",
                "hit": None,
                "background": False,
            }
        )


class Trails:
    """The files that parts append to, and how far each has been read."""

    def __init__(
        self,
        *,
        span_files: Callable[[], list[Path]],
        haproxy_log: Path | None,
        limiters: Mapping[str, tuple[str, frozenset[str] | None]] = MappingProxyType({}),
        edge_caches: Mapping[str, EdgeCache] = MappingProxyType({}),
    ) -> None:
        self._edge_caches = edge_caches
        self._span_files = span_files
        self._limiters = limiters
        self._haproxy_log = haproxy_log
        self._read: dict[Path, int] = {}
        self.events: list[Happening] = []

    def skip(self) -> None:
        """Forget what has been written so far."""
        for path in (*self._span_files(), *([self._haproxy_log] if self._haproxy_log else [])):
            self._rest(path)

    def collect(self, folder: Path, clock: Clock, entry: str | None, aftermath: Aftermath) -> int:
        """Write ``spans.parquet`` of what was written since; return the number of spans.

        What happened to messages is in ``events`` afterwards.

        Args:
            folder: where ``requests.parquet`` and ``attempts.parquet`` lie.
            clock: the clock of this repeat.
            entry: the load balancer through which the requests entered, if they did.
            aftermath: of faults, which the parts could not know of when they wrote their spans.

        Raises:
            PartFailed: there is not a single span.
        """
        texts = [self._rest(path) for path in self._span_files()]
        spans = [span for text in texts for span in replica_spans(text, clock)]
        spans += server_spans(texts, clock)  # of all replicas together: one reads what another has written
        stays = Stays(texts, clock)
        spans += stays.spans()
        self.events = stays.events()
        if self._haproxy_log is not None:
            spans += balancer_spans(self._rest(self._haproxy_log), clock, self._limiters, self._edge_caches)
        attempts = pq.read_table(folder / "attempts.parquet").to_pylist()
        requests = pq.read_table(folder / "requests.parquet", columns=["request", "endpoint"]).to_pylist()
        endpoint_of = {row["request"]: row["endpoint"] for row in requests}
        if entry is not None:
            add_unfinished(spans, attempts, entry, endpoint_of)
        if not spans:
            raise PartFailed(
                "collector",
                "the parts have left no span",
                why="without them nothing is known of what happened inside the backend",
                do="look whether the requests reached it: attempts.parquet says how they ended",
            )
        aftermath.revise(spans, attempts, endpoint_of)
        mark_abandoned(spans, attempts)
        spans.sort(key=lambda span: (span["arrival_s"], span["request"], span["attempt"], span["component"]))
        pq.write_table(pa.Table.from_pylist(spans, schema=SPANS), folder / "spans.parquet")
        return len(spans)

    def _rest(self, path: Path) -> str:
        """Return the complete lines that were written since the last look."""
        with path.open("rb") as file:
            file.seek(self._read.get(path, 0))
            data = file.read()
        complete = data[: data.rfind(b"\n") + 1]
        self._read[path] = self._read.get(path, 0) + len(complete)
        return complete.decode(errors="replace")
