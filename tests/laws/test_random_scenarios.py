"""Whatever valid scenario one writes: it simulates, keeps the laws, reads back from YAML, is kept, is rendered."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import lab
from lab.measurement.render import deployment, schedule_table
from lab.scenario.schedule import draw_schedule
from lab.validation.laws import broken_laws
from tests.laws.strategies import scenarios

SHARDS = 8  # so that two cores share them
EACH = int(os.environ.get("RANDOM_EXAMPLES", "200")) // SHARDS  # `make random` asks for more of the same rows


def _examine(check: Callable[[lab.Scenario], None], drawn: st.SearchStrategy[lab.Scenario], shard: int) -> None:
    """Check random scenarios: the same ones in every run, others in every shard; nothing is shrunk or remembered."""
    ways = settings(
        max_examples=EACH,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    seed(shard)(ways(given(scenario=drawn)(check)))()


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
def test_any_valid_scenario_keeps_the_laws(shard: int) -> None:
    """Nothing crashes, no law breaks, the same seed gives the same Run; a Run and a scenario read back as they were."""

    def check(scenario: lab.Scenario) -> None:
        run = lab.simulate(scenario, progress=False, allow_unstable=True)
        assert broken_laws(run) == []
        assert lab.simulate(scenario, progress=False, allow_unstable=True).fingerprint() == run.fingerprint()
        assert lab.parse_scenario(lab.to_yaml(scenario)) == scenario
        assert lab.mermaid(scenario).startswith("flowchart")
        with tempfile.TemporaryDirectory() as folder:
            run.save(Path(folder) / "run")
            assert lab.Run.load(Path(folder) / "run").fingerprint() == run.fingerprint()

    _examine(check, scenarios(), shard)


@pytest.mark.slow
def test_a_scenario_of_measurable_parts_is_rendered() -> None:
    """The real backend is told of every part, and each request carries the demands of all its attempts."""

    def check(scenario: lab.Scenario) -> None:
        document = deployment(scenario)
        table = schedule_table(scenario, draw_schedule(scenario, seed=1, replication=0), seed=1, replication=0)
        for endpoint, demands in zip(table["endpoint"].to_pylist(), table["demands"].to_pylist(), strict=True):
            assert len(demands) == document["parts"]["api"]["endpoints"][endpoint]["demands"] * scenario.client.attempts

    _examine(check, scenarios(measurable=True), SHARDS)
