"""The load generator as a client that gives up, breaks and hedges, and a service that breaks: against real servers."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from reference_backend.load.schedule import Planned, Schedule
from tests.measured.support import run_once

pytestmark = pytest.mark.measured

BREAKER = {"window": 5, "minimum": 5, "failure_ratio": 1.0, "open_for_s": 60.0, "half_open": 1}


def deployment(client: dict[str, object], *, call: dict[str, object] | None = None) -> dict[str, object]:
    """Return a service that waits, and one that calls it."""
    step = {"kind": "call", "target": "inner", "endpoint": "get", "demands": 1, **(call or {})}
    return {
        "schema_version": 1,
        "name": "patience",
        "entry": "outer",
        "client": client,
        "parts": {
            "outer": {"kind": "service", "endpoints": {"page": {"demands": 1, "steps": [step]}}},
            "inner": {
                "kind": "service",
                "endpoints": {"get": {"demands": 1, "steps": [{"kind": "wait", "demand": 0}]}},
            },
        },
    }


def schedule(*demands_s: tuple[float, ...]) -> Schedule:
    """Return requests 150 ms apart; the demands of each, an attempt after the other."""
    requests = tuple(
        Planned(
            request=number,
            endpoint="page",
            key=number,
            intended_start_s=0.2 + 0.15 * number,
            demands_s=own,
            backoffs_s=(0.0,) * (len(own) - 1),
        )
        for number, own in enumerate(demands_s)
    )
    return Schedule(duration_s=0.5 + 0.15 * len(requests), requests=requests)


def test_a_slow_copy_loses_and_is_served_to_its_end(tmp_path: Path) -> None:
    """The first copy takes 0.9 s, the second 10 ms: the second answers, the first is worked on for nobody."""
    hedging = {"timeout_s": 5.0, "attempts": 2, "hedge": {"after_s": 0.05}}
    repeat = run_once(tmp_path, deployment(hedging), schedule((0.9, 0.01), (0.01, 0.01)))
    requests = pq.read_table(repeat / "requests.parquet").to_pylist()
    assert [(each["outcome"], each["attempts"]) for each in requests] == [("ok", 2), ("ok", 1)]
    attempts = pq.read_table(repeat / "attempts.parquet").to_pylist()
    assert [each["outcome"] for each in attempts] == ["cancelled", "ok", "ok"]
    spans = pq.read_table(repeat / "spans.parquet").to_pylist()
    loser = next(span for span in spans if (span["component"], span["request"], span["attempt"]) == ("inner", 0, 0))
    assert (loser["outcome"], loser["abandoned"]) == ("ok", True)
    assert loser["service_time_s"] > 0.9


def test_breakers_open_and_say_so(tmp_path: Path) -> None:
    """Calls of 0.5 s time out after 50 ms: after three the service calls no more, after five the client asks no more.

    What the service refuses fails too, so of nine requests the client sends five, and three reach the callee.
    """
    breaking = {"timeout_s": 5.0, "circuit_breaker": BREAKER}
    described = deployment(
        breaking, call={"timeout_s": 0.05, "circuit_breaker": {**BREAKER, "window": 3, "minimum": 3}}
    )
    repeat = run_once(tmp_path, described, schedule(*[(0.5,)] * 9))
    requests = pq.read_table(repeat / "requests.parquet").to_pylist()
    assert [each["outcome"] for each in requests] == ["error"] * 5 + ["rejected"] * 4
    assert [each["attempts"] for each in requests] == [1] * 5 + [0] * 4
    spans = pq.read_table(repeat / "spans.parquet").to_pylist()
    assert Counter(span["component"] for span in spans) == {"outer": 5, "inner": 3}
    events = pq.read_table(repeat / "events.parquet").to_pylist()
    changes = {each["component"]: json.loads(each["detail"]) for each in events if each["kind"] == "circuit_breaker"}
    opened = {"failure_ratio": 1.0, "from": "closed", "to": "open"}
    assert changes == {"client": opened, "outer": {**opened, "process": 0}}
