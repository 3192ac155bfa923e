"""Envoy's rules, worked out by hand: circuit breakers, ejections, panic, draws and the bounded ring."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lab
from lab.errors import ScenarioError
from lab.randomness import Stream
from lab.scenario.envoy import OutlierDetection
from lab.scenario.schedule import Schedule
from lab.simulation.clock import Clock
from lab.simulation.envoy.choice import InTurn, LeastRequest, RingHash
from lab.simulation.envoy.host import Cluster, Host
from lab.simulation.envoy.outliers import Outliers
from lab.simulation.fleet import Fleet
from lab.simulation.log import Log
from lab.simulation.replicate import replicate
from lab.simulation.request import Handling, Outcome, Request
from lab.validation.envoy_laws import broken_envoy_laws
from tests.unit.backends import scenario, service, waiting


class Nothing:
    """Answers at once."""

    def handle(self, request: Request) -> Handling:
        """Answer."""
        yield from ()
        return Outcome.OK


def _cluster(count: int, *, threshold: float = 0.5) -> Cluster:
    clock = Clock()
    fleet = Fleet(clock=clock, make=lambda _: Nothing(), mortal=False)
    cluster = Cluster(clock=clock, log=Log(), name="edge", panic_threshold=threshold)
    for slot in range(count):
        cluster.add(Host(fleet.start(), slot=slot))
    return cluster


def _request(number: int = 0, key: int = 0) -> Request:
    return Request(number, 0, "get", key, 0)


def _eject(cluster: Cluster, *slots: int) -> None:
    for slot in slots:
        cluster.hosts[slot].ejected = True
    cluster.update()


def _run(
    starts_s: list[float],
    *faults: dict[str, Any],
    api: dict[str, Any] | None = None,
    keys: list[int] | None = None,
    duration: str = "120s",
    client: dict[str, Any] | None = None,
    **edge: Any,
) -> tuple[pd.DataFrame, pd.DataFrame, list[tuple[float, str, dict[str, Any]]]]:
    """Return requests, the rows of the edge, and its events."""
    parts = {"edge": {"kind": "envoy", "targets": "api"} | edge, "api": api or service(waiting("100ms"), replicas=2)}
    described = scenario(
        parts,
        entry="edge",
        faults=[{"component": "api"} | fault for fault in faults],
        run={"duration": duration},
        client=client or {},
    )
    schedule = Schedule(
        intended_start_s=np.array(starts_s),
        endpoint=("get",) * len(starts_s),
        key=np.array(keys or [0] * len(starts_s)),
    )
    observed = replicate(described, schedule, seed=1, replication=0)
    told = pd.DataFrame(observed.events)
    visits = pd.DataFrame(observed.visits)
    edge_visits = visits[visits["component"] == "edge"].assign(replication=0)
    assert list(broken_envoy_laws(described, edge_visits, described.run.duration)) == []
    events = (
        [(row.time_s, row.kind, json.loads(row.detail)) for row in told[told["component"] == "edge"].itertuples()]
        if len(told)
        else []
    )
    return pd.DataFrame(observed.requests), edge_visits, events


def test_turns_among_the_healthy_and_among_all_are_counted_apart() -> None:
    """Three of four are healthy; in panic, with one healthy, all have their turn, from the first on."""
    cluster = _cluster(4)
    choice = InTurn(cluster)
    _eject(cluster, 1)
    assert [choice.choose(_request()).slot for _ in range(4)] == [0, 2, 3, 0]
    _eject(cluster, 2, 3)
    assert cluster.panics
    assert [choice.choose(_request()).slot for _ in range(5)] == [0, 1, 2, 3, 0]


@pytest.mark.parametrize(
    ("healthy", "of", "threshold", "panics"),
    [
        (2, 4, 0.5, False),
        (1, 4, 0.5, True),
        (0, 4, 0.5, True),
        (0, 4, 0.0, False),
        (3, 4, 0.9, False),
        (2, 3, 0.9, True),
    ],
)
def test_panic(healthy: int, of: int, threshold: float, panics: bool) -> None:
    """Below the threshold; but 72 % healthy count as all there (140 %), whatever the threshold is."""
    cluster = _cluster(of, threshold=threshold)
    _eject(cluster, *range(healthy, of))
    assert cluster.panics is panics
    assert len(cluster.chosen_among) == (of if panics else healthy)


def test_nobody_healthy_and_no_panic_is_rejected() -> None:
    """With threshold 0 the last ejection leaves nobody: 503 at once."""
    cluster = _cluster(2, threshold=0.0)
    _eject(cluster, 0, 1)
    assert InTurn(cluster).choose(_request()) is None


def test_the_first_of_equals_drawn_is_taken_and_the_same_one_may_be_drawn_twice() -> None:
    """Two idle replicas: plain chance. One busy: it is taken only when it is drawn twice, a quarter of the time."""
    cluster = _cluster(2)
    choice = LeastRequest(cluster, choices=Stream(seed=1, replication=0, name="choice"), draws=2)
    idle = Counter(choice.choose(_request(number)).slot for number in range(4000))
    assert abs(idle[0] / 4000 - 0.5) < 3.29 * (0.25 / 4000) ** 0.5
    cluster.hosts[0].active = 1
    busy = Counter(choice.choose(_request(number)).slot for number in range(4000))
    assert abs(busy[0] / 4000 - 0.25) < 3.29 * (0.1875 / 4000) ** 0.5


def test_most_keys_stay_when_a_replica_is_ejected() -> None:
    """Each has its share within what 256 points give; the three have 342 each then, which take some keys over.

    Of the keys of those who stay about (1 - 256 / 342) x 2 / 3 = 17 % move.
    """
    cluster = _cluster(4)
    choice = RingHash(cluster, ring_size=1024, balance_factor=None, active=lambda: 0)
    before = [choice.choose(_request(key=key)).slot for key in range(4000)]
    _eject(cluster, 2)
    after = [choice.choose(_request(key=key)).slot for key in range(4000)]
    kept = [old == new for old, new in zip(before, after, strict=True) if old != 2]
    assert 0.78 < np.mean(kept) < 0.88
    assert 2 not in after
    assert all(0.18 < share / 4000 < 0.32 for share in Counter(before).values())


def test_a_bounded_ring_sends_a_key_elsewhere() -> None:
    """Factor 150, four replicas, 7 under way: 12 slots, 3 each. With 3 its own is taken yet, with 4 another one."""
    cluster = _cluster(4)
    choice = RingHash(cluster, ring_size=1024, balance_factor=150, active=lambda: 7)
    own = choice.choose(_request(key=5))
    own.active = 3
    assert choice.choose(_request(key=5)) is own
    own.active = 4
    elsewhere = choice.choose(_request(key=5))
    assert elsewhere is not own
    assert choice.choose(_request(key=5)) is elsewhere  # the same order for the same key
    for host in cluster.hosts:
        host.active = 5
    elsewhere.active = 4
    assert choice.choose(_request(key=5)) is elsewhere  # all are beyond: the least


def test_max_requests_are_answered_at_once() -> None:
    """Two may be under way: the third gets 503 without a wait; when one is done the next is let in."""
    requests, _, _ = _run([0.0, 0.01, 0.02, 0.11], max_requests=2)
    assert requests["outcome"].tolist() == ["ok", "ok", "rejected", "ok"]
    assert requests["end_s"].tolist() == pytest.approx([0.1, 0.11, 0.02, 0.21])


def test_requests_wait_for_a_connection_of_their_replica() -> None:
    """One connection, one replica of 100 ms: the second waits, of two who may wait; the fourth gets 503."""
    one = service(waiting("100ms"))
    requests, visits, _ = _run([0.0, 0.01, 0.02, 0.03, 0.15], api=one, max_connections=1, max_pending_requests=2)
    assert requests["outcome"].tolist() == ["ok", "ok", "ok", "rejected", "ok"]
    assert requests["end_s"].tolist() == pytest.approx([0.1, 0.2, 0.3, 0.03, 0.4])
    assert visits["waiting_time_s"].tolist() == pytest.approx([0.0, 0.09, 0.18, 0.0, 0.15])


def test_a_replica_without_a_connection_gets_one_whatever_the_threshold() -> None:
    """One connection in all, two replicas in turn: each gets one; the third request waits for its own replica's."""
    requests, visits, _ = _run([0.0, 0.01, 0.02, 0.03], max_connections=1)
    assert requests["end_s"].tolist() == pytest.approx([0.1, 0.11, 0.2, 0.21])
    assert visits["replica"].tolist() == [0, 1, 0, 1]


