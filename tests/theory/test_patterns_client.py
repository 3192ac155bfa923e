"""What the scenarios about workloads and clients show, by variants on common random numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import lab

PATTERNS = Path(__file__).parents[2] / "scenarios" / "patterns"
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::lab.experiment.simulate.OverloadWarning")]


def _scenario(name: str) -> lab.Scenario:
    return lab.read_scenario(PATTERNS / f"{name}.yaml")


def _run(scenario: lab.Scenario, **changes: Any) -> lab.Run:
    return lab.simulate(scenario.with_(changes), progress=False, allow_unstable=True)


def _goodput(run: lab.Run, begin_s: float, end_s: float) -> pd.Series:
    """Good answers per second that came in a stretch, by replication."""
    ok = run.requests[(run.requests["outcome"] == "ok") & run.requests["end_s"].between(begin_s, end_s)]
    return ok.groupby("replication").size().reindex(range(len(run.replications)), fill_value=0) / (end_s - begin_s)


def test_a_closed_load_test_flatters() -> None:
    """The same server at the same rate: waits several times as long from an open workload; 50 % more work shows all."""
    scenario = _scenario("open_or_closed")
    closed = _run(scenario)
    rate = closed.value("throughput_per_s")
    open_ = {"workload": {"kind": "open", "arrival_rate": f"{rate:.4f}/s", "endpoints": {"read": "100%"}}}
    slower = {"components.api.endpoints.read.0.time.mean": "30ms"}
    opened, closed_slower, open_slower = (
        _run(scenario, **open_),
        _run(scenario, **slower),
        _run(scenario, **open_, **slower),
    )
    assert closed.value("sojourn_time_s_mean") < 0.1
    assert opened.value("sojourn_time_s_mean") > 2.5 * closed.value("sojourn_time_s_mean")
    assert closed_slower.value("sojourn_time_s_p99") < 1.5
    assert closed_slower.value("throughput_per_s") < 0.85 * rate
    assert open_slower.value("sojourn_time_s_p50") > 5
    for changes, severity in ((slower, "saturated"), ({**open_, **slower}, "unstable")):
        assert [each.severity for each in lab.arithmetic(scenario.with_(changes)).findings] == [severity]


def test_a_retry_budget_lets_an_overload_end() -> None:
    """Retries without a budget keep the service down after the spike is over; with one it is as if nobody retried."""
    scenario = _scenario("retry_budget")
    budget, free, none = (
        _run(scenario, **change) for change in ({}, {"client.retry.budget": None}, {"client.retry": None})
    )
    after = {name: _goodput(run, 30, 40) for name, run in (("budget", budget), ("free", free), ("none", none))}
    assert after["budget"].min() > 140
    assert after["none"].min() > 140
    assert after["free"].max() < 10
    assert budget.value("attempts_mean") < 1.1
    assert free.value("attempts_mean") > 3


def test_a_login_storm_hurts_whoever_is_in_already() -> None:
    """Feeds wait behind hashes, and go on coming after the storm; hashed elsewhere, and counted apart, all is well."""
    scenario = _scenario("login_storm")
    document = scenario.to_document()
    document["components"]["edge"]["max_connections_per_server"] = None  # else those who wait to sign in hold them all
    document["components"]["api"]["concurrency"] = None
    document["components"]["auth_edge"] = {"kind": "load_balancer", "targets": "auth"}
    document["components"]["auth"] = {
        "kind": "service",
        "replicas": 2,
        "endpoints": {"check": [{"kind": "cpu", "time": "35ms"}]},
    }
    document["components"]["api"]["endpoints"]["login"] = [{"kind": "call", "target": "auth_edge", "endpoint": "check"}]
    storm, calm = _run(scenario), _run(scenario, **{"workload.arrival_rate": "8/s"})
    apart = _run(lab.Scenario.model_validate(document))
    assert calm.value("sojourn_time_s_p99", "feed") < 0.2
    assert storm.value("sojourn_time_s_p99", "feed") > 1
    assert apart.value("sojourn_time_s_p99", "feed") < 0.2
    feeds = storm.requests[storm.requests["endpoint"] == "feed"]
    echo, usual = (feeds["intended_start_s"].between(*span).sum() for span in ((46, 51), (10, 15)))
    assert echo > 2 * usual


def test_jitter_lets_a_herd_come_back() -> None:
    """All at once a tenth is lost for good, and retries double the attempts; over ten seconds nobody is."""
    scenario = _scenario("reconnect_herd")
    jitter = "workload.arrival_rate.of.1.jitter"
    spread, at_once = _run(scenario), _run(scenario, **{jitter: "0s"})
    assert spread.value("error_ratio") == 0.0
    assert spread.value("attempts_mean") < 1.01
    assert at_once.value("error_ratio") > 0.05
    assert at_once.value("attempts_mean") > 1.5
    in_step = _run(scenario, **{jitter: "0s", "client.retry.backoff": {"kind": "constant", "delay": "500ms"}})
    change = lab.difference(at_once, in_step).set_index(["metric", "subject"])
    assert change.loc[("error_ratio", "all"), "low"] > 0.03  # those who retry in step lose more


def test_a_circuit_breaker_ends_the_work_for_nobody() -> None:
    """The queue is worked off while the breaker is open: back within 5 s of the spike, not after 40 s."""
    scenario = _scenario("circuit_breaker")
    breaker, none = _run(scenario), _run(scenario, **{"client.circuit_breaker": None})
    minute = _run(scenario, **{"client.circuit_breaker.open_for": "60s"})
    assert _goodput(breaker, 30, 50).min() > 150
    assert _goodput(none, 30, 50).max() == 0
    assert _goodput(none, 70, 90).min() > 150
    assert _goodput(minute, 30, 70).max() == 0  # resilience4j's default opens for a minute, and that is an outage too
    kinds = breaker.events["detail"].str.extract(r'"to":"(\w+)"')[0]
    assert {"open", "half_open", "closed"} <= set(kinds)


def test_a_hot_key_breaks_a_balancer_by_key() -> None:
    """A third is about one item: one replica of four works at its limit of 100/s, the others at less than half of it.

    The limit holds whichever share of the other keys the ring gives that replica. By load nobody notices.
    """
    scenario = _scenario("hot_key")
    by_key, by_load = (
        _run(scenario, **change)
        for change in ({}, {"components.edge.algorithm": "leastconn", "components.edge.hash_type": "map_based"})
    )
    served = by_key.visits[(by_key.visits["component"] == "api") & by_key.visits["arrival_s"].between(20, 40)]
    per_s = served["replica"].value_counts() / (20 * scenario.run.replications)
    assert 95 < per_s.iloc[0] < 105
    assert per_s.iloc[1] < 50
    assert _goodput(by_key, 25, 40).max() < 200
    assert _goodput(by_load, 25, 40).min() > 225
    assert by_load.value("sojourn_time_s_p99") < 0.1
