"""Hedged requests against their closed form, and the lesson: what they gain, and what they do to busy servers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lab
from lab.theory import hedging
from lab.theory.intervals import mean_interval, quantile_interval

LEVEL = 0.999
PATTERN = Path(__file__).parents[2] / "scenarios" / "patterns" / "hedging.yaml"
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::lab.experiment.simulate.OverloadWarning")]


def _early(time: Any, after: str) -> Any:
    """Requests to a service without any queue, each copy a time of its own; those that came early enough to end."""
    scenario = lab.Scenario.model_validate(
        {
            "name": "hedged",
            "workload": {"kind": "open", "arrival_rate": "300/s", "endpoints": {"get": "100%"}},
            "client": {"hedge": {"after": after}},
            "entry": "api",
            "components": {"api": {"kind": "service", "endpoints": {"get": [{"kind": "wait", "time": time}]}}},
            "run": {"duration": "4s", "replications": 14, "seed": 12},
        }
    )
    requests = lab.simulate(scenario, progress=False).requests
    return requests[requests["intended_start_s"] < 3].groupby("replication")


def test_the_first_of_two_exponential_copies() -> None:
    """Mean, p99 and attempts of copies of 50 ms, the second after 40 ms; copies that are 5 % slower are noticed."""
    work = {"service_time_s": 0.05, "delay_s": 0.04}
    mean_s, hedged = hedging.exponential_s_mean(**work), math.exp(-0.8)
    here, twin = (_early({"kind": "exponential", "mean": mean}, "40ms") for mean in ("50ms", "52.5ms"))
    means, twins = (mean_interval(each["sojourn_time_s"].mean(), LEVEL) for each in (here, twin))
    assert means.contains(mean_s), f"theory {mean_s:.6g} outside {means}"
    assert not twins.contains(mean_s), f"theory {mean_s:.6g} inside {twins}"
    attempts, more = (mean_interval(each["attempts"].mean(), LEVEL) for each in (here, twin))
    assert attempts.contains(1 + hedged)
    assert more.mean > attempts.mean
    p99 = hedging.exponential_s_quantile(quantile=0.99, **work)
    tails = quantile_interval([each["sojourn_time_s"].to_numpy() for _, each in here], 0.99, LEVEL)
    assert tails.contains(p99), f"theory {p99:.6g} outside {tails}"


def test_a_slow_minority_is_escaped() -> None:
    """Hyperexponential copies: P(T > t) = P(S > t) P(S > t - d), a fraction of P(S > t)."""
    fast = (1 + math.sqrt(8 / 10)) / 2

    def slower_than(time_s: float) -> float:
        return fast * math.exp(-time_s * 2 * fast / 0.02) + (1 - fast) * math.exp(-time_s * 2 * (1 - fast) / 0.02)

    requests = _early({"kind": "hyperexponential", "mean": "20ms", "scv": 9}, "30ms")
    share = mean_interval(requests["sojourn_time_s"].agg(lambda times_s: (times_s > 0.05).mean()), LEVEL)
    theory = hedging.slower_probability(slower_than=slower_than, time_s=0.05, delay_s=0.03)
    assert share.contains(theory), f"theory {theory:.6g} outside {share}"
    assert slower_than(0.05) > 3 * share.high
    assert mean_interval(requests["attempts"].mean(), LEVEL).contains(1 + slower_than(0.03))


def test_hedging_helps_where_lateness_is_chance_and_harms_where_it_is_load() -> None:
    """At 30 % of the capacity a twentieth more copies cut the tail; at 85 % they bring the servers down."""
    scenario = lab.read_scenario(PATTERN)
    busy = {"workload.arrival_rate": "170/s", "run.duration": "15s", "run.replications": 2}

    def run(**changes: Any) -> lab.Run:
        return lab.simulate(scenario.with_(changes), progress=False, allow_unstable=True)

    def p999(which: lab.Run) -> float:
        return float(np.nanquantile(which.requests["sojourn_time_s"], 0.999))

    alone, hedged = run(**{"client.hedge": None}), run()
    assert hedged.value("attempts_mean") < 1.07
    assert hedged.value("sojourn_time_s_p99") < alone.value("sojourn_time_s_p99") / 3
    assert p999(hedged) < p999(alone) / 4  # BigTable's, with 2 % more requests: 1,800 ms to 74 ms
    alone, hedged, paid, throttled = (
        run(**busy, **each)
        for each in (
            {"client.hedge": None},
            {},
            {"client.hedge.budget": "5%"},
            {"client.hedge.throttle": {}},
        )
    )
    assert hedged.value("sojourn_time_s_p50") > 10 * alone.value("sojourn_time_s_p50")
    assert hedged.value("goodput_per_s") < 0.8 * alone.value("goodput_per_s")
    assert paid.value("attempts_mean") < 1.06
    assert paid.value("goodput_per_s") > 0.97 * alone.value("goodput_per_s")
    assert throttled.value("attempts_mean") > 1.5  # nothing fails until the queue's timeout, so it has nothing to heed
