"""Clients against theory: retries, budgets and backoffs; each beside a twin that must be rejected."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import lab
from lab.randomness import Stream
from lab.simulation.client import retry_delays_s
from lab.theory import retry, retry_storm
from lab.theory.intervals import mean_interval

LEVEL = 0.999
_AT_ONCE = {"kind": "constant", "delay": "0s"}


def _retrying(work: Any, *, budget: Any = None, attempts: int = 3) -> lab.Scenario:
    """Clients with a patience of 100 ms before servers of which there are enough: attempts fail independently."""
    return lab.Scenario.model_validate(
        {
            "name": "retrying",
            "workload": {"kind": "open", "arrival_rate": "100/s", "endpoints": {"get": "100%"}},
            "client": {"timeout": "100ms", "retry": {"attempts": attempts, "backoff": _AT_ONCE, "budget": budget}},
            "entry": "api",
            "components": {"api": {"kind": "service", "endpoints": {"get": [{"kind": "wait", "time": work}]}}},
            "run": {"duration": "40s", "replications": 12, "seed": 8},
        }
    )


@pytest.mark.slow
def test_retries_multiply_attempts_as_geometric_trials_do() -> None:
    """An attempt is too slow with exp(-1): attempts and success as theory has them, not so with 5 % more work."""
    fails = math.exp(-1)
    theory = {
        "attempts_mean": retry.attempts_mean(failure_probability=fails, max_attempts=3),
        "timeout_ratio": 1 - retry.success_probability(failure_probability=fails, max_attempts=3),
    }
    runs = [
        lab.simulate(_retrying({"kind": "exponential", "mean": mean}), progress=False) for mean in ("100ms", "105ms")
    ]
    for metric, value in theory.items():
        here, there = (mean_interval(run.per_replication(metric), LEVEL) for run in runs)
        assert here.contains(value), f"{metric}: theory {value:.6g} outside {here}"
        assert not there.contains(value), f"{metric}: theory {value:.6g} inside {there}"


@pytest.mark.slow
def test_in_an_outage_a_budget_bounds_the_attempts() -> None:
    """Nobody answers: 3 attempts a request without a budget, 1.1 with one of 10 %, to the last token."""
    short = {"run.replications": 4, "run.duration": "20s"}
    budget = {"ratio": "10%", "burst": 5}
    outage = lab.simulate(_retrying("1h", budget=budget).with_(short), progress=False).requests
    sent = outage.groupby("replication")["attempts"].agg(["sum", "size"])
    paid = 5 + sent["size"] * (retry_storm.amplification_max(max_attempts=3, retry_budget=0.1) - 1)
    # About ten come in the 100 ms of a timeout: the first find the purse full, and the last have not failed yet.
    left = paid - (sent["sum"] - sent["size"])
    assert left.between(0, 5).all(), left
    twin = 5 + sent["size"] * 0.105 - (sent["sum"] - sent["size"])
    assert not twin.between(0, 5).any()
    free = lab.simulate(_retrying("1h").with_(short), progress=False)
    ended = free.requests[free.requests["outcome"] == "timeout"]
    assert set(ended["attempts"]) == {retry_storm.amplification_max(max_attempts=3)}


def _waits(cap: str) -> np.ndarray[Any, Any]:
    """Shape (requests, retries): the waits of 40,000 requests that fail seven times."""
    backoff: Any = {"kind": "decorrelated", "base": "100ms", "cap": cap}
    client = lab.Client(retry=lab.Retry(attempts=8, backoff=backoff))
    stream = Stream(seed=5, replication=0, name="client/backoff")
    return np.array([retry_delays_s(client, stream, number=number) for number in range(40_000)])


def _recurrence(cap_s: float, factor: float = 3.0) -> np.ndarray[Any, Any]:
    """The mean waits by playing the published recurrence 400,000 times with NumPy's own numbers."""
    chance = np.random.default_rng(1)
    last, means = np.full(400_000, 0.1), []
    for _ in range(7):
        last = np.minimum(cap_s, chance.uniform(0.1, factor * last))
        means.append(last.mean())
    return np.array(means)


@pytest.mark.slow
def test_decorrelated_waits_grow_as_published() -> None:
    """Without a cap E[s(n)] = base/2 + 3/2 E[s(n-1)] exactly; with one as the recurrence played elsewhere has it."""
    uncapped, exact = _waits("1h"), []
    for _ in range(7):
        exact.append(0.05 + 1.5 * (exact[-1] if exact else 0.1))
    for retried, theory in enumerate(exact):
        interval = mean_interval(uncapped[:, retried], LEVEL)
        assert interval.contains(theory), f"retry {retried + 1}: theory {theory:.6g} outside {interval}"
        assert not interval.contains(theory * 1.05)
    capped, played, twin = _waits("1s"), _recurrence(1.0), _recurrence(1.0, factor=3.15)
    for retried in range(7):
        interval = mean_interval(capped[:, retried], LEVEL)
        assert interval.low - 0.001 < played[retried] < interval.high + 0.001
    assert not mean_interval(capped[:, 3], LEVEL).contains(twin[3])


@pytest.mark.slow
def test_a_breaker_lets_through_what_it_permits() -> None:
    """Nobody answers: 100 failures open it, and from then on ten attempts a minute are sent, whatever arrives."""
    scenario = _retrying("1h", attempts=1).with_(
        {"client.circuit_breaker": {}, "run.duration": "250s", "run.replications": 3}
    )
    run = lab.simulate(scenario, progress=False)
    sent = run.requests.groupby("replication")["attempts"].sum()
    # Opened after about 1 s; half open after more than 60 s and for about 0.2 s each time: at 61, 121, 182 and 242 s.
    # Before it first opens those under way are sent too: about 10 in the 100 ms of a timeout.
    assert sent.between(100 + 4 * 10, 100 + 4 * 10 + 30).all(), sent
    states = run.only(0).events
    assert states["kind"].tolist() == ["circuit_breaker"] * 9
    rejected = run.requests[run.requests["attempts"] == 0]
    assert set(rejected["outcome"]) == {"rejected"}
    assert rejected["sojourn_time_s"].max() == 0.0
