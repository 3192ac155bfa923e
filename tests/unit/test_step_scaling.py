"""AWS step scaling: its rule on tables worked out by hand, and its loop in the running simulation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lab.errors import ScenarioError
from lab.scenario.step_scaling import StepScalingAutoscaler
from lab.simulation.autoscaling.step_scaling import StepScaling
from lab.simulation.autoscaling.target_tracking import Period
from tests.unit.autoscaled import Watched, autoscaled


def _step(low: str | None, high: str | None, by: int) -> dict[str, Any]:
    return {"lower_bound": low, "upper_bound": high, "scaling_adjustment": by}


# The example of AWS's page on step scaling: threshold 50 %, percents of capacity.
_OUT = {
    **{"alarm": "above", "threshold": "50%", "adjustment_type": "percent_change_in_capacity"},
    "step_adjustments": [_step("0%", "10%", 0), _step("10%", "20%", 10), _step("20%", None, 30)],
}
_IN = {
    **{"alarm": "below", "threshold": "50%", "adjustment_type": "percent_change_in_capacity"},
    "step_adjustments": [_step("-10%", "0%", 0), _step("-20%", "-10%", -10), _step(None, "-20%", -30)],
}
_AWS = {"kind": "step_scaling", "metric": "cpu", "min": 1, "max": 20, "policies": [_OUT, _IN]}


def _rule(**changes: Any) -> StepScaling:
    return StepScaling(StepScalingAutoscaler.model_validate(_AWS | changes))


def _one(means: list[float], *, current: int, warming: int = 0, **changes: Any) -> list[int]:
    """What it decides after each of these periods, were the number not changed."""
    rule = _rule(**changes)
    periods = [Period(mean=mean, warm=current - warming, warming=warming) for mean in means]
    return [rule.decide(60.0 * place, current=current, period=period) for place, period in enumerate(periods)]


@pytest.mark.parametrize(
    ("current", "mean", "warming", "wanted"),
    [
        (10, 0.60, 0, 11),  # 10 % of 10
        (11, 0.62, 1, 11),  # 10 % of the 10 that are warm: the eleventh is on its way
        (11, 0.70, 1, 13),  # 30 % of 10
        (11, 0.70, 0, 14),  # 30 % of 11 are 3.3, which is 3
        (14, 0.40, 0, 13),  # 10 % of 14 are 1.4, which is 1
        (13, 0.30, 0, 10),  # 30 % of 13 are 3.9, which is 3
        (13, 0.30, 2, 13),  # nothing is removed while some warm up
        (10, 0.55, 0, 10),  # the first step adds nothing
        (10, 0.45, 0, 10),
        (10, 0.5999999999999999, 0, 11),  # what floats leave of 60 % is 60 %
        (3, 0.60, 0, 4),  # 0.3 is rounded up to 1
        (3, 0.40, 0, 2),
        (19, 0.70, 0, 20),  # no more than max
        (1, 0.10, 0, 1),  # no fewer than min
    ],
)
def test_the_table_of_aws(current: int, mean: float, warming: int, wanted: int) -> None:
    """Each row of the example on AWS's page, and what lies beside it."""
    assert _one([mean], current=current, warming=warming) == [wanted]


def test_bounds_are_inclusive_on_the_side_of_the_threshold() -> None:
    """Above it the lower bound belongs to the step, below it the upper one."""
    steps = [_step("0/s", "10/s", 1), _step("10/s", None, 2)]
    out = {"alarm": "above", "threshold": "50/s", "step_adjustments": steps}
    down = [_step("-10/s", "0/s", -1), _step(None, "-10/s", -2)]
    policies = [out, {"alarm": "below", "threshold": "30/s", "step_adjustments": down}]
    decided = {
        mean: _one([mean], current=10, metric="throughput", policies=policies)[0]
        for mean in (49.9, 50, 59.9, 60, 30.1, 30, 20.1, 20, 0)
    }
    assert list(decided.values()) == [10, 11, 11, 12, 10, 9, 9, 8, 8]


