"""Rate limiters and waiting rooms that could not work, or would do nothing, are refused with place and reason."""

from __future__ import annotations

from typing import Any

import pytest

import lab
from lab.errors import ScenarioError
from tests.unit.backends import scenario, service, waiting

_API = service(waiting("1ms"))
_CLOSED = {"kind": "closed", "population": 2, "think_time": "1s", "endpoints": {"get": "100%"}}


def _gate(**keys: Any) -> dict[str, Any]:
    return {"gate": {"kind": "rate_limiter", "targets": "api", "limit": 2} | keys, "api": _API}


def _room(**keys: Any) -> dict[str, Any]:
    return {"gate": {"kind": "waiting_room", "targets": "api"} | keys, "api": _API}


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        (_gate(targets="apj"), "components.gate.targets: 'apj' is not a front or service of this scenario (there are:"),
        (_gate(algorithm="fixed_window", burst=3), "gate.burst: has no effect, as fixed_window has no bucket; only"),
        (_gate(burst=0), "gate.burst: is 0: a bucket that can hold no token lets nothing pass; give it 1 or more"),
        (_gate(limit=0), "gate.limit"),
        (_gate(scope="per_client"), "gate.scope: per_client has no effect in a workload of kind open, where no client"),
        (_gate(scope="per_key"), "gate.scope: per_key has no effect, as all requests are about one key"),
        (_gate(endpoints=["login"]), "gate.endpoints.0: the service behind it has no endpoint 'login' (it has: get)"),
        (_gate() | {"api": _API | {"replicas": 2}}, "calls 'api' directly, which has 2 replicas"),
        (_gate(targets="gate"), "the calls go round in a circle (gate -> gate)"),
        (_room(), "components.gate: lets everybody in at once; give it max_active, an admission_rate, or both"),
        (_room(max_active=1, max_queue=0, queue_timeout="1s"), "queue_timeout: has no effect, as with max_queue: 0"),
        (_room(max_active=1, session_duration="1s"), "session_duration: has no effect in a workload of kind open"),
        (
            _room(max_active=1, targets="edge"),
            "'edge' is not a front or service of this scenario (there are: gate",
        ),
    ],
)
def test_a_scenario_that_makes_no_sense_is_refused(parts: dict[str, Any], says: str) -> None:
    """The message says where and why."""
    with pytest.raises(ScenarioError) as caught:
        scenario(parts, entry="gate")
    assert says in str(caught.value)


def test_only_clients_wait_in_a_waiting_room() -> None:
    """A service that calls through one is refused, however many fronts lie between."""
    parts = {
        "front": service({"kind": "call", "target": "quota", "endpoint": "get"}),
        "quota": {"kind": "rate_limiter", "targets": "gate", "limit": 1},
        **_room(max_active=1),
    }
    with pytest.raises(
        ScenarioError, match=r"components\.front\.endpoints: leads into the waiting room 'gate', but only"
    ):
        scenario(parts, entry="front")


def test_clients_are_known_in_closed_workloads() -> None:
    """There each user has a count and a place."""
    described = scenario(_gate(scope="per_client"), entry="gate", workload=_CLOSED)
    assert described.components["gate"].scope == "per_client"
    assert scenario(_room(max_active=1, session_duration="1s"), entry="gate", workload=_CLOSED).entry == "gate"


def test_a_balancer_behind_fronts_knows_when_clients_leave() -> None:
    """It stands on the way of the clients, so aborting on close has an effect."""
    edge = {
        "kind": "load_balancer",
        "targets": "api",
        "max_connections_per_server": 1,
        "abort_on_close": True,
    }
    parts = {**_gate(targets="edge"), "edge": edge}
    assert scenario(parts, entry="gate", client={"timeout": "1s"}).entry == "gate"


def test_the_arithmetic_counts_what_is_let_pass() -> None:
    """200/s come, 50/s pass: the service at 10 ms a request is half busy, not twice; the limiter checks them all."""
    workload = {"kind": "open", "arrival_rate": "200/s", "endpoints": {"get": "100%"}}
    api = service({"kind": "cpu", "time": "10ms"})
    gate = {"kind": "rate_limiter", "targets": "api", "limit": 50, "check_time": "1ms"}
    paper = lab.arithmetic(scenario({"gate": gate, "api": api}, entry="gate", workload=workload))
    assert paper.row("gate", "checks").arrival_rate_per_s == pytest.approx(200.0)
    assert paper.row("gate", "checks").holding_time_s == pytest.approx(0.001)
    assert paper.row("api", "event_loop").utilisation == pytest.approx(0.5)
    assert paper.row("api", "event_loop").capacity_per_s == pytest.approx(100.0)
    assert paper.findings == ()
    without = lab.arithmetic(scenario({"api": api}, workload=workload))
    assert [finding.severity for finding in without.findings] == ["unstable"]


def test_the_arithmetic_of_a_guarded_endpoint_leaves_the_others_alone() -> None:
    """Of 60/s sign-ins 20/s pass, and all 40/s of the reads; one front after the other takes its share."""
    api = {"kind": "service", "endpoints": {"login": [waiting("10ms")], "read": [waiting("10ms")]}}
    workload = {"kind": "open", "arrival_rate": "100/s", "endpoints": {"login": "60%", "read": "40%"}}
    parts = {
        "room": {"kind": "waiting_room", "targets": "gate", "admission_rate": "30/s", "max_active": 9},
        "gate": {"kind": "rate_limiter", "targets": "api", "limit": 20, "endpoints": ["login"]},
        "api": api,
    }
    straight = scenario({name: parts[name] for name in ("gate", "api")}, entry="gate", workload=workload)
    assert lab.arithmetic(straight).row("api", "slots").arrival_rate_per_s == pytest.approx(60.0)
    behind_room = lab.arithmetic(scenario(parts, entry="room", workload=workload))
    assert behind_room.row("api", "slots").arrival_rate_per_s == pytest.approx(30.0)  # 18 sign-ins are below 20
    assert behind_room.row("room", "admissions").utilisation == pytest.approx(100 / 30)
    assert behind_room.row("room", "slots").servers == 9
    assert [finding.severity for finding in behind_room.findings] == ["unstable"]  # the line has no end


def test_the_picture_names_the_limits() -> None:
    """Both fronts say what they let pass, and lead to their targets."""
    parts = {
        "room": {"kind": "waiting_room", "targets": "gate", "admission_rate": "30/s", "max_active": 9, "max_queue": 5},
        **_gate(algorithm="sliding_window_log", window="60s", endpoints=["get"]),
    }
    drawn = lab.mermaid(scenario(parts, entry="room"))
    assert "<b>room</b><br/>9 inside, lets in 30/s, queue 5" in drawn
    assert "<b>gate</b><br/>2 per 1min in all, sliding window log, guards get" in drawn
    assert "part_room --> part_gate" in drawn
