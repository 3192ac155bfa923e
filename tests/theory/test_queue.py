"""Queues and workers against theory, by 99.9 % intervals, each beside a twin 5 % off that must be rejected."""

from __future__ import annotations

from typing import Any

import pytest

import lab
from lab.theory import backlog, mmc, mmck, priority
from lab.theory.intervals import mean_interval

LEVEL = 0.999


def _jobs(queue: dict[str, Any], *, workers: int, work: Any, rate: Any, **run: Any) -> lab.Scenario:
    return lab.Scenario.model_validate(
        {
            "name": "jobs",
            "workload": {
                "kind": "open",
                "arrival_rate": rate,
                "endpoints": {"post": "100%"},
                "keys": {"kind": "uniform", "count": 1000},
            },
            "entry": "api",
            "components": {
                "api": {"kind": "service", "endpoints": {"post": [{"kind": "publish", "queue": "jobs"}]}},
                "jobs": {"kind": "queue", "consumer": "worker", "endpoint": "do", "publish_time": "0s"} | queue,
                "worker": {
                    "kind": "service",
                    "replicas": workers,
                    "concurrency": 1,
                    "endpoints": {"do": [{"kind": "wait", "time": work}]},
                },
            },
            "run": {"duration": "45s", "warm_up": "5s", "replications": 20, "seed": 3} | run,
        }
    )


def _exponential(mean: str) -> dict[str, str]:
    return {"kind": "exponential", "mean": mean}


CASES = {
    "competing consumers are M/M/c": (
        _jobs({}, workers=3, work=_exponential("20ms"), rate="120/s"),
        {"components.worker.endpoints.do.0.time.mean": "21ms"},
        ("waiting_time_s_mean", "jobs"),
        mmc.waiting_time_s_mean(arrival_rate_per_s=120.0, service_time_s=0.02, servers=3),
    ),
    "a partition is M/M/1": (
        _jobs({"partitions": 1}, workers=1, work=_exponential("20ms"), rate="30/s", duration="105s"),
        {"components.worker.endpoints.do.0.time.mean": "21ms"},
        ("waiting_time_s_mean", "jobs"),
        mmc.waiting_time_s_mean(arrival_rate_per_s=30.0, service_time_s=0.02, servers=1),
    ),
    "a bounded queue that rejects is M/M/c/K": (
        _jobs({"capacity": 3, "overflow": "reject"}, workers=2, work=_exponential("20ms"), rate="100/s"),
        {"components.worker.endpoints.do.0.time.mean": "21ms"},
        ("error_ratio", "all"),
        mmck.blocking_probability(arrival_rate_per_s=100.0, service_time_s=0.02, servers=2, capacity=5),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_theory_lies_in_the_interval_and_not_in_the_twins(name: str) -> None:
    """The closed form is in the interval of the model, and out of that of a model whose work takes 5 % longer."""
    scenario, twin, figure, theory = CASES[name]
    here, there = (
        mean_interval(lab.simulate(each, progress=False, allow_unstable=True).per_replication(*figure), LEVEL)
        for each in (scenario, scenario.with_(twin))
    )
    assert here.contains(theory), f"theory {theory:.6g} outside {here}"
    assert not there.contains(theory), f"theory {theory:.6g} inside {there}"


@pytest.mark.slow
def test_dropping_the_head_loses_as_many_as_rejecting_but_serves_fresher_ones() -> None:
    """The same messages find the queue full; those that are dropped had waited, so those served waited less."""
    bounded = _jobs({"capacity": 3}, workers=2, work=_exponential("20ms"), rate="100/s")
    theory = mmck.blocking_probability(arrival_rate_per_s=100.0, service_time_s=0.02, servers=2, capacity=5)
    run = lab.simulate(bounded, progress=False, allow_unstable=True)
    stays = run.visits[(run.visits["component"] == "jobs") & (run.visits["arrival_s"] > 5)]
    lost = (stays["outcome"] == "rejected").groupby(stays["replication"]).mean()
    assert mean_interval(lost, LEVEL).contains(theory)
    assert not mean_interval(lost, LEVEL).contains(theory * 1.05)
    waits = mmck.waiting_time_s_mean(arrival_rate_per_s=100.0, service_time_s=0.02, servers=2, capacity=5)
    served = stays[stays["outcome"] == "ok"]
    assert served["waiting_time_s"].mean() < 0.95 * waits


@pytest.mark.slow
def test_a_burst_drains_as_the_fluid_says() -> None:
    """Eight workers do 100/s; 10 s of 300/s pile up 2,000 messages, which 50/s of new ones let drain in 40 s."""
    spike = {"kind": "spike", "base": "50/s", "peak": "300/s", "at": "10s", "rise": "0s", "hold": "10s", "fall": "0s"}
    scenario = _jobs({}, workers=8, work="80ms", rate=spike, duration="90s", warm_up="0s", replications=10)
    run = lab.simulate(scenario, progress=False, allow_unstable=True)
    stays = run.visits[run.visits["component"] == "jobs"]
    waited = stays[stays["waiting_time_s"] > 0.5]
    drained = waited.groupby("replication")["admitted_s"].max()
    fluid = backlog.drain_time_s(backlog=2000.0, arrival_rate_per_s=50.0, capacity_per_s=100.0)
    assert mean_interval(drained, LEVEL).contains(20.0 + fluid)
    assert not mean_interval(drained, LEVEL).contains(20.0 + 1.1 * fluid)


@pytest.mark.slow
def test_priorities_are_those_of_cobham() -> None:
    """Two classes at one consumer, not interrupted: the mean waits of M/G/1 with priorities; 5 % off is rejected."""
    work = {"kind": "lognormal", "mean": "20ms", "scv": 0.5}
    scenario = _jobs({"max_priority": 1}, workers=1, work=work, rate="38/s", duration="85s").with_(
        {
            "components.api.endpoints": {
                "urgent": [{"kind": "publish", "queue": "jobs", "priority": 1}],
                "post": [{"kind": "publish", "queue": "jobs"}],
            },
            "workload.endpoints": {"urgent": "40%", "post": "60%"},
        }
    )
    theory, twin = (
        priority.non_preemptive_waiting_times_s_mean(
            arrival_rates_per_s=[15.2, 22.8], service_times_s=[work_s] * 2, service_times_scv=[0.5, 0.5]
        )
        for work_s in (0.02, 0.021)
    )
    run = lab.simulate(scenario, progress=False)
    stays = run.visits[(run.visits["component"] == "jobs") & (run.visits["arrival_s"] > 5)]
    stays = stays.merge(run.requests[["replication", "request", "endpoint"]], on=["replication", "request"])
    for endpoint, wait_s, twin_s in zip(("urgent", "post"), theory, twin, strict=True):
        waits = stays[stays["endpoint"] == endpoint].groupby("replication")["waiting_time_s"].mean()
        assert mean_interval(waits, LEVEL).contains(wait_s)
        assert not mean_interval(waits, LEVEL).contains(twin_s)
