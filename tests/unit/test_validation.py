"""Judging one figure, and comparing Runs: passes, misses, noise, validity."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

import lab
from lab.errors import DomainError, NotEnoughData
from lab.validation.judge import Verdict, judge
from lab.validation.margins import Margin, Regime, margin, regime

FIRST_SPIKE = Path(__file__).parents[2] / "scenarios" / "validation" / "first_spike.yaml"
TEN_PERCENT = Margin(value=0.1, kind="relative")
P99 = ("sojourn_time_s_p99", "all", "s")


def test_one_repeat_within_the_margin_passes_and_says_on_what() -> None:
    """With a single repeat there is no spread: the verdict rests on the point, and says so."""
    row = judge(name=P99, predicted=0.108, replications=[0.1, 0.11], repeats=[0.1], margin=TEN_PERCENT)
    assert row.verdict is Verdict.PASS
    assert row.error == pytest.approx(0.08)
    assert math.isnan(row.noise)
    assert "1 repeat" in row.basis


def test_outside_the_margin_is_a_miss() -> None:
    """12 % off with a margin of 10 %."""
    row = judge(name=P99, predicted=0.112, replications=[0.11, 0.112], repeats=[0.1], margin=TEN_PERCENT)
    assert row.verdict is Verdict.MISS


def test_the_measured_value_is_the_median_and_the_noise_its_spread() -> None:
    """One outlier of three moves the noise, not the value."""
    row = judge(name=P99, predicted=0.1, replications=[0.1, 0.1], repeats=[0.1, 0.1, 0.13], margin=TEN_PERCENT)
    assert row.measured == pytest.approx(0.1)
    assert row.noise == pytest.approx(0.03 / 3**0.5 / 0.1)


def test_five_repeats_are_judged_by_equivalence() -> None:
    """Quiet repeats near the prediction are equivalent; scattered ones are not, though their median fits."""
    quiet = [0.099, 0.1, 0.101, 0.1, 0.1]
    row = judge(name=P99, predicted=0.102, replications=[0.1, 0.101], repeats=quiet, margin=TEN_PERCENT)
    assert (row.verdict, row.basis) == (Verdict.PASS, "equivalent (TOST)")
    scattered = [0.09, 0.1, 0.115, 0.1, 0.092]
    row = judge(name=P99, predicted=0.108, replications=[0.1, 0.101], repeats=scattered, margin=TEN_PERCENT)
    assert row.verdict is Verdict.MISS


def test_where_noise_exceeds_the_margin_the_prediction_interval_decides() -> None:
    """Repeats that scatter by 30 %: the median must lie in the 95 % prediction interval, and the row says so."""
    noisy = [0.07, 0.1, 0.15]
    inside = judge(name=P99, predicted=0.12, replications=[0.08, 0.1, 0.12, 0.14], repeats=noisy, margin=TEN_PERCENT)
    assert inside.verdict is Verdict.PASS
    assert "prediction interval" in inside.basis
    outside = judge(name=P99, predicted=0.2, replications=[0.199, 0.2, 0.201], repeats=noisy, margin=TEN_PERCENT)
    assert outside.verdict is Verdict.MISS


def test_absolute_margins_judge_differences() -> None:
    """A hit ratio of 0.708 against 0.700 is 0.008 off, within 0.01."""
    row = judge(
        name=("hit_ratio", "items", ""),
        predicted=0.708,
        replications=[0.7, 0.71],
        repeats=[0.7],
        margin=Margin(value=0.01, kind="absolute"),
    )
    assert row.verdict is Verdict.PASS
    assert row.error == pytest.approx(0.008)


def test_what_is_zero_in_both_worlds_agrees() -> None:
    """0 s to recover, and it took none: there is no ratio, and none is needed; half a second is not 0."""
    name, margin_of_it = ("time_to_recover_s", "all", "s"), Margin(kind="relative", value=0.1)
    agreed = judge(name=name, predicted=0.0, replications=[0.0, 0.0], repeats=[0.0] * 5, margin=margin_of_it)
    assert (agreed.verdict, agreed.basis) == (Verdict.PASS, "equal in every repeat")
    never = judge(name=name, predicted=0.5, replications=[0.5, 0.5], repeats=[0.0] * 5, margin=margin_of_it)
    assert never.verdict is Verdict.MISS


def test_nothing_measured_is_an_error() -> None:
    """No data is never 0.0."""
    with pytest.raises(NotEnoughData, match="not measured"):
        judge(name=P99, predicted=0.1, replications=[0.1], repeats=[], margin=TEN_PERCENT)


def test_margins_are_those_of_the_protocol() -> None:
    """Spot checks of the table, and no margin for what is only shown."""
    assert margin("sojourn_time_s_p99", Regime.MODERATE) == Margin(value=0.10, kind="relative")
    assert margin("throughput_per_s", Regime.TRANSIENT) == Margin(value=0.05, kind="relative")
    assert margin("hit_ratio", Regime.HIGH) == Margin(value=0.01, kind="absolute")
    assert margin("waiting_time_s_mean", Regime.HIGH) is None


@pytest.mark.parametrize(
    ("rate", "expected"), [("50/s", Regime.MODERATE), ("85/s", Regime.HIGH), ("99/s", Regime.TRANSIENT)]
)
def test_the_regime_follows_the_utilisation(rate: str, expected: Regime) -> None:
    """Known from the arithmetic alone, before anything is measured."""
    theory = Path(__file__).parents[2] / "scenarios" / "theory" / "mm1.yaml"
    scenario = lab.read_scenario(theory).with_({"workload.arrival_rate": rate})
    assert regime(scenario, lab.arithmetic(scenario)) is expected


@pytest.fixture(scope="module")
def predicted() -> lab.Run:
    """A short prediction."""
    scenario = lab.read_scenario(FIRST_SPIKE).with_({"run.duration": "30s"})
    return lab.simulate(scenario, replications=3, progress=False)


def _as_measured(run: lab.Run, problems: tuple[str, ...] = ()) -> lab.Run:
    return replace(run, world="measured", provenance={"validity": {"valid": not problems, "problems": list(problems)}})


def test_a_run_agrees_with_itself(predicted: lab.Run) -> None:
    """Paired, no error anywhere, and the verdict is a pass."""
    measured = lab.simulate(lab.Scenario.model_validate(predicted.scenario), replications=1, progress=False)
    comparison = lab.compare(predicted, _as_measured(measured))
    assert comparison.paired
    assert comparison.verdict is Verdict.PASS
    assert {row.error for row in comparison.rows if not math.isnan(row.error)} == {0.0}


def test_a_run_recorded_before_a_key_existed_is_of_the_same_scenario(predicted: lab.Run) -> None:
    """What the old document lacks stands at its default, which means what it meant then."""
    balancer = dict(predicted.scenario["components"]["edge"])
    del balancer["retries"], balancer["hash_type"]
    old = predicted.scenario | {"components": predicted.scenario["components"] | {"edge": balancer}}
    assert lab.compare(predicted, replace(_as_measured(predicted), scenario=old)).verdict is Verdict.PASS


def test_a_detuned_model_misses(predicted: lab.Run) -> None:
    """The comparison can fail: a service 40 % slower than the measured one is a miss."""
    scenario = lab.Scenario.model_validate(predicted.scenario)
    slow = lab.simulate(
        scenario.with_({"components.api.endpoints.read_item.1.time.mean": "56ms"}), replications=1, progress=False
    )
    measured = _as_measured(replace(slow, scenario=predicted.scenario))
    assert lab.compare(predicted, measured).verdict is Verdict.MISS


def test_an_invalid_measurement_is_inconclusive(predicted: lab.Run) -> None:
    """A generator that fell behind may not judge, however well the figures agree."""
    measured = lab.simulate(lab.Scenario.model_validate(predicted.scenario), replications=1, progress=False)
    comparison = lab.compare(_as_measured(measured, ("the generator was late",)), predicted)
    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert any("the generator was late" in sentence for sentence in comparison.sentences())


def test_two_predictions_are_not_compared_but_subtracted(predicted: lab.Run) -> None:
    """The error names the function that is meant."""
    with pytest.raises(DomainError, match=r"lab\.difference"):
        lab.compare(predicted, predicted)


def test_different_scenarios_are_refused_with_the_first_difference(predicted: lab.Run) -> None:
    """Comparing two designs as if they were one would judge nothing."""
    other = lab.Scenario.model_validate(predicted.scenario).with_({"components.api.replicas": 4})
    measured = _as_measured(lab.simulate(other, replications=1, progress=False))
    with pytest.raises(DomainError, match=r"components\.api\.replicas is 2 in one and 4 in the other"):
        lab.compare(predicted, measured)


def test_the_difference_of_two_variants_has_a_small_interval(predicted: lab.Run) -> None:
    """On common random numbers 10 ms of network show as 10 ms, although the replications scatter by more than that."""
    scenario = lab.Scenario.model_validate(predicted.scenario)
    slower = lab.simulate(scenario.with_({"client.round_trip": "10.7ms"}), progress=False)
    frame = lab.difference(predicted, slower).set_index(["metric", "subject"])
    row = frame.loc[("sojourn_time_s_mean", "all")]
    assert row["low"] < 0.01 < row["high"]
    assert row["high"] - row["low"] < 0.001


def test_unpaired_runs_have_no_difference(predicted: lab.Run) -> None:
    """Another seed is another world."""
    other = lab.simulate(lab.Scenario.model_validate(predicted.scenario), seed=9, progress=False)
    with pytest.raises(DomainError, match="not paired"):
        lab.difference(predicted, other)
