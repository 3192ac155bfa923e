"""Lightweight processes: who computes takes turns with the others, and nobody has to let go."""

from __future__ import annotations

from typing import Any

import pytest

from lab.errors import ScenarioError
from lab.scenario.scenario import Scenario
from tests.unit.backends import observe, scenario, service, waiting

_CPU = {"kind": "cpu", "time": "3s"}
_RUNTIME = {"runtime": "processes", "time_slice": "1s"}


def _ends(described: Scenario, starts_s: list[float]) -> list[float]:
    requests, _ = observe(described, starts_s)
    return [round(end_s, 9) for end_s in requests["end_s"]]


def test_they_take_turns_of_a_time_slice() -> None:
    """Two of three seconds from 0 s on, one core: the turns are A B A B A B."""
    assert _ends(scenario({"api": service(_CPU, **_RUNTIME)}), [0.0, 0.0]) == [5.0, 6.0]
    assert _ends(scenario({"api": service(_CPU, **_RUNTIME, schedulers=2)}), [0.0, 0.0]) == [3.0, 3.0]


def test_who_waits_for_others_goes_on_at_once() -> None:
    """An answer that comes while somebody computes for long is not held up; on an event loop it is."""
    steps = {"get": [waiting("1s")], "put": [_CPU]}
    lightweight = {"kind": "service", "endpoints": steps, **_RUNTIME}
    described = scenario({"api": lightweight}, workload=_both())
    requests, _ = observe(described, [0.0, 0.5], endpoints=["get", "put"])
    assert list(requests["end_s"]) == [1.0, 3.5]
    on_a_loop = described.with_({"components.api.runtime": "event_loop", "components.api.time_slice": "1ms"})
    requests, _ = observe(on_a_loop, [0.0, 0.5], endpoints=["get", "put"])
    assert list(requests["end_s"]) == [3.5, 3.5]


def _both() -> dict[str, Any]:
    return {"kind": "open", "arrival_rate": "1/s", "endpoints": {"get": "50%", "put": "50%"}}


def test_branches_of_one_request_compute_at_once() -> None:
    """Each is a process of its own: two cores do both in the time of one."""
    both = {"kind": "parallel", "branches": [[_CPU], [_CPU]]}
    assert _ends(scenario({"api": service(both, **_RUNTIME, schedulers=2)}), [0.0]) == [3.0]
    assert _ends(scenario({"api": service(both, **_RUNTIME)}), [0.0]) == [6.0]


@pytest.mark.parametrize("kind", ["hang", "pause"])
def test_the_whole_virtual_machine_stands_still(kind: str) -> None:
    """From 2 s to 6 s: one second of three is left, and who only waits is held up."""
    stops: dict[str, Any] = (
        {"faults": [{"kind": "hang", "component": "api", "at": "2s", "duration": "4s"}]} if kind == "hang" else {}
    )
    pauses = {} if kind == "hang" else {"pauses": {"every": "2s", "time": "4s"}}
    computing = scenario({"api": service(_CPU, **_RUNTIME, **pauses, schedulers=2)}, run={"duration": "8s"}, **stops)
    assert _ends(computing, [0.0]) == [7.0]
    idle = scenario({"api": service(waiting("1s"), **_RUNTIME, **pauses)}, run={"duration": "8s"}, **stops)
    assert _ends(idle, [1.5]) == [6.0]


def test_a_slow_down_and_a_crash_reach_every_process() -> None:
    """Twice as long from 1 s on for who begins then; at 4 s all end in errors."""
    slow = {"kind": "slow_down", "component": "api", "at": "1s", "factor": 2, "duration": "50s"}
    crash = {"kind": "crash", "component": "api", "at": "4s"}
    described = scenario({"api": service(_CPU, **_RUNTIME, schedulers=3)}, faults=[slow])
    assert _ends(described, [0.0, 1.0]) == [3.0, 7.0]
    requests, visits = observe(described.with_({"faults": [crash]}), [0.0, 2.0, 3.0])
    assert list(requests["outcome"]) == ["ok", "error", "error"]
    assert list(requests["end_s"]) == [3.0, 4.0, 4.0]
    computed = visits[visits["component"] == "api.processes"]
    assert sorted(computed["service_time_s"]) == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"schedulers": 2}, "api.schedulers: has no effect on an event loop; write runtime: processes too"),
        ({"time_slice": "2ms"}, "api.time_slice: has no effect on an event loop"),
        ({"runtime": "processes", "hosts": ["box"]}, "api.hosts: is not modelled for runtime processes"),
    ],
)
def test_what_has_no_effect_is_refused(keys: dict[str, Any], says: str) -> None:
    """With the key path, and what to do."""
    with pytest.raises(ScenarioError) as caught:
        scenario({"api": service(_CPU, **keys), "box": {"kind": "host", "cores": 1}})
    assert says in str(caught.value)


def test_threads_are_for_event_loops() -> None:
    """Each process computes for itself anyway."""
    with pytest.raises(ScenarioError, match="processes need no threads"):
        scenario({"api": service({"kind": "thread", "steps": [_CPU]}, runtime="processes")})
