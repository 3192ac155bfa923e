"""Autoscalers in the running simulation: they look when they should, and the fleet follows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.unit.autoscaled import Watched, autoscaled
from tests.unit.backends import scenario, service, waiting

_HPA = {"kind": "hpa", "metric": "concurrency", "target": "10%", "min": 1, "max": 10}
_QUICK_DOWN = {"stabilization_window": "30s", "policies": [{"kind": "percent", "value": 100, "period": "15s"}]}


def _every(gap_s: float, until_s: float, since_s: float = 0.0) -> np.ndarray[Any, Any]:
    return np.arange(since_s, until_s, gap_s)


def test_constant_load_settles_where_the_target_is_met() -> None:
    """10 requests/s of 1 s keep 10 slots busy; at 10 % of 20 slots that takes 5 replicas.

    On the way it overshoots: at 60 s it sees the window 30 s to 45 s, of which two replicas were alone for 8 s (3.92
    under way each), two new ones had theirs after 38 s (2.32), and the fifth had no reading: 12.48/5 = 2.5, not 2.
    At 75 s the two missing ones would turn the direction round, so it stays at 7; at 90 s it asks for 6, then for 5.
    The two too many go 300 s after they were last asked for, at the first sync beyond.
    """
    watched = Watched(autoscaled(autoscaler=_HPA, duration="600s"), _every(0.1, 600))
    assert watched.decisions() == [(30.0, 4), (45.0, 5), (60.0, 7), (390.0, 6), (405.0, 5)]
    assert watched.gauge("replicas_ready") == [*((0.0, 2), (38.0, 4), (53.0, 5), (68.0, 7), (390.0, 6), (405.0, 5))]
    assert watched.gauge("replicas_starting") == [
        *((0.0, 0), (30.0, 2), (38.0, 0), (45.0, 1), (53.0, 0), (60.0, 2), (68.0, 0))
    ]


def test_each_stage_of_a_decision_is_told() -> None:
    """At 30 s: the window 0 to 15 s has 9.7 under way (the first second fills up) on 40 slots; at most 4."""
    at_s, said = Watched(autoscaled(autoscaler=_HPA), _every(0.1, 60)).why()[1]
    metric = said["metrics"][0]
    assert at_s == 30.0
    assert metric["mean"] == pytest.approx((5.5 + 14 * 10) / 15 / 40)
    assert {key: metric[key] for key in ("ready", "unready", "missing", "wanted")} == {
        "ready": 2,
        "unready": 0,
        "missing": 0,
        "wanted": 5,
    }
    assert (said["wanted"], said["stabilised"], said["after"]) == (5, 5, 4)


def test_new_replicas_without_readings_are_missing() -> None:
    """At 45 s the window ends at 30 s, when the two new ones booted: they count as idle."""
    said = Watched(autoscaled(autoscaler=_HPA), _every(0.1, 60)).why()[2][1]
    assert said["metrics"][0]["missing"] == 2
    assert said["metrics"][0]["wanted"] == 5  # 10 under way on 4 x 20 slots are 12.5 %: 1.25 x 4


def test_a_booting_process_is_not_ready() -> None:
    """With a boot time of 40 s they are pending when the next decision is made: idle, for more are asked for."""
    said = Watched(autoscaled(autoscaler=_HPA, boot_time="40s"), _every(0.1, 60)).why()[2][1]
    assert (said["metrics"][0]["unready"], said["metrics"][0]["missing"], said["after"]) == (2, 0, 5)


def test_the_lag_and_the_window_decide_what_is_seen() -> None:
    """Load from 30 s on; with a lag of 20 s and a window of 10 s the decision at 60 s is the first to see it whole."""
    autoscaler = _HPA | {"metric_lag": "20s", "metric_window": "10s", "sync_period": "10s"}
    watched = Watched(autoscaled(autoscaler=autoscaler), _every(0.1, 100, since_s=30.0))
    means = {at_s: said["metrics"][0]["mean"] for at_s, said in watched.why()}
    assert means[10.0] is None
    assert means[20.0] is None
    assert means[50.0] == 0.0  # the window 20 s to 30 s
    assert means[60.0] == pytest.approx((5.5 + 9 * 10) / 10 / 40)
    assert watched.decisions()[0] == (60.0, 4)


def test_scale_down_ends_the_newest_first_and_lets_them_finish() -> None:
    """When the load ends, what is under way is answered; no request fails."""
    autoscaler = _HPA | {"scale_down": _QUICK_DOWN}
    described = autoscaled(autoscaler=autoscaler, steps=[waiting("7s")], concurrency=40)
    watched = Watched(described, _every(0.1, 120))
    assert watched.decisions()[-1][1] == 1
    assert (watched.requests["outcome"] == "ok").all()
    last_s = watched.visits[watched.visits["component"] == "api"].groupby("replica")["departure_s"].max()
    assert last_s.index[-1] > 2
    assert watched.gauge("replicas_draining")[-1][1] == 0


def test_cpu_is_the_exact_share_of_the_event_loop() -> None:
    """20 requests/s of 10 ms CPU on two replicas: 10 % each, whatever the phase of the window."""
    autoscaler = _HPA | {"metric": "cpu", "target": "20%", "min": 2}
    described = autoscaled(autoscaler=autoscaler, steps=[{"kind": "cpu", "time": "10ms"}], concurrency=None)
    watched = Watched(described, _every(0.05, 300))
    means = [said["metrics"][0]["mean"] for _, said in watched.why()[1:]]
    assert means == pytest.approx([0.1] * len(means))


def test_a_new_process_shows_its_cpu_after_a_whole_window_of_being_ready() -> None:
    """Before that it is left out (and counted as idle going up), as its start may have cost CPU."""
    autoscaler = _HPA | {"metric": "cpu", "target": "20%"}
    described = autoscaled(
        autoscaler=autoscaler, steps=[{"kind": "cpu", "time": "20ms"}], concurrency=None, replicas=1, boot_time="1s"
    )
    counts = [
        (said["metrics"][0]["ready"], said["metrics"][0]["unready"], said["metrics"][0]["missing"])
        for _, said in Watched(described, _every(0.05, 80)).why()[1:]
    ]
    # at 30 s 40 % on one asks for 2; at 45 s the new one has no reading; at 60 s the window 30 s to 45 s began before
    # it was ready (31 s), so it is left out; at 75 s it counts
    assert counts[:4] == [(1, 0, 0), (1, 0, 1), (1, 1, 0), (2, 0, 0)]
    shortened = autoscaler | {"cpu_initialization_period": "20s"}
    described = described.with_({"components.api.autoscaler": shortened})
    assert Watched(described, _every(0.05, 80)).why()[3][1]["metrics"][0]["unready"] == 0


def test_cpu_and_concurrency_of_a_replica_with_workers() -> None:
    """Two workers share a replica's CPU and double its slots: half of what one worker would show."""
    autoscaler = _HPA | {"metric": "cpu", "min": 2, "more_metrics": [{"metric": "concurrency", "target": "50%"}]}
    described = autoscaled(autoscaler=autoscaler, steps=[{"kind": "cpu", "time": "10ms"}], concurrency=5, workers=2)
    cpu, concurrency = Watched(described, _every(0.05, 60)).why()[1][1]["metrics"]
    assert cpu["mean"] == pytest.approx(0.05)  # 20/s x 10 ms on 2 x 2 event loops
    assert concurrency["mean"] == pytest.approx(0.01, rel=0.2)  # 0.2 under way on 2 x 2 x 5 slots


