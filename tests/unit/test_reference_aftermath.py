"""What faults mean for the traces: numbers of replicas, notices of HAProxy's, visits that were cut off."""

from __future__ import annotations

import math
from typing import Any

import pytest

from reference_backend.aftermath import Aftermath, Death, Renumbering
from reference_backend.clock import Clock

CLOCK = Clock(zero_s=1000.0, wall_ahead_s=1_700_000_000.0)  # the schedule's zero is 2023-11-14T22:30:00Z
AFTERMATH = Aftermath(
    entry="edge",
    service_of={"edge": "api"},
    renumberings=[Renumbering(time_s=5.0, service="api", slot=0, number=2)],
    deaths=[Death(time_s=3.0, service="api", number=0)],
)


def span(**changes: Any) -> dict[str, Any]:
    """Return a span of the load balancer."""
    return {
        "request": 7,
        "attempt": 0,
        "component": "edge",
        "replica": 0,
        "operation": "read",
        "arrival_s": 2.9,
        "admitted_s": 2.9,
        "departure_s": 3.01,
        "waiting_time_s": 0.0,
        "service_time_s": math.nan,
        "outcome": "error",
        "hit": None,
        **changes,
    }


def test_a_server_is_another_replica_once_that_has_taken_its_place() -> None:
    """The slot stays, the number changes."""
    assert [AFTERMATH.replica("edge", 0, time_s) for time_s in (4.9, 5.1)] == [0, 2]
    assert AFTERMATH.replica("edge", 1, 9.0) == 1
    spans = [span(outcome="ok", admitted_s=6.0), span(outcome="ok", replica=-1)]
    AFTERMATH.revise(spans, [], {})
    assert [each["replica"] for each in spans] == [2, -1]


def test_notices_of_haproxy_become_the_simulators_events() -> None:
    """Only what its checks found counts; times come by way of the wall clock."""
    text = (
        '2023-11-14T22:30:03.250000+00:00 Server edge/r0 is DOWN, reason: Layer4 connection problem, info: "refused".\n'
        "2023-11-14T22:30:05.500000+00:00 Server edge/r0 is UP, reason: Layer7 check passed, code: 200.\n"
        "2023-11-14T22:30:06.000000+00:00 Server edge/r1 is going DOWN for maintenance.\n"
        "2023-11-14T22:29:50.000000+00:00 Server edge/r1 is DOWN, reason: left over from before.\n"
    )
    told = [(each.time_s, each.component, each.kind, each.detail) for each in AFTERMATH.notices(text, CLOCK)]
    assert told == [
        (pytest.approx(3.25), "edge", "server_down", '{"replica":0,"server":0}'),
        (pytest.approx(5.5), "edge", "server_up", '{"replica":2,"server":0}'),
    ]


def test_what_died_with_a_replica_has_a_visit_there_until_the_death() -> None:
    """What another replica failed at, or what has its own line, is left alone."""
    spans = [
        span(),
        span(request=8, replica=1),
        span(request=9),
        span(request=9, component="api", arrival_s=2.9, departure_s=2.95),
    ]
    AFTERMATH.revise(spans, [], {})
    (cut,) = spans[4:]
    assert (cut["request"], cut["component"], cut["replica"], cut["outcome"]) == (7, "api", 0, "error")
    assert (cut["arrival_s"], cut["departure_s"]) == (2.9, 3.0)
    assert math.isnan(cut["service_time_s"])


def test_connections_that_broke_off_as_a_replica_died_are_planned() -> None:
    """HAProxy logs nothing of them: the client's attempt says when; an error long after has another reason."""
    struck = {"request": 4, "attempt": 0, "start_s": 2.8, "end_s": 3.01, "status": None, "outcome": "error"}
    attempts = [
        struck,
        {**struck, "request": 5, "end_s": 3.5},
        {**struck, "request": 6, "status": 502},
        {**struck, "request": 7, "start_s": 2.0, "end_s": 2.5},
    ]
    assert [(attempt["request"], number) for attempt, number in AFTERMATH.broken_off(attempts)] == [(4, 0)]
    spans: list[dict[str, Any]] = []
    AFTERMATH.revise(spans, attempts, {4: "read"})
    assert [(each["component"], each["replica"], each["outcome"]) for each in spans] == [
        ("edge", 0, "error"),
        ("api", 0, "error"),
    ]
    assert [each["departure_s"] for each in spans] == [3.01, 3.0]
