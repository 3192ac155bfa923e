"""Rate limiters and waiting rooms against theory, by 99.9 % intervals, each beside a twin 5 % off that is rejected."""

from __future__ import annotations

import math
from typing import Any

import pytest

import lab
from lab.theory import md1
from lab.theory.intervals import mean_interval

LEVEL = 0.999
RATE_PER_S = 50.0


def _scenario(front: dict[str, Any]) -> lab.Scenario:
    return lab.Scenario.model_validate(
        {
            "name": "admitted",
            "workload": {"kind": "open", "arrival_rate": f"{RATE_PER_S:g}/s", "endpoints": {"get": "100%"}},
            "entry": "gate",
            "components": {
                "gate": {"targets": "api"} | front,
                "api": {"kind": "service", "endpoints": {"get": [{"kind": "wait", "time": "1us"}]}},
            },
            "run": {"duration": "42s", "warm_up": "2s", "replications": 10, "seed": 9},
        }
    )


def _limiter(algorithm: str, **keys: Any) -> dict[str, Any]:
    return {"kind": "rate_limiter", "algorithm": algorithm} | keys


def _md1k_loss(offered: float, capacity: int) -> float:
    """Return the share that M/D/1/K turns away (Brun and Garcia 2000).

    A bucket of K tokens is one: let pass while less than K intervals of virtual work are left.
    """
    most = capacity - 1
    weight = sum(
        (-offered * (most - k)) ** k * math.exp((most - k) * offered) / math.factorial(k) for k in range(most + 1)
    )
    return 1 - weight / (1 + offered * weight)


def _fixed_window_loss(mean: float, limit: int) -> float:
    """Return the share that is turned away: E[(N - limit)+] / E[N] for N Poisson."""
    share, passed = math.exp(-mean), 0.0
    for count in range(int(mean * 6) + 60):
        passed += min(count, limit) * share
        share *= mean / (count + 1)
    return 1 - passed / mean


CASES = {
    "a token bucket of three is M/D/1/3": (
        _scenario(_limiter("token_bucket", limit=40, burst=3)),
        "error_ratio",
        _md1k_loss(RATE_PER_S / 40, 3),
    ),
    "GCRA without a burst is M/D/1/1": (
        _scenario(_limiter("gcra", limit=40, burst=0)),
        "error_ratio",
        _md1k_loss(RATE_PER_S / 40, 1),
    ),
    "a fixed window cuts a Poisson number": (
        _scenario(_limiter("fixed_window", limit=4, window="100ms")),
        "error_ratio",
        _fixed_window_loss(RATE_PER_S / 10, 4),
    ),
    "an admission rate is M/D/1": (
        _scenario({"kind": "waiting_room", "admission_rate": "62.5/s"}),
        "waiting_time_s_mean",
        md1.waiting_time_s_mean(arrival_rate_per_s=RATE_PER_S, service_time_s=1 / 62.5),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_theory_lies_in_the_interval_and_not_in_the_twins(name: str) -> None:
    """The closed form is in the interval of the model, and out of that of a model to which 5 % more come."""
    scenario, metric, theory = CASES[name]
    subject = "all" if metric == "error_ratio" else "gate"
    here, there = (
        mean_interval(lab.simulate(each, progress=False, allow_unstable=True).per_replication(metric, subject), LEVEL)
        for each in (scenario, scenario.with_({"workload.arrival_rate": f"{RATE_PER_S * 1.05:g}/s"}))
    )
    assert here.contains(theory), f"theory {theory:.6g} outside {here}"
    assert not there.contains(theory), f"theory {theory:.6g} inside {there}"