def test_the_timeout_holds_for_wait_and_answer_together() -> None:
    """150 ms in all: the second waits 90 ms for the connection and 60 ms for an answer that would take 100 ms."""
    requests, visits, _ = _run([0.0, 0.01, 0.4], api=service(waiting("100ms")), max_connections=1, timeout="150ms")
    assert requests["outcome"].tolist() == ["ok", "error", "ok"]
    assert requests["end_s"].tolist() == pytest.approx([0.1, 0.16, 0.5])
    assert visits["outcome"].tolist() == ["ok", "timeout", "ok"]


def test_a_client_that_leaves_frees_the_connection_for_who_waits() -> None:
    """Patience 100 ms, 1 s of work, one connection: it is closed when its client leaves, and another is opened."""
    requests, visits, _ = _run([0.0, 0.05], api=service(waiting("1s")), max_connections=1, client={"timeout": "100ms"})
    assert requests["outcome"].tolist() == ["timeout", "timeout"]
    assert visits["waiting_time_s"].tolist() == pytest.approx([0.0, 0.05])


def test_who_waits_for_a_dead_replica_is_refused_with_it() -> None:
    """The process dies at 50 ms: 503 for who was under way, and for who waited, at that very time."""
    crash = {"kind": "crash", "at": "50ms", "restart_after": "1s"}
    requests, _, _ = _run([0.0, 0.01, 0.06, 2.0], crash, api=service(waiting("100ms")), max_connections=1)
    assert requests["outcome"].tolist() == ["rejected", "rejected", "rejected", "ok"]
    assert requests["end_s"].tolist() == pytest.approx([0.05, 0.05, 0.06, 2.1])


