"""What every importer yields, and how a Run is made of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlsplit

import numpy as np
import pandas as pd

from lab.errors import NotEnoughData
from lab.runs.run import Run
from lab.runs.tables import REQUESTS, VISITS, Tables
from lab.units import format_duration

NOT_OBSERVED = (
    "intended starts: the tool says when a request was sent, so what its own closed loop held back is missing "
    "(coordinated omission), and the sojourn times run from the sending",
    "attempts: each that the tool made is a request of its own",
    "keys: all are 0",
)
_IDENTIFIER = re.compile(r"^(\d+|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27,}|[0-9a-fA-F]{16,})$")
_MOST_TOLD = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One request of somebody's log.

    Attributes:
        sent_s: when it was sent or came in, on the log's own clock (seconds).
        duration_s: until its answer; None where the log does not say.
        endpoint: what was asked for.
        outcome: ok, error, rejected or timeout.
    """

    sent_s: float
    duration_s: float | None
    endpoint: str
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A request's stay at one part, where a log knows of parts.

    Attributes:
        answer: the place of its request in the list of answers.
        waiting_time_s, service_time_s: None where the log does not say.
    """

    answer: int
    component: str
    operation: str
    arrived_s: float
    departed_s: float
    waiting_time_s: float | None
    service_time_s: float | None
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What was read from a file.

    Attributes:
        source: the file's name, without its folder.
        format: of the file.
        answers: in the file's order.
        stops: at parts behind the entry, where the format tells of them.
        problems: a sentence for each row that was left out, with its number; the first thousand.
        left_out: how many rows were left out.
        notes: what to know about the whole file.
    """

    source: str
    format: str
    answers: tuple[Answer, ...]
    problems: tuple[str, ...]
    left_out: int
    stops: tuple[Stop, ...] = ()
    notes: tuple[str, ...] = ()

    def run(self, *, warm_up: str = "0s") -> Run:
        """Return the measured Run: one repeat, times from the first request.

        Args:
            warm_up: what to leave out at the begin, such as ``10s``.

        Raises:
            NotEnoughData: the log has no durations, so there is only a schedule in it.
        """
        if any(answer.duration_s is None for answer in self.answers):
            raise NotEnoughData(
                f"{self.source}: says when requests came, but not how long they took; add the duration to the log's "
                "format, or use what is there as a schedule (lab import --schedule)"
            )
        order = sorted(range(len(self.answers)), key=lambda place: self.answers[place].sent_s)
        zero_s = self.answers[order[0]].sent_s
        numbers = {place: number for number, place in enumerate(order)}
        requests = REQUESTS.frame(self._requests(order, zero_s))
        last_s = float(requests["end_s"].max())
        return Run(
            world="measured",
            scenario={
                "name": re.sub(r"[^a-z0-9_]+", "_", self.source.lower()).strip("_") or "imported",
                "run": {"duration": format_duration(last_s + 1e-3), "warm_up": warm_up},
            },
            tables=Tables(requests=requests, visits=self._visits(numbers, zero_s)),
            seed=None,
            provenance={
                "imported": {
                    "source": self.source,
                    "format": self.format,
                    "rows": len(self.answers),
                    "left_out": self.left_out,
                    "problems": list(self.problems[:20]),
                    "notes": list(self.notes),
                }
            },
            unobserved=NOT_OBSERVED,
        )

    def schedule(self) -> pd.DataFrame:
        """Return the schedule that a replay workload reads: intended_start_s, endpoint; endpoints as plain names."""
        order = sorted(self.answers, key=lambda answer: answer.sent_s)
        return pd.DataFrame(
            {
                "intended_start_s": [answer.sent_s - order[0].sent_s for answer in order],
                "endpoint": [plain_name(answer.endpoint) for answer in order],
            }
        )

    def _requests(self, order: Sequence[int], zero_s: float) -> pd.DataFrame:
        answers = [self.answers[place] for place in order]
        starts = np.array([answer.sent_s for answer in answers]) - zero_s
        took = np.array([answer.duration_s for answer in answers], dtype=float)
        return pd.DataFrame(
            {
                "replication": 0,
                "request": np.arange(len(answers)),
                "endpoint": [answer.endpoint for answer in answers],
                "key": 0,
                "intended_start_s": starts,
                "start_s": starts,
                "end_s": starts + took,
                "sojourn_time_s": took,
                "outcome": [answer.outcome for answer in answers],
                "attempts": 1,
            }
        )

    def _visits(self, numbers: dict[int, int], zero_s: float) -> pd.DataFrame:
        if not self.stops:
            return VISITS.empty()
        waited = np.array([stop.waiting_time_s for stop in self.stops], dtype=float)
        arrived = np.array([stop.arrived_s for stop in self.stops]) - zero_s
        return VISITS.frame(
            pd.DataFrame(
                {
                    "replication": 0,
                    "request": [numbers[stop.answer] for stop in self.stops],
                    "attempt": 0,
                    "component": [stop.component for stop in self.stops],
                    "replica": 0,
                    "operation": [stop.operation for stop in self.stops],
                    "arrival_s": arrived,
                    "admitted_s": arrived + waited,
                    "departure_s": np.array([stop.departed_s for stop in self.stops]) - zero_s,
                    "waiting_time_s": waited,
                    "service_time_s": np.array([stop.service_time_s for stop in self.stops], dtype=float),
                    "outcome": [stop.outcome for stop in self.stops],
                    "hit": None,
                    "abandoned": None,
                }
            )
        )


