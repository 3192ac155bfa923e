"""Replicas by the clock: schedules, alone and beside what reacts to a metric, and the operator's hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lab.errors import ScenarioError
from lab.scenario.arithmetic import arithmetic
from lab.scenario.scenario import Scenario
from lab.scenario.topology import mermaid
from tests.unit.autoscaled import Watched, autoscaled
from tests.unit.backends import scenario, service, waiting

_HPA = {"kind": "hpa", "metric": "concurrency", "target": "10%", "min": 1, "max": 10}
_QUICK_DOWN = {"stabilization_window": "0s", "policies": [{"kind": "percent", "value": 100, "period": "15s"}]}
_NOBODY = np.array([0.0])


def _scheduled(*actions: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {"kind": "scheduled", "min": 1, "max": 10, "schedule": list(actions)} | others


def test_a_schedule_adds_and_removes_at_its_times() -> None:
    """4 from 50 s on, ready 8 s later; then min and max alone move the number only as far as they must."""
    actions = ({"at": "50s", "desired": 4}, {"at": "1min", "min": 3, "max": 6}, {"at": "100s", "min": 1, "max": 2})
    watched = Watched(autoscaled(autoscaler=_scheduled(*actions)), _NOBODY)
    assert watched.decisions() == [(50.0, 4), (100.0, 2)]
    assert watched.gauge("replicas_ready") == [(0.0, 2), (58.0, 4), (100.0, 2)]
    assert watched.why()[1][1] == {"before": 4, "after": 4, "reason": "schedule", "min": 3, "max": 6}


def test_the_larger_of_schedule_and_metric_wins() -> None:
    """10 under way at 10 % of 20 slots ask for 5, the schedule for 3, then 8; then the metric alone decides."""
    actions = [{"at": "20s", "min": 3}, {"at": "200s", "min": 8}, {"at": "250s", "min": 1}]
    autoscaler = _HPA | {"scale_down": _QUICK_DOWN, "schedule": actions}
    watched = Watched(autoscaled(autoscaler=autoscaler, duration="400s"), np.arange(0, 400, 0.1))
    decisions = watched.decisions()
    assert decisions[0] == (20.0, 3)
    at_199 = [replicas for at_s, replicas in decisions if at_s < 200][-1]
    assert at_199 == 5
    after = [(at_s, replicas) for at_s, replicas in decisions if at_s >= 200]
    assert after[:2] == [(200.0, 8), (255.0, 5)]  # the first sync after 250 s
    assert min(replicas for _, replicas in after) >= 4  # which sees what the three that left still had under way
    assert after[-1][1] == 5


def test_a_schedule_bounds_the_metric_from_above() -> None:
    """The metric asks for 5, but no more than 2 are allowed from the start on."""
    autoscaler = _HPA | {"schedule": [{"at": "0s", "max": 2}, {"at": "100s", "max": 10}]}
    watched = Watched(autoscaled(autoscaler=autoscaler, duration="150s"), np.arange(0, 150, 0.1))
    assert [replicas for at_s, replicas in watched.decisions() if at_s < 105] == []
    assert watched.decisions()[0][0] == 105.0


def test_alarms_and_keda_heed_a_schedule() -> None:
    """Target tracking keeps to the new limits; KEDA does not fall to 0 while the schedule wants one."""
    tracking = {"kind": "target_tracking", "metric": "concurrency", "target": "10%", "max": 10}
    actions = [{"at": "30s", "min": 4}]
    watched = Watched(autoscaled(autoscaler=tracking | {"schedule": actions}, duration="1500s"), _NOBODY)
    assert watched.decisions() == [(30.0, 4)]
    keda = {"kind": "keda", "queue": "jobs", "cooldown_period": "1min", "max": 4}
    described = scenario(
        {
            "api": service({"kind": "publish", "queue": "jobs"}),
            "jobs": {"kind": "queue", "consumer": "worker", "endpoint": "get"},
            "worker": service(
                waiting("1s"), autoscaler=keda | {"schedule": [{"at": "30s", "min": 2}, {"at": "100s", "min": 0}]}
            ),
        },
        run={"duration": "200s"},
    )
    assert Watched(described, _NOBODY, own_balancer=False).decisions() == [(30.0, 2), (105.0, 1), (120.0, 0)]


def test_an_operator_sets_the_number() -> None:
    """At 40 s five replicas: three boot for 8 s; at 70 s two: the newest go."""
    edge = {"kind": "load_balancer", "targets": "api"}
    api = service(waiting("1s"), replicas=2, boot_time="8s")
    faults = [{"kind": "scale", "component": "api", "at": f"{at}s", "replicas": n} for at, n in ((40, 5), (70, 2))]
    described = scenario({"edge": edge, "api": api}, entry="edge", faults=faults)
    watched = Watched(described, np.array([69.5]), own_balancer=False)
    assert watched.gauge("replicas_ready")[:2] == [(0.0, 2), (48.0, 5)]
    assert watched.gauge("replicas_ready")[-1] == (70.0, 2)
    assert watched.why("scale") == [(40.0, {"before": 2, "after": 5}), (70.0, {"before": 5, "after": 2})]
    assert arithmetic(described).row("api", "event_loop").servers == 5
    assert "2 to 5 replicas" in mermaid(described)


def test_an_operator_gets_no_more_than_the_quota() -> None:
    """The platform gives out three; when it gives more again, the missing ones boot."""
    edge = {"kind": "load_balancer", "targets": "api"}
    faults = [
        {"kind": "quota", "component": "api", "at": "10s", "limit": 3, "duration": "40s"},
        {"kind": "scale", "component": "api", "at": "20s", "replicas": 5},
    ]
    api = service(waiting("1s"), replicas=2, boot_time="8s")
    described = scenario({"edge": edge, "api": api}, entry="edge", faults=faults)
    watched = Watched(described, _NOBODY, own_balancer=False)
    assert watched.gauge("replicas_ready") == [(0.0, 2), (28.0, 3), (58.0, 5)]
    assert watched.why("quota_reached") == [(20.0, {"denied": 2, "quota": 3, "wanted": 5})]


def test_an_autoscaler_goes_on_from_what_the_operator_set() -> None:
    """Eight by hand at 101 s; at the next sync the metric still asks for 5, and removal is not held back."""
    fault = {"kind": "scale", "component": "api", "at": "101s", "replicas": 8}
    described = autoscaled(autoscaler=_HPA | {"scale_down": _QUICK_DOWN}, faults=[fault], duration="130s")
    watched = Watched(described, np.arange(0, 130, 0.1))
    assert [place for place in watched.decisions() if place[0] > 101] == [(105.0, 5)]
    assert (105.0, 5) in watched.gauge("replicas_wanted")
    assert (101.0, 8) in watched.gauge("replicas_wanted")


@pytest.mark.parametrize(
    ("actions", "says"),
    [
        ([{"at": "10s"}], "says when, but not what"),
        (
            [{"at": "10s", "min": 2}, {"at": "10s", "min": 3}],
            "at 10 s comes after 10 s; write the actions in",
        ),
        ([{"at": "10s", "min": 11}], "schedule: at 10 s: min (11) must not be more than max (10)"),
        ([{"at": "10s", "desired": 11}], "desired (11) is not within min 1 to max 10"),
        ([{"at": "300s", "min": 2}], "autoscaler.schedule.0.at: the run is over at 300 s, before this would happen"),
        ([{"at": "10s", "min": 0}], "autoscaler.min: only keda, knative and serverless scale to 0"),
        ([], "schedule: is too short"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(actions: list[dict[str, Any]], says: str) -> None:
    """With the place and the reason."""
    with pytest.raises(ScenarioError) as caught:
        autoscaled(autoscaler=_scheduled(*actions))
    assert says in str(caught.value)


def test_an_operator_keeps_to_the_limits_of_the_autoscaler() -> None:
    """Or it would take it back; and a service that is called directly has but one replica."""
    fault = {"kind": "scale", "component": "api", "at": "12s", "replicas": 11}
    with pytest.raises(ScenarioError, match="take it back when it looks next: it keeps to min 1 to max 10"):
        autoscaled(autoscaler=_HPA, faults=[fault])
    with pytest.raises(ScenarioError, match="calls 'api' directly, which has 1 to 11 replicas"):
        scenario({"api": service(waiting("1s"))}, faults=[fault])


@pytest.mark.parametrize(
    "autoscaler",
    [_scheduled({"at": "10s", "min": 2, "max": 3, "desired": 3}), _HPA | {"schedule": [{"at": "9s", "max": 2}]}],
)
def test_it_comes_back_from_its_document(autoscaler: dict[str, Any]) -> None:
    """A schedule survives being written and read, and the most that may ever be counts on paper."""
    described = autoscaled(autoscaler=autoscaler)
    assert Scenario.model_validate(described.to_document()) == described
    assert arithmetic(described).row("api", "event_loop").servers == 10