def test_throughput_per_replica() -> None:
    """30 answers/s on 2 replicas at a target of 10/s take 3."""
    autoscaler = _HPA | {"metric": "throughput", "target": "10/s"}
    described = autoscaled(autoscaler=autoscaler, steps=[waiting("1ms")], concurrency=None)
    watched = Watched(described, _every(1 / 30, 200))
    assert watched.decisions()[0] == (30.0, 3)
    assert watched.why()[1][1]["metrics"][0]["mean"] == pytest.approx(15.0, abs=0.1)


def test_the_metric_that_wants_most_counts() -> None:
    """The CPU alone would ask for one replica; the concurrency asks for five."""
    autoscaler = _HPA | {"metric": "cpu", "target": "90%", "more_metrics": [{"metric": "concurrency", "target": "10%"}]}
    watched = Watched(autoscaled(autoscaler=autoscaler), _every(0.1, 50))
    assert watched.decisions()[:2] == [(30.0, 4), (45.0, 5)]


def test_the_quota_cuts_and_waits() -> None:
    """5 are wanted, 3 are given out; the decision stands, and an event tells of what is denied."""
    watched = Watched(autoscaled(autoscaler=_HPA | {"quota": 3}), _every(0.1, 100))
    assert watched.decisions()[0] == (30.0, 4)
    assert watched.gauge("replicas_ready")[-1] == (38.0, 3)
    assert watched.why("quota_reached")[0] == (30.0, {"denied": 1, "quota": 3, "wanted": 4})


