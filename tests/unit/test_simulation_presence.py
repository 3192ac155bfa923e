"""Users that go offline and come back, by hand."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

import lab
from lab.errors import ScenarioError
from lab.randomness import Stream
from lab.scenario.closed_bounds import closed_bounds
from lab.scenario.presence import OnOff
from lab.simulation.presence import Attendance
from tests.unit.backends import live, scenario, waiting

_PRESENCE = {"online": "10s", "offline": "5s"}


def _users(presence: dict[str, Any] | None, *, population: int = 1, **workload: Any) -> lab.Scenario:
    closed = {"kind": "closed", "population": population, "think_time": "4s", "endpoints": {"get": "100%"}}
    api = {"kind": "service", "endpoints": {"get": [waiting("0s")], "sync": [waiting("0s")]}}
    return scenario({"api": api}, workload=closed | {"presence": presence} | workload)


def test_stretches_alternate_and_hang_on_nobody_else() -> None:
    """Whoever is asked for late has come and gone as if asked all the time."""
    spec = OnOff.model_validate({"online": {"kind": "exponential", "mean": "10s"}, "offline": "5s"})
    stream = Stream(seed=1, replication=0, name="workload/presence")
    often, once = Attendance(spec=spec, stream=stream), Attendance(spec=spec, stream=stream)
    seen = [often.at(3, time_s / 2) for time_s in range(400)]
    assert once.at(3, 199.5) == seen[-1]
    assert {online for online, _ in seen} == {True, False}
    offline = [until_s for online, until_s in seen if not online]
    began = [
        (seen[number - 1][1], seen[number][1]) for number in range(1, 400) if seen[number - 1][0] > seen[number][0]
    ]
    assert began
    assert offline
    assert all(until_s - began_s == pytest.approx(5) for began_s, until_s in began)


def test_users_ask_and_think_only_while_they_are_online() -> None:
    """A user thinks 4 s of every 10 online: two requests a stretch, and what is left of the thinking waits 5 s."""
    requests, _ = live(_users(_PRESENCE))
    times_s = requests["start_s"].tolist()
    first = times_s[0]
    assert first in (0.0, 5.0)  # online at the start, or back after 5 s
    assert [round(time_s - first, 6) for time_s in times_s[:5]] == [0, 4, 8, 17, 21]
    gaps = {round(after - before, 6) for before, after in pairwise(times_s)}
    assert gaps <= {4.0, 9.0}


def test_on_coming_back_they_reconnect_first() -> None:
    """Back after 5 s offline, the user asks sync, and then goes on with the 2 s of thinking that were left."""
    requests, _ = live(_users(_PRESENCE | {"reconnect": "sync"}))
    asked = list(zip(requests["start_s"].round(6), requests["endpoint"], strict=True))
    back = [number for number, (_, endpoint) in enumerate(asked) if endpoint == "sync"]
    assert back
    first = next(number for number in back if number >= 2)
    assert asked[first][0] - asked[first - 1][0] == pytest.approx(7)  # 2 s of thinking, and 5 s offline
    assert asked[first + 1] == (pytest.approx(asked[first][0] + 2), "get")


def test_who_comes_and_goes_asks_less_on_paper_too() -> None:
    """Online two thirds of the time, thinking 4 s: a request each 6 s; with a reconnect each 15 s besides."""
    assert closed_bounds(_users(_PRESENCE)).think_time_s == pytest.approx(6)
    reconnecting = closed_bounds(_users(_PRESENCE | {"reconnect": "sync"}))
    assert reconnecting.think_time_s == pytest.approx(1 / (1 / 6 + 1 / 15))


@pytest.mark.parametrize(
    ("presence", "says"),
    [
        ({"online": "0s", "offline": "5s"}, "online takes no time"),
        (_PRESENCE | {"reconnect": "put"}, "workload.presence.reconnect: the entry 'api' has no endpoint of this name"),
    ],
)
def test_a_presence_that_makes_no_sense_is_refused(presence: dict[str, Any], says: str) -> None:
    """Stretches take time, and what is asked on coming back exists."""
    with pytest.raises(ScenarioError, match=says):
        _users(presence)
