"""Work in threads that lets go of the interpreter's lock: it computes at the same time as the event loop."""

from __future__ import annotations

from typing import Any

import pytest

from lab.scenario.scenario import Scenario
from tests.unit.backends import observe, scenario, waiting

_HOST = {"kind": "host", "cores": 1, "quantum": "1ms"}


def _login(work: str | None = "argon2id", **others: Any) -> Scenario:
    step = {"kind": "cpu", "time": "20ms"} | ({} if work is None else {"work": work})
    endpoints = {"get": [{"kind": "thread", "steps": [step]}], "other": [{"kind": "cpu", "time": "10ms"}]}
    parts: dict[str, Any] = {"api": {"kind": "service", "endpoints": endpoints, **others}}
    return scenario(parts | ({"vm": _HOST} if "hosts" in others else {}))


def test_without_hosts_it_is_in_nobodys_way() -> None:
    """A check of 20 ms and a computation of 10 ms on the loop, both from 0 on: each takes its own time."""
    requests, visits = observe(_login(), [0.0, 0.0], endpoints=["get", "other"])
    assert requests["end_s"].tolist() == pytest.approx([0.020, 0.010])
    thread = visits[visits["component"] == "api.thread_pool"]
    assert thread["service_time_s"].tolist() == pytest.approx([0.020])


@pytest.mark.parametrize("work", [None, "json", "jwt"])
def test_other_work_holds_the_lock(work: str | None) -> None:
    """Of work that holds the lock, the thread and the loop take turns at the interpreter: 30 ms in all."""
    requests, _ = observe(_login(work), [0.0, 0.0], endpoints=["get", "other"])
    assert requests["end_s"].max() == pytest.approx(0.030)
    assert requests["end_s"].min() > 0.011


def test_on_one_core_they_share_it() -> None:
    """Turns of 1 ms: the loop's 10 ms are over when the thread has had about as many; 30 ms in all."""
    requests, visits = observe(_login(hosts=["vm"]), [0.0, 0.0], endpoints=["get", "other"])
    ends_s = requests["end_s"].tolist()
    assert ends_s[0] == pytest.approx(0.030)
    assert ends_s[1] == pytest.approx(0.020, abs=0.0011)
    turns = visits[visits["component"] == "vm"]
    assert (turns["departure_s"] - turns["admitted_s"]).sum() == pytest.approx(0.030)


def test_two_threads_share_the_core_as_processes_do() -> None:
    """Two checks from 0 on share one core: both end after about 40 ms, and not one after the other."""
    requests, _ = observe(_login(hosts=["vm"]), [0.0, 0.0], endpoints=["get", "get"])
    assert requests["end_s"].tolist() == pytest.approx([0.040, 0.040], abs=0.0011)


def test_a_stopped_process_checks_no_password() -> None:
    """Stopped from 5 ms to 105 ms: the check of 20 ms ends at 120 ms."""
    hang = {"kind": "hang", "at": "5ms", "component": "api", "replica": 0, "duration": "100ms"}
    requests, _ = observe(_login().with_({"faults": [hang]}), [0.0], endpoints=["get"])
    assert requests["end_s"].tolist() == pytest.approx([0.120])


def test_a_dead_process_checks_no_password() -> None:
    """The process dies at 5 ms: the request fails then, and the thread has used 5 ms."""
    crash = {"kind": "crash", "at": "5ms", "component": "api", "replica": 0}
    requests, visits = observe(_login().with_({"faults": [crash]}), [0.0], endpoints=["get"])
    assert requests["outcome"].tolist() == ["error"]
    thread = visits[visits["component"] == "api.thread_pool"]
    assert thread["service_time_s"].tolist() == pytest.approx([0.005])


def test_a_wait_in_the_thread_comes_before_its_work() -> None:
    """10 ms of waiting, 5 ms until the loop lets go of the lock, 20 ms beside the loop, 5 ms for the lock again."""
    steps = [waiting("10ms"), {"kind": "cpu", "work": "argon2id", "time": "20ms"}]
    endpoints = {"get": [{"kind": "thread", "steps": steps}], "other": [{"kind": "cpu", "time": "50ms"}]}
    described = scenario({"api": {"kind": "service", "endpoints": endpoints}})
    _, visits = observe(described, [0.0, 0.0], endpoints=["get", "other"])
    assert visits[visits["component"] == "api.thread_pool"]["departure_s"].tolist() == pytest.approx([0.040])
