"""Whom a waiting room lets in and when, worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from lab.simulation.request import Outcome
from tests.unit.backends import live, observe, scenario, service, waiting

OK, REJECTED, TIMEOUT = Outcome.OK, Outcome.REJECTED, Outcome.TIMEOUT


def _room(time: str = "1s", **room: Any) -> dict[str, Any]:
    return {"room": {"kind": "waiting_room", "targets": "api"} | room, "api": service(waiting(time))}


def _ended(starts_s: list[float], *, client: dict[str, Any] | None = None, **room: Any) -> list[tuple[float, Outcome]]:
    described = scenario(_room(**room), entry="room", client=client or {})
    requests, _ = observe(described, starts_s)
    return list(zip(requests["end_s"].round(9), requests["outcome"], strict=True))


def test_so_many_are_inside_and_the_others_follow_in_the_order_of_coming() -> None:
    """Two inside for a second each; the third and the fourth follow, and a place that is free takes at once."""
    ended = _ended([0.0, 0.2, 0.3, 0.4, 5.0], max_active=2)
    assert ended == [(1.0, OK), (1.2, OK), (2.0, OK), (2.2, OK), (6.0, OK)]


def test_an_admission_rate_lets_one_in_after_another() -> None:
    """At 2/s those who come together are let in at 0, 0.5, 1.0; after a pause nobody has saved up a burst."""
    ended = _ended([0.0, 0.0, 0.0, 5.0, 5.0], admission_rate="2/s")
    assert ended == [(1.0, OK), (1.5, OK), (2.0, OK), (6.0, OK), (6.5, OK)]


def test_both_limits_hold_together() -> None:
    """One inside at a time, and no two within 1.5 s: the second starts when the interval is over, not the place."""
    ended = _ended([0.0, 0.0, 0.0], admission_rate="40/min", max_active=1)
    assert ended == [(1.0, OK), (2.5, OK), (4.0, OK)]


def test_a_full_line_and_a_long_wait_end_in_503() -> None:
    """One waits, the next finds the line full at once; a second later the one who waits has waited too long."""
    assert _ended([0.0, 0.1, 0.2], time="9s", max_active=1, max_queue=1, queue_timeout="3s") == [
        (9.0, OK),
        (3.1, REJECTED),
        (0.2, REJECTED),
    ]


def test_who_gives_up_leaves_the_line() -> None:
    """The first is worked on to 3 s, for nobody; the second has left the line by then, so the third is let in."""
    described = scenario(_room("3s", max_active=1), entry="room", client={"timeout": "2s"})
    requests, visits = observe(described, [0.0, 0.5, 2.9])
    assert requests["outcome"].tolist() == [TIMEOUT] * 3
    rows = visits[visits["component"] == "room"]
    assert rows["admitted_s"].tolist() == pytest.approx([0.0, float("nan"), 3.0], nan_ok=True)
    assert rows["outcome"].tolist() == [OK, TIMEOUT, OK]
    assert rows["departure_s"].tolist() == pytest.approx([3.0, 2.5, 6.0])
    assert (visits["component"] == "api").sum() == 2


def test_the_wait_is_the_rooms_own() -> None:
    """The row of who waited tells for how long; whoever is inside costs the room no time."""
    _, visits = observe(scenario(_room(max_active=1), entry="room"), [0.0, 0.4])
    rows = visits[visits["component"] == "room"]
    assert rows["waiting_time_s"].tolist() == pytest.approx([0.0, 0.6])
    assert rows["service_time_s"].tolist() == [0.0, 0.0]


def test_a_client_keeps_its_place_while_it_is_active() -> None:
    """One place, two users who ask a second apart: the second is in when the first has asked for nothing for 2.5 s."""
    workload = {
        "kind": "sessions",
        "arrival_rate": {"kind": "herd", "clients": 2, "at": "0s"},
        "journeys": {
            "three": {
                "requests": [
                    {"endpoint": "get"},
                    {"endpoint": "get", "think_time": "1s"},
                    {"endpoint": "get", "think_time": "1s"},
                ]
            }
        },
    }
    parts = _room("100ms", max_active=1, session_duration="2500ms")
    requests, _ = live(scenario(parts, entry="room", workload=workload))
    starts_s, ends_s = (requests[column].round(9).tolist() for column in ("intended_start_s", "end_s"))
    assert starts_s[:3] == [0.0, 1.1, 2.2]
    assert ends_s[:3] == [0.1, 1.2, 2.3]  # inside, it comes and goes
    assert ends_s[3] == 4.8  # 2.2 + 2.5 until the place is free, and 0.1 s of work
    assert starts_s[4:] == [5.8, 6.9]
    assert ends_s[4:] == [5.9, 7.0]