_BAD = {"kind": "bad_deploy", "at": "0s", "replica": 0, "error_ratio": "100%"}


def test_ejections_last_longer_each_time_and_end_with_a_look() -> None:
    """Two replicas in turn every 0.5 s, the first one fails always; looks every 10 s, 30 s times the ejections.

    Its fifth failure comes at 4.25 s: out until the first look after 34.25 s. Back at 40 s, it fails five times until
    44.25 s: out until the first look after 104.25 s.
    """
    starts_s = [0.25 + 0.5 * number for number in range(230)]
    _, visits, events = _run(
        starts_s,
        _BAD | {"duration": "100s"},
        api=service(waiting("10ms"), replicas=2),
        outlier_detection={"max_ejection_percent": "50%"},
    )
    assert [(time_s, kind) for time_s, kind, _ in events] == [
        (pytest.approx(4.25, abs=0.011), "host_ejected"),
        (40.0, "host_unejected"),
        (pytest.approx(44.25, abs=0.011), "host_ejected"),
        (110.0, "host_unejected"),
    ]
    assert [detail["times"] for _, kind, detail in events if kind == "host_ejected"] == [1, 2]
    first = visits[visits["replica"] == 0]["arrival_s"]
    assert not first.between(4.3, 39.9).any()
    assert first.between(40, 44.3).sum() == 5
    assert first.gt(110).any()


