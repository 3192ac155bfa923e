"""Whatever valid scenario one writes: it simulates, keeps the laws, reads back from YAML, renders for the backend."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings

import lab
from lab.errors import Unsupported
from lab.measurement.render import deployment, schedule_table
from lab.scenario.schedule import draw_schedule
from lab.validation.laws import broken_laws
from tests.laws.strategies import scenarios


@pytest.mark.slow
@settings(
    max_examples=250, deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)
@given(scenario=scenarios())
def test_any_valid_scenario_keeps_the_laws(scenario: lab.Scenario) -> None:
    """Nothing crashes, no law breaks, the same seed gives the same Run, and both forms of the scenario hold."""
    run = lab.simulate(scenario, progress=False, allow_unstable=True)
    assert broken_laws(run) == []
    assert lab.simulate(scenario, progress=False, allow_unstable=True).fingerprint() == run.fingerprint()
    assert lab.parse_scenario(lab.to_yaml(scenario)) == scenario
    assert lab.mermaid(scenario).startswith("flowchart")
    try:
        document = deployment(scenario)
    except Unsupported:
        return  # the reference backend cannot do it yet
    table = schedule_table(scenario, draw_schedule(scenario, seed=1, replication=0), seed=1, replication=0)
    for endpoint, demands in zip(table["endpoint"].to_pylist(), table["demands"].to_pylist(), strict=True):
        assert len(demands) == document["parts"]["api"]["endpoints"][endpoint]["demands"] * scenario.client.attempts
