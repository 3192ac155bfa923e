"""Metastable failures: where the thresholds lie, how long recovery takes, and what lets the service come back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lab
from lab.theory import retry_storm

PATTERNS = Path(__file__).parents[2] / "scenarios" / "patterns"
BUDGET = {"ratio": "10%", "burst": 10}
HANG_END_S = 30.0
CAPACITY_PER_S = 300.0
SHORTER = {"run.duration": "90s"}
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::lab.experiment.simulate.OverloadWarning")]


def _run(rate: Any = "200/s", **changes: Any) -> lab.Run:
    scenario = lab.read_scenario(PATTERNS / "metastable_failure.yaml")
    once = {"workload.arrival_rate": rate, "run.replications": 1}
    return lab.simulate(scenario.with_(once | changes), progress=False, allow_unstable=True)


def _goodput(run: lab.Run, begin_s: float, end_s: float) -> float:
    ok = run.requests[run.requests["outcome"] == "ok"]
    return float(ok["end_s"].between(begin_s, end_s).sum()) / (end_s - begin_s)


def _recovered_s(run: lab.Run) -> float:
    """How long after the hang the first request was answered that came after it."""
    ok = run.requests[(run.requests["outcome"] == "ok") & (run.requests["intended_start_s"] > HANG_END_S)]
    return float(ok["end_s"].min()) - HANG_END_S


@pytest.mark.parametrize(("rate", "budget"), [(100, None), (120, None), (180, BUDGET), (220, BUDGET)])
def test_below_the_threshold_it_recovers_when_the_fluid_says(rate: int, budget: Any) -> None:
    """Light load comes back by itself, in the time that it takes to work off what piled up, within 15 %."""
    run = _run(f"{rate}/s", **{"client.retry.budget": budget})
    attempts = retry_storm.amplification_max(max_attempts=2, retry_budget=0.1 if budget else float("inf"))
    theory = retry_storm.recovery_time_s(
        outage_s=10, timeout_s=1, arrival_rate_per_s=rate, capacity_per_s=CAPACITY_PER_S, attempts=attempts
    )
    assert _recovered_s(run) == pytest.approx(theory, rel=0.15)
    assert _goodput(run, 105, 120) > 0.9 * rate


@pytest.mark.parametrize(("rate", "budget"), [(170, None), (285, BUDGET)])
def test_above_the_threshold_it_stays_down_though_the_trigger_is_gone(rate: int, budget: Any) -> None:
    """A minute after the hang not one request is answered in time, and the database is busy all the while."""
    run = _run(f"{rate}/s", **SHORTER, **{"client.retry.budget": budget})
    assert _goodput(run, 10, 20) > 0.9 * rate
    assert _goodput(run, HANG_END_S + 2, 90) == 0
    served = run.visits[(run.visits["component"] == "main") & run.visits["departure_s"].between(40, 90)]
    assert len(served) / 50 == pytest.approx(CAPACITY_PER_S, rel=0.03)
    assert served["abandoned"].all()


@pytest.mark.parametrize(
    ("rates", "budget", "theory", "tolerance"),
    [((130, 140, 160, 170), None, 150, 5), ((250, 260, 285, 295), BUDGET, 272.7, 9)],
)
def test_the_threshold_is_where_the_queue_stops_growing(
    rates: tuple[int, ...], budget: Any, theory: float, tolerance: float
) -> None:
    """In the storm the line grows by attempts x rate - capacity: it stands still at 150/s, with a budget at 273/s."""
    drifts = []
    for rate in rates:
        run = _run(f"{rate}/s", **{"client.retry.budget": budget, "faults.0.at": "5s", "run.duration": "60s"})
        stays = run.visits[run.visits["component"] == "api"]
        there = [
            (stays["arrival_s"] <= time_s).sum() - (stays["departure_s"] <= time_s).sum() for time_s in (20.0, 60.0)
        ]
        drifts.append((there[1] - there[0]) / 40)
    slope, intercept = np.polyfit(rates, drifts, 1)
    limit = retry_storm.arrival_rate_per_s_max(
        capacity_per_s=CAPACITY_PER_S, max_attempts=2, retry_budget=0.1 if budget else float("inf")
    )
    assert limit == pytest.approx(theory, abs=0.05)
    assert -intercept / slope == pytest.approx(limit, abs=tolerance)
    assert -intercept / slope != pytest.approx(1.05 * limit, abs=tolerance / 2)


_STEPS = [{"at": "0s", "rate": "200/s"}, {"at": "40s", "rate": "20/s"}, {"at": "62s", "rate": "200/s"}]
_DIP = {"kind": "steps", "steps": _STEPS}
FIXES: dict[str, tuple[Any, dict[str, Any]]] = {
    "a retry budget": ("200/s", {"client.retry.budget": BUDGET}),
    "a bounded queue": ("200/s", {"components.api.backlog": 100}),
    "last come first served": ("200/s", {"components.api.discipline": "lifo"}),
    "a circuit breaker": ("200/s", {"client.circuit_breaker": {"open_for": "5s"}}),
    "a dip in traffic": (_DIP, {}),
}
NO_FIXES: dict[str, dict[str, Any]] = {
    "waiting before the retry": {"client.retry.backoff": {"kind": "exponential", "base": "1s", "cap": "9s"}},
    "a deadline": {"client.deadline": "1200ms"},
    "a database that is a quarter faster": {"components.main.queries.item.time.mean": "8ms"},
}


@pytest.mark.parametrize("name", FIXES)
def test_what_brings_it_back(name: str) -> None:
    """200/s again, well before the end, at a load that otherwise never recovers."""
    rate, changes = FIXES[name]
    assert _goodput(_run(rate, **SHORTER, **changes), 70, 90) > 180


@pytest.mark.parametrize("name", NO_FIXES)
def test_what_does_not(name: str) -> None:
    """More patience between attempts, less patience in all, or 25 % more capacity: still nothing is answered."""
    assert _goodput(_run(**SHORTER, **NO_FIXES[name]), 70, 90) == 0


@pytest.mark.parametrize(
    ("edge", "recovers"),
    [
        ({}, False),
        ({"queue_timeout": "500ms"}, True),
        ({"abort_on_close": True}, False),
        ({"abort_on_close": True, "max_connections_per_server": 3}, True),
    ],
)
def test_a_balancer_that_lets_go_of_whom_nobody_waits_for(edge: dict[str, Any], recovers: bool) -> None:
    """A line of half a second helps. Letting the gone go does only where no second line, however short, is behind it.

    First come first served, those who are taken next are those about to give up: 27 queries before theirs in the pool
    take the 90 ms that they have not got.
    """
    document = lab.read_scenario(PATTERNS / "metastable_failure.yaml").to_document()
    balancer = {"kind": "load_balancer", "targets": "api", "max_connections_per_server": 30, "queue_timeout": "60s"}
    document["components"]["edge"] = balancer | edge
    document |= {"entry": "edge", "run": document["run"] | {"replications": 1, "duration": "90s"}}
    run = lab.simulate(lab.Scenario.model_validate(document), progress=False, allow_unstable=True)
    assert _goodput(run, 70, 90) > 180 if recovers else _goodput(run, 70, 90) == 0


def test_a_crash_leaves_nothing_behind() -> None:
    """Refused at once, nothing piles up: an outage as long as the hang, and all is well the moment it is over."""
    crash = [{"kind": "crash", "at": "20s", "component": "main", "restart_after": "10s"}]
    run = _run(faults=crash)
    assert _goodput(run, 21, 29) < 1
    assert _goodput(run, 31, 40) > 180
