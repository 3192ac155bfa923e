"""What publishers and consumers noted, put together: stays of messages, and what happened to them."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from reference_backend.clock import Clock
from reference_backend.stays import Stays

CLOCK = Clock(zero_s=100.0, wall_ahead_s=0.0)
WHOSE = {"queue": "jobs", "request": 7, "attempt": 0, "operation": "work"}


def _published(entry: str = "1-0", at_s: float = 101.0, **other: Any) -> dict[str, Any]:
    return WHOSE | {"what": "published", "entry": entry, "since_s": at_s - 1, "at_s": at_s, "dropped": ""} | other


def _delivered(number: int, at_s: float, *, replica: int = 0, settled: bool = False) -> dict[str, Any]:
    note = {"what": "delivered", "entry": "1-0", "delivery": number, "at_s": at_s, "replica": replica}
    return WHOSE | note | {"settled": settled}


def _worked(number: int, at_s: float, *, ok: bool = True, acknowledged: bool = True) -> dict[str, Any]:
    note = {"what": "worked", "entry": "1-0", "delivery": number, "worked_s": at_s, "at_s": at_s + 1, "replica": 0}
    return WHOSE | note | {"ok": ok, "acknowledged": acknowledged, "acknowledging_s": 1.0 if ok else None}


def _expired(number: int, at_s: float, *, dead: bool = False) -> dict[str, Any]:
    return {"what": "expired", "queue": "jobs", "entry": "1-0", "delivery": number, "at_s": at_s, "dead": dead}


def _stays(*notes: dict[str, Any]) -> tuple[list[tuple[float, float, float, str]], list[tuple[float, str]]]:
    """Return (arrival, admission, departure, outcome) of each stay, and the events."""
    texts = ["".join(json.dumps(note) + "\n" for note in notes), '[7, 0, [["api"]], [], false]\n']
    stays = Stays(texts, CLOCK)
    spans = [span for span in stays.spans() if span["component"] == "jobs"]
    rows = [(span["arrival_s"], span["admitted_s"], span["departure_s"], span["outcome"]) for span in spans]
    return rows, [(event.time_s, event.kind) for event in stays.events()]  # type: ignore[return-value]  # as written


def test_a_message_that_is_worked_on_and_acknowledged_has_one_stay() -> None:
    """The broker had it halfway through the publishing; the stay ends with the work."""
    assert _stays(_published(), _delivered(1, 102), _worked(1, 105)) == ([(0.5, 2, 5, "ok")], [])


def test_a_consumer_that_died_leaves_an_error_and_the_message_comes_again() -> None:
    """It noted that it had the message, and then nothing: that is how a killed process looks."""
    rows, events = _stays(_published(), _delivered(1, 102), _expired(1, 105), _delivered(2, 105.5), _worked(2, 107))
    assert rows == [(0.5, 2, 5, "error"), (5, 5.5, 7, "ok")]
    assert events == [(5, "redelivery")]


def test_a_slow_consumer_leaves_a_timeout_and_its_message_is_done_twice() -> None:
    """Its acknowledgement came first and settled the second delivery, whose own was for nothing."""
    notes = [_published(), _delivered(1, 102), _expired(1, 105), _delivered(2, 105.5), _worked(1, 106)]
    rows, events = _stays(*notes, _worked(2, 108, acknowledged=False))
    assert rows == [(0.5, 2, 5, "timeout"), (5, 5.5, 6, "ok")]
    assert events == [(5, "redelivery"), (8, "processed_again")]


def test_a_message_settled_by_another_before_its_next_consumer_knows_of_it_is_admitted_no_later() -> None:
    """Claimed at 5, acknowledged by the first worker at 5.2, noted by the second at 5.5; or just before the claim."""
    notes = [_published(), _delivered(1, 102), _expired(1, 105), _delivered(2, 105.5)]
    rows, _ = _stays(*notes, _worked(1, 105.2), _worked(2, 108, acknowledged=False))
    assert rows[1] == (5, pytest.approx(5.2), pytest.approx(5.2), "ok")
    rows, _ = _stays(*notes, _worked(1, 104.999), _worked(2, 108, acknowledged=False))
    assert rows[1] == (5, 5, 5, "ok")


def test_work_that_fails_again_and_again_ends_as_a_dead_letter() -> None:
    """Two deliveries fail; the second expiry is the last."""
    notes = [_published(), _delivered(1, 102), _worked(1, 103, ok=False, acknowledged=False), _expired(1, 105)]
    notes += [_delivered(2, 105), _worked(2, 106, ok=False, acknowledged=False), _expired(2, 109, dead=True)]
    rows, events = _stays(*notes)
    assert rows == [(0.5, 2, 5, "error"), (5, 5, 9, "error")]
    assert events == [(5, "redelivery"), (9, "dead_letter")]


def test_acknowledged_on_delivery_it_is_settled_then_and_lost_when_the_work_fails() -> None:
    """At most once."""
    rows, events = _stays(_published(), _delivered(1, 102, settled=True), _worked(1, 104, ok=False))
    assert rows == [(0.5, 2, 2, "ok")]
    assert events == [(4, "lost")]


def test_what_was_dropped_for_another_was_never_delivered() -> None:
    """All of its stay was waiting."""
    rows, events = _stays(_published(), _published("2-0", 103, dropped="1-0"))
    assert rows[0][2:] == (3, "rejected")
    assert math.isnan(rows[0][1])
    assert rows[1][3] == "in_flight"
    assert events == [(3, "dropped")]


def test_messages_of_the_warm_up_and_of_the_repeat_before_are_left_out() -> None:
    """Requests of the warm-up are -1; what was published before the schedule's zero belongs elsewhere."""
    assert _stays(_published(request=-1)) == ([], [])
    assert _stays(_published(at_s=90.0), _delivered(1, 103), _worked(1, 104)) == ([], [])
