"""Whatever valid scenario one writes: its summary has the figures of its full Run, and rows are final once closed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

import lab
from lab.errors import NotEnoughData
from lab.runs.buckets import RELATIVE_ERROR
from lab.simulation import columns
from tests.laws.strategies import scenarios

EXAMPLES = 40


def _simulate(scenario: lab.Scenario, **others: object) -> lab.Run:
    return lab.simulate(scenario, n_jobs=1, progress=False, allow_unstable=True, **others)


def _same_figures(full: lab.Run, summary: lab.Run, *, warm_up: bool) -> None:
    try:
        here = full.metrics(warm_up=warm_up)
    except NotEnoughData:
        return  # nobody came after the warm-up
    there = summary.metrics(warm_up=warm_up)
    assert there.drop(columns="value").equals(here.drop(columns="value"))
    is_quantile = np.asarray(here["metric"] == "waiting_time_s_p95")
    ours, theirs = here["value"].to_numpy(), there["value"].to_numpy()
    np.testing.assert_allclose(theirs[~is_quantile], ours[~is_quantile], rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(theirs[is_quantile], ours[is_quantile], rtol=RELATIVE_ERROR, atol=1e-9)


@pytest.mark.slow
def test_a_summary_has_the_figures_of_the_full_run() -> None:
    """Rows taken down in batches of 37 are those of one batch; sums, areas and buckets say the same."""

    def check(scenario: lab.Scenario) -> None:
        full = _simulate(scenario)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(columns, "_EVERY", 37)
            assert _simulate(scenario).fingerprint() == full.fingerprint()
            summary = _simulate(scenario, keep="summary")
        for warm_up in (True, False):
            _same_figures(full, summary, warm_up=warm_up)
        here, there = full.timeline(), summary.timeline()
        assert there.drop(columns="value").equals(here.drop(columns="value"))
        np.testing.assert_allclose(there["value"], here["value"], rtol=1e-6, atol=1e-6)

    ways = settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    seed(1)(ways(given(scenario=scenarios())(check)))()
