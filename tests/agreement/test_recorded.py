"""The simulator against the recorded measurements: after any change of the model, in seconds and without a server."""

from __future__ import annotations

import pytest

import lab
from lab.validation.judge import Verdict
from tools import recorded
from tools.write_readme_table import README, with_tables


@pytest.fixture(scope="module", params=recorded.NAMES)
def comparison(request: pytest.FixtureRequest) -> lab.Comparison:
    """A fresh prediction beside a recorded measurement."""
    return recorded.comparison(request.param)


def test_the_recorded_measurement_may_judge(comparison: lab.Comparison) -> None:
    """Paired in requests and demands, at least five repeats, and the generator kept its schedule."""
    assert comparison.paired
    assert comparison.invalid == ()
    assert len(comparison.measured.replications) >= 5


def test_the_prediction_passes(comparison: lab.Comparison) -> None:
    """Every judged figure is within the protocol's margins."""
    assert comparison.verdict is Verdict.PASS, comparison.to_markdown()


def test_the_first_spike_is_as_close_as_the_first_step_asks() -> None:
    """Tighter than the protocol for transients: rates 2 %, hit ratio 0.01, p50 8 %, p95 12 %, p99 20 %."""
    limits = {
        "throughput_per_s": 0.02,
        "goodput_per_s": 0.02,
        "hit_ratio": 0.01,
        "sojourn_time_s_p50": 0.08,
        "sojourn_time_s_p95": 0.12,
        "sojourn_time_s_p99": 0.20,
    }
    rows = recorded.comparison("first_spike").rows
    errors = {row.metric: abs(row.error) for row in rows if row.metric in limits}
    assert errors.keys() == limits.keys()
    assert {metric: error for metric, error in errors.items() if error > limits[metric]} == {}


def test_a_detuned_model_is_caught(comparison: lab.Comparison) -> None:
    """The same comparison with the reads' wait a quarter longer is a miss: this file can fail."""
    scenario = lab.Scenario.model_validate(comparison.predicted.scenario).with_(
        {"components.api.endpoints.read_item.1.time.mean": "50ms", "run.replications": 5}
    )
    detuned = lab.simulate(scenario, progress=False)
    disguised = lab.Run(
        world="predicted",
        scenario=comparison.predicted.scenario,
        tables=detuned.tables,
        seed=detuned.seed,
        provenance=detuned.provenance,
    )
    assert lab.compare(disguised, comparison.measured).verdict is Verdict.MISS


def test_the_readme_shows_the_generated_tables() -> None:
    """Nobody types a figure: `make readme` would change nothing."""
    readme = README.read_text()
    assert with_tables(readme) == readme