def test_an_alarm_needs_its_periods_in_a_row() -> None:
    """Two high, one that is not, three high: only then it acts, and anew after each further period. No data ends it."""
    policies = [_OUT | {"evaluation_periods": 3}]
    assert _one([0.6, 0.6, 0.2, 0.6, 0.6, 0.6, 0.7], current=10, policies=policies) == [10, 10, 10, 10, 10, 11, 13]
    rule = _rule(policies=[_OUT | {"evaluation_periods": 2}])
    for mean, wanted in ((0.6, 10), (None, 10), (0.6, 10), (0.6, 11)):
        assert rule.decide(0.0, current=10, period=Period(mean=mean, warm=10, warming=0)) == wanted


def test_kinds_of_adjustment() -> None:
    """A number of replicas, a percentage of at least so many, or exactly so many."""
    change = {"alarm": "above", "threshold": "50%", "step_adjustments": [_step("0%", None, 4)]}
    exact = change | {"adjustment_type": "exact_capacity"}
    least = change | {"adjustment_type": "percent_change_in_capacity", "min_adjustment_magnitude": 3}
    assert [_one([0.6], current=9, policies=[policy])[0] for policy in (change, exact, least)] == [13, 4, 12]
    assert _one([0.6], current=9, policies=[exact, least]) == [12]  # the one that wants most counts
    assert _one([0.6], current=9, warming=1, policies=[exact]) == [9]


def test_the_loop_reads_whole_periods() -> None:
    """10/s of 1 s on 2 x 20 slots: 25 % in the second minute (the first fills up), which asks for 2 more at 120 s.

    They boot for 8 s and warm up for 60 s, so that they count in the fourth period; until then nothing more is added,
    as 2 warm ones ask for 4. Then 12.5 % is below the alarm.
    """
    policy = {"alarm": "above", "threshold": "20%", "evaluation_periods": 2, "step_adjustments": [_step("0%", None, 2)]}
    autoscaler = _AWS | {"metric": "concurrency", "warm_up": "60s", "policies": [policy]}
    watched = Watched(autoscaled(autoscaler=autoscaler, duration="400s"), np.arange(0, 400, 0.1))
    assert watched.decisions() == [(120.0, 4)]
    seen = [(said["mean"], said["warm"], said["warming"]) for _, said in watched.why()]
    assert [place[1:] for place in seen] == [(2, 0), (2, 0), (2, 2), (2, 2), (4, 0), (4, 0)]
    assert seen[1][0] == pytest.approx(0.25)
    assert seen[4][0] == pytest.approx(0.125)


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        ({"step_adjustments": [_step("0%", "10%", 1), _step("20%", None, 2)]}, "there is a gap or an overlap"),
        ({"step_adjustments": [_step("10%", None, 1)]}, "needs steps from 0 to infinity (no upper_bound)"),
        ({"alarm": "below"}, "needs steps from minus infinity (no lower_bound) to 0"),
        ({"step_adjustments": [_step("10%", "10%", 1)]}, "a lower_bound must be less than the upper_bound"),
        ({"threshold": "5/s"}, "the unit '/s' is not one of %"),
        ({"adjustment_type": "exact_capacity"}, "an exact_capacity is a number of replicas to be: 1 or more"),
        (
            {"adjustment_type": "change_in_capacity", "min_adjustment_magnitude": 2},
            "min_adjustment_magnitude has no effect without percent_change_in_capacity",
        ),
        ({"step_adjustments": [_step("0%", None, 1) | {"scaling_adjustment": 1.5}]}, "1.5 is not a whole number"),
    ],
)
def test_steps_that_do_not_fit_are_refused(policy: dict[str, Any], says: str) -> None:
    """With the policy and what is wrong with it."""
    with pytest.raises(ScenarioError) as caught:
        autoscaled(autoscaler=_AWS | {"policies": [_OUT | policy]})
    assert says in str(caught.value)