def test_an_interval_without_failures_forgives_one_time() -> None:
    """Bad for 5 s and again from 60 s: in again at 40 s and well at the look at 50 s, so 30 s again."""
    starts_s = [0.25 + 0.5 * number for number in range(230)]
    _, _, events = _run(
        starts_s,
        _BAD | {"duration": "5s"},
        _BAD | {"at": "60s", "duration": "10s"},
        api=service(waiting("10ms"), replicas=2),
        outlier_detection={"max_ejection_percent": "50%"},
    )
    ejected = [(time_s, detail["times"]) for time_s, kind, detail in events if kind == "host_ejected"]
    assert ejected == [(pytest.approx(4.25), 1), (pytest.approx(64.25), 1)]
    assert [time_s for time_s, kind, _ in events if kind == "host_unejected"] == [40.0, 100.0]


def test_no_more_are_ejected_than_may_be() -> None:
    """One third of three is one; the second is told of and stays; always_eject_one_host permits the first."""
    both = [_BAD | {"duration": "100s"}, _BAD | {"replica": 1, "duration": "100s"}]
    three = service(waiting("10ms"), replicas=3)
    starts_s = [0.5 * number for number in range(40)]
    for detection in ({"max_ejection_percent": "34%"}, {"always_eject_one_host": True}):
        _, _, events = _run(starts_s, *both, api=three, outlier_detection=detection)
        assert [kind for _, kind, _ in events][:2] == ["host_ejected", "ejection_overflow"]


def test_two_thirds_ejected_is_panic() -> None:
    """With one of three healthy all are asked again, until two are back."""
    both = [_BAD | {"duration": "20s"}, _BAD | {"replica": 1, "duration": "20s"}]
    three = service(waiting("10ms"), replicas=3)
    _, visits, events = _run(
        [0.5 * number for number in range(200)], *both, api=three, outlier_detection={"max_ejection_percent": "100%"}
    )
    kinds = [kind for _, kind, _ in events]
    assert kinds == ["host_ejected", "host_ejected", "panic", "host_unejected", "panic_over", "host_unejected"]
    panicked_s = next(time_s for time_s, kind, _ in events if kind == "panic")
    during = visits[visits["arrival_s"].between(panicked_s + 0.1, 19.9)]
    assert during["replica"].nunique() == 3
    assert (during["outcome"] == "error").mean() == pytest.approx(2 / 3, abs=0.1)


def _rates(*successes: int, requests: int = 100, **spec: Any) -> list[int]:
    """Return who is ejected for success rates of these percents at the first look."""
    cluster = _cluster(len(successes))
    detection = OutlierDetection.model_validate({"max_ejection_percent": "100%", "consecutive_5xx": 0} | spec)
    clock = cluster._clock
    outliers = Outliers(clock=clock, cluster=cluster, spec=detection)
    for host, good in zip(cluster.hosts, successes, strict=True):
        for number in range(requests):
            outliers.report(host, failed=number >= good)
    clock.run(until=10.5)
    return [host.slot for host in cluster.hosts if host.ejected]


def test_success_rates_far_below_the_others_eject() -> None:
    """Worked out in Envoy's source for 50, 100, 100, 100, 100: mean 90, deviation 20, threshold 90 - 1.9 x 20 = 52."""
    assert _rates(50, 100, 100, 100, 100) == [0]
    assert _rates(50, 100, 100, 100, 100, success_rate_stdev_factor=2.0) == []  # threshold 50, not below
    assert _rates(50, 50, 100, 100, 100) == []  # mean 80, deviation 24.5: threshold 33
    assert _rates(50, 100, 100, 100, success_rate_stdev_factor=1.0) == []  # too few replicas
    # Mean 87.5, deviation 21.7: threshold 65.8.
    assert _rates(50, 100, 100, 100, success_rate_stdev_factor=1.0, success_rate_minimum_hosts=4) == [0]
    assert _rates(50, 99, 99, 99, 99, requests=99) == []  # too few requests
    assert _rates(50, 100, 100, 100, 100, enforcing_success_rate=False, consecutive_5xx=99) == []