@dataclass(slots=True, kw_only=True)
class Reading:
    """What an importer has read so far; it counts what it leaves out, and says why."""

    source: str
    answers: list[Answer] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    left_out: int = 0
    notes: list[str] = field(default_factory=list)

    def leave_out(self, where: str, why: str) -> None:
        """Count a row that cannot be used, and say why."""
        self.left_out += 1
        if len(self.problems) < _MOST_TOLD:
            self.problems.append(f"{self.source}: {where}: {why}")

    def done(self, kind: str) -> Imported:
        """Return what was read.

        Raises:
            NotEnoughData: no row could be used.
        """
        if not self.answers:
            said = "; ".join(self.problems[:3]) or "it has no rows"
            raise NotEnoughData(f"{self.source}: holds no request that can be read as {kind} ({said})")
        return Imported(
            source=self.source,
            format=kind,
            answers=tuple(self.answers),
            stops=tuple(self.stops),
            problems=tuple(self.problems),
            left_out=self.left_out,
            notes=tuple(self.notes),
        )


def endpoint_of(method: str, url: str) -> str:
    """Return the endpoint of a request: method and path, without the query, identifiers replaced.

    What names a person or a secret is most often in the query or in an identifier; neither is kept.

    >>> endpoint_of("GET", "https://api.example/users/1234/posts?token=x")
    'GET /users/{id}/posts'
    """
    path = urlsplit(url).path or "/"
    parts = ["{id}" if _IDENTIFIER.match(part) else part for part in path.split("/")]
    return f"{method.upper()} {'/'.join(parts)}".strip()


def plain_name(endpoint: str) -> str:
    """Return an endpoint's name as a scenario can write it.

    >>> plain_name("GET /users/{id}/posts")
    'get_users_id_posts'
    """
    name = re.sub(r"[^a-z0-9]+", "_", endpoint.lower()).strip("_")
    return name if name[:1].isalpha() else f"e_{name}".rstrip("_")


def outcome_of(status: int) -> str:
    """Return what an HTTP status means to the client; 0: there was no answer."""
    if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        return "rejected"
    if status == HTTPStatus.GATEWAY_TIMEOUT:
        return "timeout"
    return "ok" if 0 < status < HTTPStatus.BAD_REQUEST else "error"
