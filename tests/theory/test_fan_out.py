"""Fan-out against theory: order statistics, the tail at scale, partial answers; and what the lesson shows."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import lab
from lab.theory import fan_out, hedging
from lab.theory.intervals import Interval, mean_interval

LEVEL = 0.999
PATTERN = Path(__file__).parents[2] / "scenarios" / "patterns" / "tail_at_scale.yaml"
_STEP = "components.root.endpoints.page.0"
pytestmark = pytest.mark.slow


def _root(time: Any, *, copies: int = 1, **how: Any) -> lab.Scenario:
    """So many branches at once, each a time of its own; nobody waits for anything else."""
    step = {"kind": "parallel", "copies": copies, "branches": [[{"kind": "wait", "time": time}]], **how}
    return lab.Scenario.model_validate(
        {
            "name": "fan_out",
            "workload": {"kind": "open", "arrival_rate": "200/s", "endpoints": {"page": "100%"}},
            "entry": "root",
            "components": {"root": {"kind": "service", "endpoints": {"page": [step]}}},
            "run": {"duration": "3.5s", "replications": 16, "seed": 3},
        }
    )


def _mean_s(scenario: lab.Scenario) -> Interval:
    """The mean sojourn time of all who came early enough to have ended."""
    requests = lab.simulate(scenario, progress=False).requests
    early = requests[requests["intended_start_s"] < scenario.run.duration - 0.9]
    return mean_interval(early.groupby("replication")["sojourn_time_s"].mean(), LEVEL)


def _ended(run: lab.Run, component: str, word: str, column: str) -> Interval:
    """The share of the rows of a component that ended with this word."""
    rows = run.visits[(run.visits["component"] == component) & run.visits["departure_s"].notna()]
    return mean_interval((rows[column] == word).groupby(rows["replication"]).mean(), LEVEL)


def _exponential(mean_ms: float) -> dict[str, str]:
    return {"kind": "exponential", "mean": f"{mean_ms}ms"}


@pytest.mark.parametrize(("wait_for", "wanted"), [("all", 4), (3, 3)])
def test_the_kth_of_four_exponential_branches(wait_for: Any, wanted: int) -> None:
    """The mean is (1/4 + .. + 1/(4-k+1)) times that of one branch; branches that are 5 % slower are noticed."""
    theory = fan_out.exponential_order_s_mean(branches=4, wanted=wanted, branch_time_s=0.05)
    here, twin = (_mean_s(_root(_exponential(mean), copies=4, wait_for=wait_for)) for mean in (50.0, 52.5))
    assert here.contains(theory), f"theory {theory:.6g} outside {here}"
    assert not twin.contains(theory), f"theory {theory:.6g} inside {twin}"


def test_late_branches_leave_partial_answers_as_often_as_the_binomial_has_it() -> None:
    """Five exponential branches of 50 ms and a timeout of 150 ms: full with (1 - exp(-3))^5; 5 % slower is noticed."""
    in_time = -math.expm1(-3.0)
    runs = [
        lab.simulate(_root(_exponential(mean), copies=5, timeout="150ms", on_failure="partial"), progress=False)
        for mean in (50.0, 52.5)
    ]
    here, twin = (_ended(run, "root.branches", "ok", "outcome") for run in runs)
    assert here.contains(in_time), f"theory {in_time:.6g} outside {here}"
    assert not twin.contains(in_time)
    assert _ended(runs[0], "root.parallel", "full", "operation").contains(in_time**5)
    assert runs[0].requests["sojourn_time_s"].max() <= 0.15 + 1e-9
    assert set(runs[0].requests["outcome"]) <= {"ok", "in_flight"}


def test_a_quorum_of_branches_of_two_kinds() -> None:
    """Two of three, one of which always takes 30 ms: the mean by numbers drawn elsewhere."""
    branches = [[{"kind": "wait", "time": _exponential(40.0)}]] * 2 + [[{"kind": "wait", "time": "30ms"}]]
    slower = [*branches[:2], [{"kind": "wait", "time": "33ms"}]]
    chance = np.random.default_rng(2)
    drawn = np.sort(np.column_stack([chance.exponential(0.04, (400_000, 2)), np.full(400_000, 0.03)]), axis=1)[:, 1]
    here, twin = (_mean_s(_root("1ms", branches=each, wait_for="quorum")) for each in (branches, slower))
    assert here.low - 0.0002 < drawn.mean() < here.high + 0.0002
    assert not twin.contains(drawn.mean())


def test_sixty_three_percent_of_pages_meet_a_slow_leaf() -> None:
    """Dean and Barroso's arithmetic, by the published lesson; what each remedy buys, and what it costs."""
    scenario = lab.read_scenario(PATTERN)
    leaf = stats.lognorm(s=math.sqrt(math.log1p(49.33)), scale=0.07095 / math.sqrt(50.33))
    assert leaf.sf(1.0) == pytest.approx(0.01, rel=0.005)
    theory = fan_out.slow_probability(branches=100, branch_slow_probability=leaf.sf(1.0))

    def slow(**changes: Any) -> tuple[Interval, lab.Run]:
        run = lab.simulate(scenario.with_({f"{_STEP}.{key}": value for key, value in changes.items()}), progress=False)
        asked = run.requests[run.requests["intended_start_s"] < scenario.run.duration - 1]
        share = (~(asked["sojourn_time_s"] <= 1.0)).groupby(asked["replication"]).mean()
        return mean_interval(share, LEVEL), run

    of_all, _ = slow()
    assert of_all.contains(theory), f"theory {theory:.6g} outside {of_all}"
    assert of_all.low > 0.5
    of_most, _ = slow(wait_for=97)
    assert of_most.contains(stats.binom.sf(3, 100, leaf.sf(1.0)))  # more than three of a hundred are slow
    assert of_most.high < 0.1
    hedged, run = slow(**{"branches.0.0.hedge": {"after": "200ms"}})
    both_slow = hedging.slower_probability(slower_than=leaf.sf, time_s=1.0, delay_s=0.2)
    assert hedged.contains(fan_out.slow_probability(branches=100, branch_slow_probability=both_slow))
    assert hedged.high < 0.1
    calls = (run.visits["component"] == "leaf").groupby(run.visits["replication"]).sum()
    sent = run.requests.groupby("replication").size() * 100
    assert mean_interval(calls / sent, LEVEL).high < 1 + 1.5 * leaf.sf(0.2)  # what it costs
    _, run = slow(timeout="500ms", on_failure="partial")
    assert run.requests["sojourn_time_s"].max() <= 0.5 + 1e-9
    assert _ended(run, "root.parallel", "full", "operation").contains(leaf.cdf(0.5) ** 100)
    assert _ended(run, "root.branches", "ok", "outcome").low > 0.95  # few of the hundred parts are missing
