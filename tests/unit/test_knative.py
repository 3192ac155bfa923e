"""Knative's autoscaler: its rules on tables worked out by hand, its activator, and both in the running simulation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lab.errors import ScenarioError
from lab.scenario.arithmetic import arithmetic
from lab.scenario.knative import KnativeAutoscaler
from lab.scenario.scenario import Scenario
from lab.simulation.autoscaling.kpa import Kpa, ToZero
from tests.unit.autoscaled import Watched
from tests.unit.backends import scenario, service, waiting

# Time, ready pods, mean under way in the stable and the panic window; what is asked for, and whether it panics.
_TABLE = [
    (2, 1, 50, 50, 1, False),
    (4, 1, 70, 70, 1, False),  # just the target
    (6, 1, 71, 71, 2, True),  # 2 pods are twice the one that is ready
    (8, 2, 130, 260, 4, True),  # ceil(260 / 70) = 4 is twice 2 again: the panic is counted from 8 s
    (10, 2, 150, 200, 4, True),  # 3 would do, but not in a panic
    (12, 4, 500, 300, 8, True),  # the stable window asks for more: the larger of both
    (14, 8, 400, 200, 8, True),
    (68, 8, 200, 200, 8, True),  # 60 s after 8 s: still
    (70, 8, 200, 200, 4, False),  # more than a stable window: 3 would do, but no fewer than 8 / 2
    (72, 4, 100, 100, 2, False),
    (74, 2, 10, 10, 1, False),
    (76, 1, 0, 0, 0, False),
]


def test_the_table() -> None:
    """Tick by tick: the target, the panic and its memory, its end, and the limit on scaling down."""
    kpa = Kpa(KnativeAutoscaler(), aim=70.0)
    seen = []
    for now_s, ready, stable, panic, _, _ in _TABLE:
        asked = kpa.decide(now_s, ready=ready, stable=stable, panic=panic)
        seen.append((asked, kpa.panics_since_s is not None))
    assert seen == [row[4:] for row in _TABLE]


def test_rates_and_delay() -> None:
    """At most twice the pods a tick; and fewer only after 10 s of asking for fewer."""
    kpa = Kpa(KnativeAutoscaler(max_scale_up_rate=2, max_scale_down_rate=3, scale_down_delay="10s"), aim=1.0)
    asked = [kpa.decide(at_s, ready=3, stable=under_way, panic=3) for at_s, under_way in ((2, 20), (4, 5), (11, 4))]
    assert asked == [6, 6, 6]
    assert kpa.decide(12, ready=3, stable=4, panic=3) == 5  # 6 is forgotten after 10 s, the 5 of 4 s is not


@pytest.mark.parametrize(
    ("described", "concurrency", "aim"),
    [
        ({}, None, 70.0),
        ({}, 10, 7.0),
        ({"target": 20}, 10, 7.0),
        ({"target": 4}, 10, 2.8),
        ({"target": 200}, None, 140.0),
        ({"target_utilization": "50%"}, 10, 5.0),
    ],
)
def test_what_a_pod_should_have(described: dict[str, Any], concurrency: int | None, aim: float) -> None:
    """70 % of the target, which is no more than the pod can do; 100 if nothing is said."""
    assert KnativeAutoscaler.model_validate(described).aim(concurrency) == pytest.approx(aim)


def test_the_last_pod_waits_for_its_window_and_its_grace() -> None:
    """Active from 10 s: not before 70 s; then 30 s of grace, which any request ends."""
    to_zero = ToZero(KnativeAutoscaler())
    steps = [(10, 0, 1, 1), (50, 1, 0, 1), (70, 1, 0, 1), (98, 1, 0, 1), (99, 1, 1, 1), (100, 1, 0, 1), (130, 1, 0, 0)]
    for now_s, current, wanted, expected in steps:
        assert to_zero.decide(now_s, current=current, wanted=wanted) == expected, now_s


def _knative(*, duration: str = "200s", faults: tuple[dict[str, Any], ...] = (), **changes: Any) -> Scenario:
    """Requests of 1 s, pods that boot for 2 s; the run begins with none."""
    others = {key: changes.pop(key) for key in ("replicas", "concurrency", "boot_time") if key in changes}
    api = {"replicas": 0, "concurrency": 10, "boot_time": "2s"} | others
    described = service(waiting("1s"), autoscaler={"kind": "knative"} | changes, **api)
    return scenario({"api": described}, run={"duration": duration}, faults=list(faults))


def _watch(described: Scenario, starts_s: Any) -> Watched:
    return Watched(described, np.array(starts_s), own_balancer=False)


def test_from_zero_and_back() -> None:
    """A request at 10.3 s starts a pod at once and waits 2 s for it; it is answered at 13.3 s.

    The window of the tick at 74 s is the first without it; 30 s later the pod goes.
    """
    watched = _watch(_knative(), [10.3])
    assert watched.decisions() == [(10.3, 1), (104.0, 0)]
    assert list(watched.requests["end_s"].round(9)) == [13.3]
    row = watched.visits[watched.visits["component"] == "api.activator"].iloc[0]
    assert (round(row["waiting_time_s"], 9), row["replica"]) == (2.0, 0)


def test_a_panic_by_hand() -> None:
    """30/s of 1 s from 100 s on, ten slots a pod, 7 aimed at.

    100 s: the first of them has a pod started. 102 s: 60 have come and none is done, which is an area of 61 over 2 s:
    30.5 under way ask for 5 pods, five times the one that is just ready. 104 s: that one has answered ten at 103 s,
    which leaves an area of 242 - 10 over 4 s: 58 under way, 9 pods. In the panic none goes, though 30 under way need 5;
    it ends more than 60 s after the panic window last asked for twice those that were ready, at 102 s.
    """
    watched = _watch(_knative(), np.arange(100.0, 160.0, 1 / 30))
    decisions = watched.decisions()
    assert decisions[:3] == [(100.0, 1), (102.0, 5), (104.0, 9)]
    first, second, third = (said for _, said in watched.why()[:3])
    assert (first["stable"], first["panic"], first["ready"], first["panics"]) == (1.0, 1.0, 0, False)
    assert (second["stable"], second["panic"]) == (pytest.approx(30.5), pytest.approx(30.5))
    assert second["panics"]
    assert third["panic"] == pytest.approx(58.0)
    numbers = [pods for at_s, pods in decisions if at_s <= 162]
    assert numbers == sorted(numbers)
    calm_s, said = next((at_s, said) for at_s, said in watched.why() if at_s > 104 and not said["panics"])
    assert (calm_s, said["after"]) == (164.0, 6)  # half of the 12 there were
    assert (watched.requests["outcome"] == "ok").all()


def test_what_the_loop_sees_is_the_exact_mean() -> None:
    """Two requests under way for 1 s each in the last 6 s are a mean of 1/3; in the last minute of 1/30."""
    described = _knative(replicas=1, min=1, tick="12s", stable_window="60s", target=0.1, duration="80s")
    watched = _watch(described, [68.0, 70.0])
    at_s, said = watched.why()[-1]
    assert at_s == 72.0
    assert (said["stable"], said["panic"]) == (pytest.approx(2 / 60), pytest.approx(2 / 6))
    assert said["after"] == 5  # ceil((1/3) / 0.07)


def test_the_activator_keeps_so_many_and_so_long() -> None:
    """One slot, room for two in the activator: the fourth is refused, and who has waited 1.5 s as well."""
    described = _knative(replicas=1, concurrency=1, max=1, activator_capacity=2, activator_timeout="1500ms")
    watched = _watch(described, [0.0, 0.0, 0.0, 0.0, 1.2])
    ends = list(zip(watched.requests["end_s"], watched.requests["outcome"], strict=True))
    assert ends == [(1.0, "ok"), (2.0, "ok"), (1.5, "rejected"), (0.0, "rejected"), (3.0, "ok")]


def test_who_gets_a_request() -> None:
    """Up to three requests a pod the first with room; beyond that in turn; without a limit the less busy of two."""

    def pods(concurrency: int | None) -> list[int]:
        described = _knative(replicas=3, min=3, concurrency=concurrency)
        own = _watch(described, [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]).visits
        return list(own[own["component"] == "api.activator"].sort_values("arrival_s")["replica"])

    assert pods(2) == [0, 0, 1, 1, 2, 2]
    assert pods(4) == [0, 1, 2, 0, 1, 2]
    assert sorted(pods(None))[0] == 0
    assert max(pods(None).count(pod) for pod in range(3)) <= 3


def test_a_client_that_leaves_takes_its_request_along() -> None:
    """It gives up after 1.5 s while the pod boots: nobody works on it, and the pod serves the next."""
    described = _knative(boot_time="5s").with_({"client.timeout": "1500ms"})
    watched = _watch(described, [1.0, 6.5])
    assert list(watched.requests["outcome"]) == ["timeout", "ok"]
    own = watched.visits[watched.visits["component"] == "api.activator"].sort_values("arrival_s")
    assert list(zip(own["outcome"], own["departure_s"], strict=True)) == [("timeout", 2.5), ("ok", 7.5)]
    assert (watched.visits["component"] == "api").sum() == 1


def test_a_crash_of_all_pods_is_an_error_and_they_come_again() -> None:
    """Two under way end in errors; another pod is started at once, and what came meanwhile waits for it."""
    crash = {"kind": "crash", "component": "api", "at": "10500ms"}
    watched = _watch(_knative(replicas=1, min=1, faults=(crash,)), [10.0, 10.0, 11.0])
    assert list(watched.requests["outcome"]) == ["error", "error", "ok"]
    assert watched.requests["end_s"].iloc[2] == pytest.approx(13.5)


def test_on_paper_and_in_documents() -> None:
    """As many slots as the most pods have; it comes back from its document; a balancer before it is refused."""
    described = _knative(max=5, quota=4, panic_threshold=3)
    assert arithmetic(described).row("api", "slots").servers == 40
    assert Scenario.model_validate(described.to_document()) == described
    with pytest.raises(ScenarioError, match="component: has as many processes as its requests need"):
        _knative(faults=({"kind": "scale", "component": "api", "at": "1s", "replicas": 2},))
