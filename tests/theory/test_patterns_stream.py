"""What the lessons about streams show: what a hot key, a batch and a rebalance do to the lag."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import lab

PATTERNS = Path(__file__).parents[2] / "scenarios" / "patterns"


def _simulate(scenario: lab.Scenario) -> lab.Run:
    return lab.simulate(scenario, progress=False, allow_unstable=True)


def _largest(run: lab.Run, gauge: str) -> float:
    return float(run.samples[run.samples["gauge"] == gauge].groupby("replication")["value"].max().mean())


def _median_wait_s(run: lab.Run, channel: str, since_s: float, until_s: float) -> float:
    stays: pd.DataFrame = run.visits[run.visits["component"] == channel]
    return float(stays[stays["arrival_s"].between(since_s, until_s)]["waiting_time_s"].quantile(0.5))


@pytest.mark.slow
def test_more_consumers_do_not_help_a_hot_partition() -> None:
    """75 of 150 likes are about one film: its partition takes 84/s and gets 62.5/s done, whoever else is there."""
    scenario = lab.read_scenario(PATTERNS / "consumer_lag.yaml")
    eight, sixteen = (_simulate(scenario.with_({"components.counter.replicas": count})) for count in (8, 16))
    assert _largest(eight, "lag_hottest") > 0.8 * 30 * (75 + 75 / 8 - 62.5)
    assert abs(_largest(sixteen, "lag_hottest") / _largest(eight, "lag_hottest") - 1) < 0.02
    quicker = _simulate(scenario.with_({"components.counter.endpoints.count.0.time.mean": "8ms"}))
    assert _largest(quicker, "lag_hottest") < 0.2 * _largest(eight, "lag_hottest")


@pytest.mark.slow
def test_a_batch_shares_its_commit() -> None:
    """One by one 192 a second get done, and the lag grows; in batches of a hundred the spike is nothing."""
    scenario = lab.read_scenario(PATTERNS / "batching.yaml")
    batched = _simulate(scenario)
    single = _simulate(scenario.with_({"components.views.max_poll_records": 1}))
    assert _largest(single, "lag") > 10 * (600 - 193)
    assert _largest(batched, "lag") < 100
    assert batched.value("waiting_time_s_mean", "views") < 0.02


@pytest.mark.slow
def test_a_restart_stops_an_eager_group_until_the_dead_member_is_missed() -> None:
    """eager: from the restart to the session timeout nobody reads; cooperative: three of four partitions go on."""
    scenario = lab.read_scenario(PATTERNS / "rebalance.yaml")
    eager = _simulate(scenario)
    cooperative = _simulate(scenario.with_({"components.likes.rebalance": "cooperative"}))
    shorter = _simulate(scenario.with_({"components.likes.session_timeout": "10s"}))
    unread = eager.samples[(eager.samples["gauge"] == "partitions_unread") & (eager.samples["value"] == 8)]
    assert unread[unread["time_s"] > 0].groupby("replication")["time_s"].max().between(60, 67).all()
    assert _median_wait_s(eager, "likes", 30, 50) > 10
    assert _median_wait_s(cooperative, "likes", 30, 50) < 0.05
    assert _median_wait_s(shorter, "likes", 40, 50) < 0.05
    for run in (eager, cooperative, shorter):
        assert (run.events["kind"] == "redelivery").any()  # what the dead one had not committed
