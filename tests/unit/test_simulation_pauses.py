"""Pauses: a process stands still by itself, in the middle of its computing too, and goes on where it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lab.errors import ScenarioError
from lab.scenario.scenario import Scenario
from tests.unit.autoscaled import Watched
from tests.unit.backends import observe, scenario, service

_CPU = {"kind": "cpu", "time": "1s"}
_PAUSES = {"pauses": {"every": "10s", "time": "4s"}}


def _ends(described: Scenario, starts_s: list[float]) -> list[float]:
    requests, _ = observe(described, starts_s)
    return [round(end_s, 9) for end_s in requests["end_s"]]


def test_a_pause_stops_computing_and_who_comes_waits() -> None:
    """From 10 to 14 s and from 24 to 28 s: half a second of the first is left, and who came meanwhile is next."""
    described = scenario({"api": service(_CPU, **_PAUSES)})
    assert _ends(described, [8.0, 9.5, 11.0, 23.0, 30.0]) == [9.0, 14.5, 15.5, 24.0, 31.0]


def test_each_process_pauses_for_itself() -> None:
    """Two workers with exponential gaps are not stopped at the same times."""
    pauses = {"every": {"kind": "exponential", "mean": "10s"}, "time": "4s"}
    described = scenario({"api": service(_CPU, pauses=pauses, workers=2)})
    _, visits = observe(described, [float(second) for second in range(90)])
    stopped = visits[visits["component"] == "api.process"]
    begins = {replica: set(own["arrival_s"].round(3)) for replica, own in stopped.groupby("replica")}
    assert set(begins) == {0, 1}
    assert not begins[0] & begins[1]


def test_a_fault_and_a_pause_together_end_with_the_later_one() -> None:
    """A hang from 12 s to 16 s lasts longer than the pause; one from 11 s to 13 s does not."""
    for hang, ends_s in (({"at": "12s", "duration": "4s"}, 16.5), ({"at": "11s", "duration": "2s"}, 14.5)):
        fault = {"kind": "hang", "component": "api"} | hang
        described = scenario({"api": service(_CPU, **_PAUSES)}, faults=[fault])
        assert _ends(described, [9.5]) == [ends_s]


def test_a_new_process_begins_with_a_gap() -> None:
    """After a crash at 12 s, in a pause, the next one runs from 12 s to its own first pause at 22 s."""
    crash = {"kind": "crash", "component": "api", "at": "12s", "restart_after": "0s"}
    described = scenario({"api": service(_CPU, **_PAUSES)}, faults=[crash])
    watched = Watched(described, np.array([13.0, 21.5]), own_balancer=False)
    assert list(watched.requests["end_s"].round(9)) == [14.0, 26.5]


@pytest.mark.parametrize("key", ["every", "time"])
def test_pauses_take_time(key: str) -> None:
    """Without gaps nothing would ever go on, and pauses of no length are none."""
    pauses: dict[str, Any] = _PAUSES["pauses"] | {key: "0s"}
    with pytest.raises(ScenarioError, match=f"pauses.{key}: 0s would stop the process for ever or never"):
        scenario({"api": service(_CPU, pauses=pauses)})
