"""Every model against its closed form by 99.9 % intervals, beside a twin 5 % off that must be rejected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import lab
from lab.theory import che, md1, mg1, mm1, mmc, mmck, zipf
from lab.theory.intervals import mean_interval

SCENARIOS = Path(__file__).parents[2] / "scenarios" / "theory"
LEVEL = 0.999


@dataclass(frozen=True)
class Case:
    """A scenario, a figure of its Run, what theory says of it, and a change of 5 % that moves it."""

    scenario: str
    metric: str
    subject: str
    theory: Callable[[], float]
    twin: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.scenario}-{self.metric}"


def _lru_hit_ratio() -> float:
    rates = zipf.probabilities(exponent=0.8, count=2000) * 1000
    return che.hit_ratio(request_rates_per_s=rates, capacity=200)


_WORK = "components.server.endpoints.work.0.time.mean"
MM1 = {"arrival_rate_per_s": 60.0, "service_time_s": 0.01}
MMC = {"arrival_rate_per_s": 240.0, "service_time_s": 0.01, "servers": 3}
MMCK = {"arrival_rate_per_s": 220.0, "service_time_s": 0.01, "servers": 2, "capacity": 5}
CASES = [
    Case("mm1", "sojourn_time_s_mean", "all", lambda: mm1.sojourn_time_s_mean(**MM1), {_WORK: "10.5ms"}),
    Case(
        "mm1",
        "sojourn_time_s_p95",
        "all",
        lambda: mm1.sojourn_time_s_quantile(quantile=0.95, **MM1),
        {_WORK: "10.5ms"},
    ),
    Case("mm1", "number_in_service_mean", "server", lambda: 0.6, {_WORK: "10.5ms"}),
    Case(
        "mmc",
        "waiting_time_s_mean",
        "main",
        lambda: mmc.waiting_time_s_mean(**MMC),
        {"components.main.queries.get.time.mean": "10.5ms"},
    ),
    Case(
        "mmc",
        "sojourn_time_s_p99",
        "all",
        lambda: mmc.sojourn_time_s_quantile(quantile=0.99, **MMC),
        {"components.main.queries.get.time.mean": "10.5ms"},
    ),
    Case(
        "md1",
        "sojourn_time_s_mean",
        "all",
        lambda: md1.sojourn_time_s_mean(arrival_rate_per_s=70.0, service_time_s=0.01),
        {_WORK: "10.5ms"},
    ),
    Case(
        "mg1",
        "waiting_time_s_mean",
        "edge",
        lambda: mg1.waiting_time_s_mean(arrival_rate_per_s=60.0, service_time_s=0.01, service_time_scv=2.0),
        {_WORK: "10.5ms"},
    ),
    Case("mmck", "rejected_ratio", "all", lambda: mmck.blocking_probability(**MMCK), {_WORK: "10.5ms"}),
    Case("mmck", "sojourn_time_s_mean", "all", lambda: mmck.sojourn_time_s_mean(**MMCK), {_WORK: "10.5ms"}),
    Case("lru_cache", "hit_ratio", "items", _lru_hit_ratio, {"components.items.capacity": 190}),
]


@pytest.fixture(scope="module")
def predicted() -> Callable[[str, tuple[tuple[str, Any], ...]], lab.Run]:
    """Simulate each scenario and each twin once."""
    runs: dict[object, lab.Run] = {}

    def run(name: str, changes: tuple[tuple[str, Any], ...]) -> lab.Run:
        if (name, changes) not in runs:
            scenario = lab.read_scenario(SCENARIOS / f"{name}.yaml").with_(dict(changes))
            runs[name, changes] = lab.simulate(scenario, progress=False, allow_unstable=True)
        return runs[name, changes]

    return run


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
def test_theory_lies_in_the_interval(case: Case, predicted: Callable[..., lab.Run]) -> None:
    """The closed form lies in the 99.9 % interval over replications."""
    interval = mean_interval(predicted(case.scenario, ()).per_replication(case.metric, case.subject), LEVEL)
    assert interval.contains(case.theory()), f"theory {case.theory():.6g} outside {interval}"


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
def test_twin_five_percent_off_is_rejected(case: Case, predicted: Callable[..., lab.Run]) -> None:
    """The same interval of a twin that is 5 % off does not hold the closed form: the test above can fail."""
    run = predicted(case.scenario, tuple(case.twin.items()))
    interval = mean_interval(run.per_replication(case.metric, case.subject), LEVEL)
    assert not interval.contains(case.theory()), f"theory {case.theory():.6g} inside {interval}"