def _by_hand(watched: Watched, *, boot_s: float, slots: int, target: float, bounds: tuple[int, int]) -> list[Any]:
    """Another, plainer HPA over the same requests: standard rules, 15 s window, lag and period, down after 45 s."""
    api = watched.visits[watched.visits["component"] == "api"]
    fleet = dict.fromkeys(range(2), 0.0)  # living replica -> when it was ready
    changes: list[tuple[float, int]] = []
    asked = [(15.0, 2)]
    current, made, history = 2, 2, []
    for sync_s in np.arange(30.0, 600.0, 15.0):
        low, high = sync_s - 30.0, sync_s - 15.0
        values, idle = [], 0
        for index, ready_s in fleet.items():
            if ready_s >= high:
                idle += 1
                continue
            own = api[api["replica"] == index]
            begins = np.maximum(own["arrival_s"], low)
            ends = np.minimum(own["departure_s"].fillna(math.inf), high)
            values.append(float(np.clip(ends - begins, 0, None).sum()) / (high - max(low, ready_s)) / slots)
        ratio = math.floor(sum(values) / len(values) * 1000 + 1e-6) / 1000 / target
        if idle and ratio > 1:
            again = math.floor(sum(values) / len(fleet) * 1000 + 1e-6) / 1000 / target
            wanted = current if again <= 1.1 else math.ceil(again * len(fleet))
        elif idle and ratio < 1:
            again = math.floor((sum(values) + idle * target) / len(fleet) * 1000 + 1e-6) / 1000 / target
            wanted = current if again >= 0.9 else math.ceil(again * len(fleet))
        else:
            wanted = current if 0.9 <= ratio <= 1.1 else math.ceil(ratio * len(values))
        floor = max([wanted, *(n for at_s, n in asked if at_s > sync_s - 45.0)])
        asked.append((sync_s, wanted))
        after = wanted if wanted > current else min(current, floor)
        start = current - sum(n for at_s, n in changes if at_s > sync_s - 15.0)
        after = max(bounds[0], min(after, bounds[1], max(2 * start, start + 4)))
        for index in range(made, made + after - current):
            fleet[index] = sync_s + boot_s
        made += max(0, after - current)
        for index in sorted(fleet, key=lambda i: (fleet[i], i))[after:]:
            del fleet[index]
        if after != current:
            changes.append((sync_s, after - current))
            history.append((float(sync_s), after))
        current = after
    return history


@pytest.mark.slow
def test_the_loop_agrees_with_a_plainer_one() -> None:
    """Ten minutes of ups and downs, decided anew in the test from the rows alone: the same steps at the same times."""
    down = {"stabilization_window": "45s", "policies": [{"kind": "percent", "value": 100, "period": "15s"}]}
    described = autoscaled(
        autoscaler=_HPA | {"target": "50%", "min": 2, "max": 30, "scale_down": down},
        boot_time="11s",
        duration="600s",
        concurrency=20,
    )
    rng = np.random.default_rng(7)
    times = np.cumsum(rng.exponential(1 / 120, 80_000))
    rate = 60 * (1 + np.sin(times / 40)) / 120  # thinned to a wave of 0 to 120/s
    starts_s = times[(rng.random(len(times)) < rate) & (times < 599)]
    watched = Watched(described, starts_s)
    assert (watched.requests["outcome"] != "rejected").all()
    history = _by_hand(watched, boot_s=11.0, slots=20, target=0.5, bounds=(2, 30))
    assert watched.decisions() == history
    assert len(history) > 15
    assert len({number for _, number in history}) > 6


def test_keda_goes_by_what_waits() -> None:
    """One slot behind the balancer and a request a second of 10 s: what waits there, 5 for each replica."""
    keda = {"kind": "keda", "queue": "edge", "target": 5, "min": 1, "max": 20, "sync_period": "15s"}
    described = autoscaled(autoscaler=keda, steps=[waiting("10s")], replicas=1, concurrency=1).with_(
        {"components.edge.max_connections_per_server": 1, "components.edge.queue_timeout": "1h"}
    )
    watched = Watched(described, _every(1.0, 60), own_balancer=False)
    first_s, said = watched.why()[0]
    assert first_s == 15.0
    assert said["waiting"] == 13  # 15 came before 15 s, one is done, one is served
    assert (said["wanted"], said["after"]) == (3, 3)


def test_target_tracking_adds_after_three_high_minutes_and_removes_after_fifteen_low_ones() -> None:
    """10 requests under way on 2 x 20 slots at 10 %: 2.5 times as many."""
    tracking = {"kind": "target_tracking", "metric": "concurrency", "target": "10%", "max": 10}
    watched = Watched(autoscaled(autoscaler=tracking, duration="1500s"), _every(0.1, 400))
    assert watched.decisions() == [(180.0, 5), (1260.0, 1)]
    assert watched.why()[2][1]["mean"] == pytest.approx(10 / 40)


def test_keda_starts_the_first_consumer_and_ends_the_last() -> None:
    """From none at the next poll when a message waits; to none a minute after the last poll that saw one."""
    keda = {
        "kind": "keda",
        "queue": "jobs",
        "target": 2,
        "polling_interval": "20s",
        "cooldown_period": "1min",
        "max": 4,
    }
    described = scenario(
        {
            "api": service({"kind": "publish", "queue": "jobs"}),
            "jobs": {"kind": "queue", "consumer": "worker", "endpoint": "get", "publish_time": "0s"},
            "worker": service(waiting("20s"), autoscaler=keda, boot_time="5s"),
        },
        run={"duration": "400s"},
    )
    watched = Watched(described, np.array([200.0, 200.0, 200.0, 200.0, 200.0]), own_balancer=False)
    assert watched.decisions() == [
        (60.0, 0),  # 60 s without work
        (220.0, 1),  # the poll after the messages came
        (225.0, 3),  # Kubernetes' next sync: 5 messages, unacknowledged ones too, 2 for each
        (320.0, 0),  # 60 s after the poll of 260 s, the last that saw work
    ]
    work = watched.visits[watched.visits["component"] == "worker"]
    assert sorted(work["arrival_s"]) == [225.0, 230.0, 230.0, 245.0, 250.0]
    assert (work["outcome"] == "ok").all()
