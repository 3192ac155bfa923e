"""Functions: which environment gets a request, when one is started, when it goes, and when a request is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lab.errors import DomainError, ScenarioError
from lab.scenario.scenario import Scenario
from lab.simulation.platform import Allowance
from lab.theory.cold_starts import cold_start_probability
from tests.unit.autoscaled import Watched
from tests.unit.backends import scenario, service, waiting


def _function(*, duration: str = "100s", faults: tuple[dict[str, Any], ...] = (), **changes: Any) -> Scenario:
    """A function whose requests take 1 s and whose cold starts take 2 s; the run begins with none."""
    others = {key: changes.pop(key) for key in ("replicas", "concurrency", "boot_time") if key in changes}
    api = {"replicas": 0, "concurrency": 1, "boot_time": "2s"} | others
    autoscaler = {"kind": "serverless", "idle_timeout": "10s"} | changes
    described = service(waiting("1s"), autoscaler=autoscaler, **api)
    return scenario({"api": described}, run={"duration": duration}, faults=list(faults))


def _watch(described: Scenario, *starts_s: float) -> Watched:
    return Watched(described, np.array(starts_s), own_balancer=False)


def _ends(watched: Watched) -> list[tuple[float, str]]:
    return list(zip(watched.requests["end_s"].round(9), watched.requests["outcome"], strict=True))


def _rows(watched: Watched) -> list[tuple[float, int, bool]]:
    """Of each request: how long it waited for its environment, which one that was, and whether it was warm."""
    own = watched.visits[watched.visits["component"] == "api.platform"].sort_values(["arrival_s", "request"])
    return [(row.waiting_time_s, row.replica, row.hit) for row in own.itertuples()]


def test_a_cold_start_then_a_warm_one() -> None:
    """The first waits 2 s for its environment; the next finds that idle; the third comes after it has gone."""
    watched = _watch(_function(), 1.0, 5.0, 16.0)
    assert _ends(watched) == [(4.0, "ok"), (6.0, "ok"), (19.0, "ok")]
    assert _rows(watched) == [(2.0, 0, False), (0.0, 0, True), (2.0, 1, False)]  # idle since 6 s, gone at 16 s
    assert watched.gauge("replicas_ready") == [(0.0, 0), (3.0, 1), (16.0, 0), (18.0, 1), (29.0, 0)]


def test_just_before_its_timeout_an_environment_is_reused() -> None:
    """It is idle since 4 s and would go at 14 s; then its timeout runs anew."""
    watched = _watch(_function(), 1.0, 13.9)
    assert _rows(watched)[1] == (0.0, 0, True)
    assert watched.gauge("replicas_ready")[-1] == (pytest.approx(24.9), 0)


def test_the_one_used_last_is_reused() -> None:
    """Three at once start three; single ones after them keep warm the one that was used last, and the others go."""
    watched = _watch(_function(), 0.0, 0.0, 0.0, 4.0, 6.0, 8.0, 10.0, 12.0)
    assert [row[1] for row in _rows(watched)] == [0, 1, 2, 2, 2, 2, 2, 2]
    assert watched.gauge("replicas_ready")[-3:] == [(2.0, 3), (13.0, 1), (23.0, 0)]


def test_its_request_waits_for_the_environment_that_is_started_for_it() -> None:
    """Environment 0 is idle again at 3 s, but the second request, of 2.5 s, has its own, ready at 4.5 s."""
    watched = _watch(_function(), 0.0, 2.5)
    assert _ends(watched) == [(3.0, "ok"), (5.5, "ok")]
    assert _rows(watched)[1] == (2.0, 1, False)


def test_beyond_the_most_a_request_is_refused_at_once() -> None:
    """Two environments, one request each: the third gets 429, until one is free."""
    watched = _watch(_function(max=2), 0.0, 0.0, 0.0, 1.0, 3.0)
    assert _ends(watched) == [(3.0, "ok"), (3.0, "ok"), (0.0, "rejected"), (1.0, "rejected"), (4.0, "ok")]
    assert _rows(watched)[2][:2] == (0.0, -1)


def test_the_ramp_by_hand() -> None:
    """Four starts at once, then one every 2 s: at 0 s four of six; at 3 s 1.5 have come back, which is one."""
    function = _function(scaling_burst=4, scaling_rate="0.5/s", boot_time="5s")
    watched = _watch(function, *[0.0] * 6, *[3.0] * 2, 4.0, 4.0, 90.0)
    outcomes = list(watched.requests["outcome"])
    assert outcomes == ["ok"] * 4 + ["rejected"] * 2 + ["ok", "rejected", "ok", "rejected", "ok"]
    assert watched.gauge("replicas_starting")[:4] == [(0.0, 4), (3.0, 5), (4.0, 6), (5.0, 2)]


def test_the_ramp_as_aws_publishes_it() -> None:
    """1,000 at once and 1,000 per 10 s after that, bit by bit; what is not used for a minute is not saved up."""
    allowance = Allowance(burst=1000, rate_per_s=100.0)
    started = [sum(allowance.take(float(second)) for _ in range(5000)) for second in range(31)]
    assert started[0] == 1000
    assert sum(started[:11]) == 2000
    assert sum(started[:31]) == 4000
    assert sum(allowance.take(90.0) for _ in range(5000)) == 1000


def test_several_requests_an_environment() -> None:
    """With room for two, the second waits for the one that is being started, the third for its own."""
    watched = _watch(_function(concurrency=2), 0.0, 0.5, 0.5, 10.0)
    assert _rows(watched) == [(2.0, 0, False), (1.5, 0, False), (2.0, 1, False), (0.0, 1, True)]


def test_provisioned_environments_stay() -> None:
    """Two are there from the start and never end; the third comes and goes."""
    watched = _watch(_function(replicas=2, min=2), 0.0, 0.0, 0.0)
    assert [row[0] for row in _rows(watched)] == [0.0, 0.0, 2.0]
    assert watched.gauge("replicas_ready") == [(0.0, 2), (2.0, 3), (11.0, 2)]


def test_a_schedule_provisions() -> None:
    """From 20 s on three are kept, ready at 22 s; from 40 s on none, and those idle for long enough go at once."""
    watched = _watch(_function(schedule=[{"at": "20s", "min": 3}, {"at": "40s", "min": 0}]), 21.0, 30.0)
    assert watched.gauge("replicas_ready") == [(0.0, 0), (22.0, 3), (23.0, 4), (32.0, 3), (40.0, 1), (41.0, 0)]
    assert _rows(watched) == [(2.0, 3, False), (0.0, 3, True)]
    assert watched.why()[0] == (20.0, {"before": 0, "after": 3, "reason": "schedule", "min": 3, "max": 1000})


def test_a_lower_limit_ends_idle_ones_first() -> None:
    """Of three, two busy, one may stay: the idle one goes at once, one busy one after its answer."""
    watched = _watch(_function(replicas=3, schedule=[{"at": "5500ms", "max": 1}]), 5.0, 5.0)
    assert _ends(watched) == [(6.0, "ok"), (6.0, "ok")]
    assert watched.gauge("replicas_ready")[:2] == [(0.0, 3), (5.5, 1)]
    assert watched.gauge("replicas_draining")[:3] == [(0.0, 0), (5.5, 1), (6.0, 0)]


def test_a_crash_ends_what_is_under_way_and_who_waits_for_a_start() -> None:
    """One works, one is being started; both requests end in an error, and the next starts a new one."""
    crash = {"kind": "crash", "component": "api", "at": "3500ms"}
    watched = _watch(_function(boot_time="2s", faults=(crash,)), 1.0, 3.2, 5.0)
    assert _ends(watched) == [(3.5, "error"), (3.5, "error"), (8.0, "ok")]
    provisioned = _watch(_function(replicas=1, min=1, faults=(crash,)), 6.0)
    assert provisioned.gauge("replicas_ready") == [(0.0, 1), (3.5, 0), (5.5, 1)]  # one is kept, so one is started


def test_a_quota_refuses_too() -> None:
    """While the platform gives out two, the third request is refused, whatever max says."""
    quota = {"kind": "quota", "component": "api", "at": "0s", "limit": 2, "duration": "10s"}
    watched = _watch(_function(faults=(quota,)), 1.0, 1.0, 1.0, 11.0, 11.0, 11.0)
    assert [outcome for _, outcome in _ends(watched)] == ["ok", "ok", "rejected", "ok", "ok", "ok"]


def test_gb_seconds_and_invocations() -> None:
    """Two requests, 3 s with the cold start and 1 s without, in half a GiB; refused ones cost nothing."""
    import lab

    described = _function(memory="512MiB", max=1, duration="40s").with_(
        {
            "workload.arrival_rate": {
                "kind": "steps",
                "steps": [{"at": "0s", "rate": "2/s"}, {"at": "20s", "rate": "0/s"}],
            }
        }
    )
    for keep in ("all", "summary"):
        run = lab.simulate(described, progress=False, replications=2, keep=keep)
        served = run.metrics().set_index(["replication", "metric", "subject"])["value"]
        requests = run.requests
        for replication in (0, 1):
            ok = int(((requests["replication"] == replication) & (requests["outcome"] == "ok")).sum())
            assert served[replication, "invocations", "api"] == ok
            assert served[replication, "gb_seconds", "api"] == pytest.approx(0.5 * (ok * 1.0 + 2.0))


@pytest.mark.parametrize(
    ("api", "says"),
    [
        ({"concurrency": None}, "api.concurrency: serverless needs to know how many requests one process works on"),
        ({"workers": 2}, "api.workers: has no effect with serverless"),
        ({"backlog": 3}, "api.backlog: has no effect with serverless"),
        ({"autoscaler": None}, "api.replicas: 0 is out of range: it must be 1 or more, unless an autoscaler starts"),
    ],
)
def test_what_makes_no_sense_is_refused(api: dict[str, Any], says: str) -> None:
    """With the place and the reason."""
    described = {"replicas": 0, "concurrency": 1, "autoscaler": {"kind": "serverless"}} | api
    with pytest.raises(ScenarioError) as caught:
        scenario({"api": service(waiting("1s"), **described)})
    assert says in str(caught.value)


def test_nobody_stands_before_a_platform() -> None:
    """It hands its requests out itself; and neither a number set by hand nor one desired has a meaning."""
    api = service(waiting("1s"), replicas=0, concurrency=1, autoscaler={"kind": "serverless"})
    edge = {"kind": "load_balancer", "targets": "api"}
    with pytest.raises(ScenarioError, match=r"edge.targets: the platform of 'api' hands requests out itself"):
        scenario({"edge": edge, "api": api}, entry="edge")
    with pytest.raises(ScenarioError, match="component: has as many processes as its requests need"):
        _function(faults=({"kind": "scale", "component": "api", "at": "1s", "replicas": 2},))
    with pytest.raises(ScenarioError, match=r"schedule.0.desired: has no effect with serverless"):
        _function(schedule=[{"at": "1s", "desired": 2}])


@pytest.mark.slow
def test_cold_starts_in_theory() -> None:
    """One at a time: exp(-rate x timeout). More load shares the processes better; too much is refused."""
    few, many = (
        cold_start_probability(arrival_rate_per_s=rate, service_time_s=1.0, idle_timeout_s=10.0) for rate in (0.2, 20.0)
    )
    assert 0.01 < many < few < 0.3
    with pytest.raises(DomainError, match="501 under way on average are more than 500"):
        cold_start_probability(arrival_rate_per_s=501, service_time_s=1.0, idle_timeout_s=1.0)