def test_five_in_a_row_are_needed() -> None:
    """Four failures and a success, over and over, eject nobody."""
    cluster = _cluster(2)
    detection = OutlierDetection(max_ejection_percent="100%")
    outliers = Outliers(clock=cluster._clock, cluster=cluster, spec=detection)
    for number in range(100):
        outliers.report(cluster.hosts[0], failed=number % 5 < 4)
    assert not cluster.hosts[0].ejected
    for _ in range(5):
        outliers.report(cluster.hosts[0], failed=True)
    assert cluster.hosts[0].ejected


_ONE = {"always_eject_one_host": True}


@pytest.mark.parametrize(
    ("edge", "says"),
    [
        ({"choice_count": 3}, "choice_count: has no effect, as round_robin draws no replicas"),
        ({"hash_balance_factor": 150}, "hash_balance_factor: has no effect, as round_robin goes by no hash"),
        ({"minimum_ring_size": 99}, "minimum_ring_size: has no effect, as round_robin has no ring"),
        ({"outlier_detection": {}}, "max_ejection_percent: ejects nobody: 10% of at most 2 replicas is less than one"),
        (
            {"outlier_detection": {"always_eject_one_host": True, "success_rate_request_volume": 9}},
            "success_rate_request_volume: has no effect, as there are never the 5 replicas",
        ),
        (
            {
                "outlier_detection": {
                    "always_eject_one_host": True,
                    "consecutive_5xx": 0,
                    "enforcing_success_rate": False,
                }
            },
            "consecutive_5xx: is 0, and success rates are not compared: ejects nobody",
        ),
        (
            {
                "outlier_detection": {
                    "always_eject_one_host": True,
                    "enforcing_success_rate": False,
                    "success_rate_stdev_factor": 3,
                }
            },
            "success_rate_stdev_factor: has no effect, as enforcing_success_rate is false",
        ),
        (
            {"outlier_detection": {"always_eject_one_host": True, "max_ejection_time": "5s"}},
            "max_ejection_time is less than base_ejection_time",
        ),
        ({"targets": "edge"}, "'edge' is not a service of this scenario"),
    ],
)
def test_keys_that_do_not_fit_are_refused(edge: dict[str, Any], says: str) -> None:
    """Each with what is wrong and why."""
    parts = {"edge": {"kind": "envoy", "targets": "api"} | edge, "api": service(waiting("1ms"), replicas=2)}
    with pytest.raises(ScenarioError) as caught:
        scenario(parts, entry="edge")
    assert says in str(caught.value)


def test_arithmetic_and_topology_know_it() -> None:
    """As many at once as the least of its thresholds; the picture says how it chooses and who is ejected."""
    edge = {
        "kind": "envoy",
        "targets": "api",
        "algorithm": "least_request",
        "max_requests": 7,
        "outlier_detection": {"max_ejection_percent": "50%"},
    }
    described = scenario({"edge": edge, "api": service(waiting("10ms"), replicas=2)}, entry="edge")
    assert lab.arithmetic(described).row("edge", "slots").servers == 7
    assert "<b>edge</b><br/>least request of 2, 7 requests, ejects after 5 failures" in lab.mermaid(described)


def test_the_laws_catch_what_breaks_a_circuit_breaker() -> None:
    """Two under way where one may be; two who wait where one may."""
    edge = {"kind": "envoy", "targets": "api", "max_requests": 1, "max_pending_requests": 1}
    described = scenario({"edge": edge, "api": service(waiting("1s"))}, entry="edge")
    rows = pd.DataFrame(
        [(0, 0, 2), (1, 1, 3), (0, 2.5, 3), (0, 2.6, 3)], columns=["arrival_s", "admitted_s", "departure_s"]
    ).assign(component="edge", replication=0, waiting_time_s=lambda row: row["admitted_s"] - row["arrival_s"])
    under_way, waited = broken_envoy_laws(described, rows, 3.0)
    assert under_way.startswith("circuit breakers: 3 requests under way at edge in replication 0, where 1 may be")
    assert waited.startswith("circuit breakers: 2 requests waited at edge in replication 0, where 1 may")
