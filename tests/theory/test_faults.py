"""Faults against theory and the fluid limit: slow work, dead work, and work that waits for a process to go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import lab
from lab.theory import backlog, mm1
from lab.theory.intervals import Interval, mean_interval
from lab.validation.laws import broken_laws

pytestmark = pytest.mark.slow

PATTERNS = Path(__file__).parents[2] / "scenarios" / "patterns"


def _single(fault: dict[str, Any], time: Any, rate: str, run: dict[str, Any], **others: Any) -> lab.Scenario:
    return lab.Scenario.model_validate(
        {
            "name": "one_server",
            "workload": {"kind": "open", "arrival_rate": rate, "endpoints": {"get": "100%"}},
            "entry": "api",
            "components": {"api": {"kind": "service", "endpoints": {"get": [{"kind": "cpu", "time": time}]}}},
            "faults": [fault],
            "run": run,
            **others,
        }
    )


def test_a_slow_down_is_the_same_queue_with_longer_service() -> None:
    """M/M/1 of 3 ms slowed down twofold is M/M/1 of 6 ms, request for request, and not of 5 % more."""
    slow = {"kind": "slow_down", "at": "0s", "component": "api", "factor": 2, "duration": "300s"}
    exponential = {"kind": "exponential", "mean": "3ms"}
    slowed = _single(slow, exponential, "100/s", {"duration": "60s", "replications": 2, "seed": 3})
    longer = slowed.with_({"faults": [], "components.api.endpoints.get.0.time.mean": "6ms"})
    seen, expected = (lab.simulate(each, progress=False).requests["sojourn_time_s"] for each in (slowed, longer))
    assert seen.to_numpy() == pytest.approx(expected.to_numpy(), nan_ok=True)
    assert seen.mean() > 2 * mm1.sojourn_time_s_mean(arrival_rate_per_s=100, service_time_s=0.003)
    off = lab.simulate(slowed.with_({"faults.0.factor": 2.1}), progress=False).requests["sojourn_time_s"]
    assert off.mean() > 1.05 * expected.mean()


def test_a_hang_leaves_the_backlog_of_the_fluid() -> None:
    """4 s of standstill at 50/s leave 200 requests, which 100/s work off in 4 s: a triangle of 800 request seconds."""
    hang = {"kind": "hang", "at": "10s", "component": "api", "duration": "4s"}
    scenario = _single(hang, "10ms", "50/s", {"duration": "30s", "replications": 12, "seed": 1})
    run = lab.simulate(scenario, progress=False)
    drain_s = backlog.drain_time_s(backlog=200, arrival_rate_per_s=50, capacity_per_s=100)
    assert drain_s == 4.0
    calm = lab.simulate(scenario.with_({"faults": []}), progress=False)
    more_s = (run.requests["sojourn_time_s"] - calm.requests["sojourn_time_s"]).groupby(run.requests["replication"])
    area = mean_interval(more_s.sum(), 0.999)
    assert area.low <= 0.5 * 200 * (4 + drain_s) <= area.high
    assert area.low > 0.5 * 150 * (3 + 3)  # which a hang of 3 s would leave
    hit = run.requests[run.requests["intended_start_s"].between(10, 14)]
    assert (hit["end_s"] >= 14).all()  # nothing is answered meanwhile
    after = run.requests[run.requests["intended_start_s"] > 14 + 2 * drain_s]
    assert after["sojourn_time_s"].mean() < 0.05  # and then it is as if nothing had been


def test_what_clients_give_up_during_a_hang_is_done_all_the_same() -> None:
    """Each request that timed out was worked on after its client had gone, and counts as abandoned."""
    hang = {"kind": "hang", "at": "10s", "component": "api", "duration": "4s"}
    scenario = _single(
        hang, "10ms", "50/s", {"duration": "30s", "replications": 3, "seed": 1}, client={"timeout": "1s"}
    )
    run = lab.simulate(scenario, progress=False)
    assert broken_laws(run) == []
    gave_up = run.requests[run.requests["outcome"] == "timeout"]
    assert len(gave_up) > 3 * 150
    work = run.visits[(run.visits["component"] == "api") & run.visits["abandoned"].astype(bool)]
    key = ["replication", "request"]
    assert set(map(tuple, work[key].to_numpy())) == set(map(tuple, gave_up[key].to_numpy()))
    assert (work["outcome"] == "ok").all()
    assert (work["departure_s"] > 14).all()


def test_crash_and_restart() -> None:
    """What is under way there ends at once; until the checks of 60, 62 and 64 s have failed, others cannot connect.

    The dead server's 16 connections are held by as many requests for three pauses of a second each: those that came
    from 60 s on are turned away from 63 s on, and their places taken by others until 64 s.
    """
    scenario = lab.read_scenario(PATTERNS / "crash_and_restart.yaml")
    run = lab.simulate(scenario, progress=False)
    assert broken_laws(run) == []
    work = run.visits[run.visits["component"] == "api"]
    cut = work[(work["replica"] == 0) & (work["arrival_s"] < 60) & ~(work["departure_s"] < 60)]
    assert len(cut) > 3
    assert (cut["departure_s"] == 60).all()
    assert (cut["outcome"] == "error").all()
    ended = run.requests[run.requests["outcome"] == "error"]
    assert len(ended) == len(cut)
    assert (ended["end_s"] == 60).all()
    down = run.events[run.events["kind"] == "server_down"]
    assert list(down["time_s"]) == [64.0] * 3
    rejected = run.requests[run.requests["outcome"] == "rejected"]
    assert rejected["sojourn_time_s"].to_numpy() == pytest.approx(3.0)
    assert rejected["intended_start_s"].between(60, 64).all()
    first = rejected[rejected["intended_start_s"] < 63].groupby("replication").size()
    assert list(first) == [16, 16, 16]
    assert run.objectives()[1].value == 5  # requests of the first five seconds are turned away, later ones are not
    later = rejected[rejected["intended_start_s"] >= 63].groupby("replication").size()
    assert later.between(1, 16).all()


def test_a_balancer_that_tries_another_server_loses_only_what_was_under_way() -> None:
    """With redispatch nobody waits for the dead server; without checks it goes on for as long as it is down."""
    scenario = lab.read_scenario(PATTERNS / "crash_and_restart.yaml")
    redispatched = lab.simulate(scenario.with_({"components.edge.redispatch": True}), progress=False)
    failed = redispatched.requests[redispatched.requests["outcome"].isin(["error", "rejected", "timeout"])]
    assert (failed["end_s"] == 60).all()
    blind = lab.simulate(scenario.with_({"components.edge.health_check": None}), progress=False)
    rejected = blind.requests[blind.requests["outcome"] == "rejected"]
    assert len(rejected) == 3 * 16 * 9  # 16 every 3 s, in the 30 s to the restart and boot: the tenth 16 succeed


def _failed_share(scenario: lab.Scenario) -> Interval:
    run = lab.simulate(scenario, progress=False)
    assert broken_laws(run) == []
    fault = scenario.faults[0]
    while_bad = run.requests[run.requests["intended_start_s"].between(fault.at + 1, fault.at + 20)]
    failed = (while_bad["outcome"] == "error").groupby(while_bad["replication"]).mean()
    return mean_interval(failed, 0.999)


def test_a_bad_version_fails_the_share_that_it_is_said_to() -> None:
    """Everywhere, a version with 90 % errors fails 90 % of all; one with 5 % fewer does not."""
    scenario = lab.read_scenario(PATTERNS / "bad_deploy.yaml").with_(
        {"faults.0.replicas": None, "faults.0.error_ratio": "90%"}
    )
    share = _failed_share(scenario)
    assert share.low <= 0.9 <= share.high
    off = _failed_share(scenario.with_({"faults.0.error_ratio": "85.5%"}))
    assert not off.low <= 0.9 <= off.high


def test_bad_deploy() -> None:
    """A replica that fails at once looks idle to leastconn, which sends it most requests; one that fails late does not.

    In turn a quarter fails, and of two drawn at random more than that.
    """
    scenario = lab.read_scenario(PATTERNS / "bad_deploy.yaml")
    by_least = _failed_share(scenario)
    in_turn = _failed_share(scenario.with_({"components.edge.algorithm": "roundrobin"}))
    by_two = _failed_share(scenario.with_({"components.edge.algorithm": "random"}))
    late = _failed_share(scenario.with_({"faults.0.when": "at_the_end"}))
    assert by_least.low > 0.6
    assert in_turn.low <= 0.25 <= in_turn.high
    assert 0.25 < by_two.low < by_two.high < by_least.low
    assert 0.2 < late.low < late.high < 0.3
