"""A hot row against theory, by 99.9 % intervals, each beside a twin 5 % off that must be rejected."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import lab
from lab.theory import mg1
from lab.theory.intervals import mean_interval

LEVEL = 0.999
_CHANGE = {"kind": "query", "database": "main", "query": "change"}
_READ = {"kind": "query", "database": "main", "query": "read"}


def _scenario(workload: dict[str, Any], step: dict[str, Any], database: dict[str, Any], **run: Any) -> lab.Scenario:
    return lab.Scenario.model_validate(
        {
            "name": "rows",
            "workload": {"endpoints": {"get": "100%"}} | workload,
            "entry": "api",
            "components": {
                "api": {
                    "kind": "service",
                    "endpoints": {"get": [{"kind": "transaction", "database": "main"} | step]},
                },
                "main": {"kind": "database", "pool": {"size": 1000}, "round_trip": "0s"} | database,
            },
            "run": {"duration": "12s", "warm_up": "1s", "replications": 16, "seed": 7} | run,
        }
    )


@pytest.mark.slow
def test_a_hot_row_is_an_mg1_queue_whose_service_is_the_hold() -> None:
    """Three rows, each held for 6 ms 83.3 times a second: what half its time and the scv of 4 to 8 ms make one wait."""
    scenario = _scenario(
        {"kind": "open", "arrival_rate": "250/s", "keys": {"kind": "uniform", "count": 3}},
        {"kind": "query", "query": "change"},
        {"queries": {"change": {"statement": "update", "time": {"kind": "uniform", "low": "4ms", "high": "8ms"}}}},
        duration="5500ms",
        warm_up="500ms",
        replications=24,
    )
    twin = {"kind": "uniform", "low": "4.2ms", "high": "8.4ms"}
    theory = mg1.waiting_time_s_mean(arrival_rate_per_s=250 / 3, service_time_s=0.006, service_time_scv=1 / 27)
    for each, agrees in ((scenario, True), (scenario.with_({"components.main.queries.change.time": twin}), False)):
        run = lab.simulate(each, progress=False)
        found = mean_interval(run.per_replication("waiting_time_s_mean", "main.lock"), LEVEL)
        assert found.contains(theory) == agrees, f"theory {theory:.6g}, found {found}"


def test_the_lock_of_a_transaction_is_lindleys_queue() -> None:
    """Each wait is the wait before it, and the hold, less the time between: exactly, whatever is done meanwhile."""
    scenario = _scenario(
        {"kind": "open", "arrival_rate": "70/s", "keys": {"kind": "uniform", "count": 1}},
        {"steps": [_READ, _CHANGE, {"kind": "wait", "time": {"kind": "exponential", "mean": "6ms"}}]},
        {"round_trip": "1ms", "queries": {"read": "1ms", "change": {"statement": "update", "time": "2ms"}}},
        duration="20s",
        replications=1,
    )
    rows = lab.simulate(scenario, progress=False).visits
    locks = rows[rows["component"] == "main.lock"].dropna(subset="departure_s").sort_values("arrival_s")
    arrival_s, departure_s = locks["arrival_s"].to_numpy(), locks["departure_s"].to_numpy()
    hold_s = departure_s - locks["admitted_s"].to_numpy()
    wait_s = np.zeros(len(locks))
    for place in range(1, len(locks)):
        wait_s[place] = max(0.0, wait_s[place - 1] + hold_s[place - 1] - (arrival_s[place] - arrival_s[place - 1]))
    assert locks["waiting_time_s"].to_numpy() == pytest.approx(wait_s, abs=1e-9)
    assert (wait_s > 0).sum() > 300
    assert hold_s.min() > 0.003  # the change, its way back and that of the commit there: 2 ms and a round trip


def conflicts(*, users: int, think_time_s: float, work_time_s: float) -> tuple[float, float]:
    """Return commits per second, and the share of attempts that fail, of users who change one row over and over.

    Each thinks, then reads the row and works (both exponential), then changes it; the first updater wins. A Markov
    chain: of those at work some have seen the last commit (fresh), the others are doomed. A commit dooms all others; a
    doomed one fails when it is done with its work, and begins anew, fresh. Solved exactly.
    """
    states = [(fresh, doomed) for fresh in range(users + 1) for doomed in range(users + 1 - fresh)]
    number = {state: place for place, state in enumerate(states)}
    rates = np.zeros((len(states), len(states)))
    for fresh, doomed in states:
        here = number[fresh, doomed]
        if fresh + doomed < users:
            rates[here, number[fresh + 1, doomed]] += (users - fresh - doomed) / think_time_s
        if fresh:
            rates[here, number[0, doomed + fresh - 1]] += fresh / work_time_s
        if doomed:
            rates[here, number[fresh + 1, doomed - 1]] += doomed / work_time_s
    rates -= np.diag(rates.sum(axis=1))
    balance = np.vstack([rates.T, np.ones(len(states))])
    shares = np.linalg.lstsq(balance, np.append(np.zeros(len(states)), 1.0), rcond=None)[0]
    commits = sum(share * fresh for share, (fresh, _) in zip(shares, states, strict=True)) / work_time_s
    failures = sum(share * doomed for share, (_, doomed) in zip(shares, states, strict=True)) / work_time_s
    return float(commits), float(failures / (commits + failures))


def test_the_chain_knows_its_limits() -> None:
    """Alone nobody conflicts: a commit each 30 ms. Two who never think: one commits, the other is doomed, in turn."""
    assert conflicts(users=1, think_time_s=0.02, work_time_s=0.01) == pytest.approx((1 / 0.03, 0.0))
    commits, failed = conflicts(users=2, think_time_s=1e-9, work_time_s=0.01)
    assert (commits, failed) == pytest.approx((4 / 3 * 100, 1 / 3), rel=1e-4)


def _failed_ratio(run: lab.Run) -> pd.Series[float]:
    locks = run.visits[run.visits["component"] == "main.lock"]
    return (locks["outcome"] == "rejected").groupby(locks["replication"]).mean()


@pytest.mark.slow
def test_serialisable_retries_are_the_chain() -> None:
    """Three users of one row: commits per second, and attempts that fail."""
    ways = {"users": 3, "think_time_s": 0.02, "work_time_s": 0.01}
    scenario = _scenario(
        {
            "kind": "closed",
            "population": 3,
            "think_time": {"kind": "exponential", "mean": "20ms"},
            "keys": {"kind": "uniform", "count": 1},
        },
        {
            "steps": [_READ, {"kind": "wait", "time": {"kind": "exponential", "mean": "10ms"}}, _CHANGE],
            "retries": 100,
        },
        {"isolation": "serializable", "queries": {"read": "0s", "change": {"statement": "update", "time": "0s"}}},
        duration="10s",
    )
    twin = scenario.with_({"components.api.endpoints.get.0.steps.1.time.mean": "10.5ms"})
    run, off = (lab.simulate(each, progress=False, allow_unstable=True) for each in (scenario, twin))
    commits, failed = conflicts(**ways)
    goodput = [mean_interval(each.per_replication("goodput_per_s", "all"), LEVEL) for each in (run, off)]
    assert goodput[0].contains(commits), f"theory {commits:.6g} outside {goodput[0]}"
    assert not goodput[1].contains(commits), f"theory {commits:.6g} inside {goodput[1]}"
    assert mean_interval(_failed_ratio(run), LEVEL).contains(failed)
