"""What the lessons about autoscalers show, by variants of each scenario in the same world."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

import lab

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::lab.experiment.simulate.OverloadWarning")]

PATTERNS = Path(__file__).parents[2] / "scenarios" / "patterns"
_FIXED = {"components.api.autoscaler": None}


def _ready(run: lab.Run) -> list[tuple[float, float]]:
    steps = run.samples[(run.samples["gauge"] == "replicas_ready") & (run.samples["replication"] == 0)]
    return list(zip(steps["time_s"], steps["value"], strict=True))


def test_autoscaling_is_late() -> None:
    """The spike begins at 60 s; the first new replica is ready after 105 s. Meanwhile requests fail; six are enough."""
    scenario = lab.read_scenario(PATTERNS / "autoscaling_is_late.yaml")
    scaled = lab.simulate(scenario, progress=False)
    first_s = _ready(scaled)[1][0]
    assert 105 < first_s < 125  # the sync at 75 s sees the time before the spike, that at 90 s acts, boot 25 s
    enough = lab.simulate(scenario.with_(_FIXED | {"components.api.replicas": 6}), progress=False)
    change = lab.difference(scaled, enough).set_index(["metric", "subject"]).loc[("error_ratio", "all")]
    assert change["high"] < -0.1
    assert enough.value("error_ratio") < 0.001
    assert enough.value("replica_seconds", "api") == 6 * 300
    assert scaled.value("replica_seconds", "api") < 0.85 * 6 * 300  # and the run ends before it scales down again
    late, cost = scaled.objectives()[1:]
    assert not late.met
    assert late.value > 45  # the next good stretch for good begins when the first new replicas are there
    assert cost.met
    no_scaling = lab.simulate(scenario.with_(_FIXED), progress=False)
    change = lab.difference(no_scaling, scaled).set_index(["metric", "subject"]).loc[("error_ratio", "all")]
    assert change["high"] < -0.1  # late is better than never


def test_a_lower_target_does_not_make_it_earlier() -> None:
    """Half the target asks for more replicas, but not sooner: what is late is the reading, the sync and the boot."""
    scenario = lab.read_scenario(PATTERNS / "autoscaling_is_late.yaml")
    at_60 = lab.simulate(scenario, progress=False, replications=1)
    at_30 = lab.simulate(scenario.with_({"components.api.autoscaler.target": "30%"}), progress=False, replications=1)
    assert _ready(at_30)[1][0] == _ready(at_60)[1][0]
    assert _ready(at_30)[-1][1] > _ready(at_60)[-1][1]


def test_scale_down_thrash() -> None:
    """Removing at once meets every wave with one replica; five minutes' memory meets the later ones with enough."""
    scenario = lab.read_scenario(PATTERNS / "scale_down_thrash.yaml")
    at_once = lab.simulate(scenario, progress=False)
    window = {"components.api.autoscaler.scale_down.stabilization_window": "5min"}
    remembering = lab.simulate(scenario.with_(window), progress=False)
    numbers = [value for _, value in _ready(at_once)]
    assert sum(after < before for before, after in pairwise(numbers)) >= 3
    kept = [value for _, value in _ready(remembering)]
    assert kept == sorted(kept)
    change = lab.difference(at_once, remembering).set_index(["metric", "subject"]).loc[("error_ratio", "all")]
    assert change["high"] < -0.1


def test_pre_provisioning() -> None:
    """Who is there before midnight serves everybody; the autoscaler alone sees them come, and boots while they fail."""
    scenario = lab.read_scenario(PATTERNS / "pre_provisioning.yaml")
    prepared = lab.simulate(scenario, progress=False)
    assert all(each.met for each in prepared.objectives())
    reactive = lab.simulate(scenario.with_({"components.api.autoscaler.schedule": []}), progress=False)
    change = lab.difference(reactive, prepared).set_index(["metric", "subject"]).loc[("error_ratio", "all")]
    assert change["high"] < -0.1
    late = lab.simulate(scenario.with_({"components.api.autoscaler.schedule.0.at": "80s"}), progress=False)
    assert late.value("error_ratio") > 0.05  # those asked for at 80 s are ready at 120 s
    assert reactive.value("replica_seconds", "api") < prepared.value("replica_seconds", "api") < 6 * 180


def test_price_of_headroom() -> None:
    """Five replicas that are always there cost less than ten and keep the promise, which the autoscaler breaks."""
    reactive = lab.read_scenario(PATTERNS / "price_of_headroom.yaml")
    costs, errors = {}, {}
    fixed = {"components.api.autoscaler": None}
    for name, changes in (
        ("reactive", {}),
        ("five", fixed | {"components.api.replicas": 5}),
        ("ten", fixed | {"components.api.replicas": 10}),
    ):
        run = lab.simulate(reactive.with_(changes | {"run.replications": 1}), progress=False, allow_unstable=True)
        costs[name], errors[name] = run.value("cost_per_hour"), run.value("error_ratio")
    assert costs["reactive"] < costs["five"] < costs["ten"]
    assert errors["five"] == errors["ten"] == 0
    assert errors["reactive"] > 0.02
    assert 0.25 < costs["five"] - 0.05 < 0.26  # five at 0.05, and the balancer


def _ready_of_api(run: lab.Run, replicas: int) -> float:
    """When so many were ready for the first time in replication 0."""
    own = run.samples[(run.samples["component"] == "api") & (run.samples["gauge"] == "replicas_ready")]
    own = own[own["replication"] == 0]
    return float(own.loc[own["value"] >= replicas, "time_s"].min())


def test_nodes_under_pods() -> None:
    """Pods beyond the room of the only node come a scan and a node's boot later; a spare node spares the first that."""
    scenario = lab.read_scenario(PATTERNS / "nodes_under_pods.yaml")
    cold = lab.simulate(scenario, progress=False)
    spare = lab.simulate(scenario.with_({"components.nodes.nodes": 2, "components.nodes.min": 2}), progress=False)
    always = lab.simulate(scenario.with_({"components.nodes.nodes": 4, "components.nodes.min": 4}), progress=False)
    assert _ready_of_api(cold, 4) > _ready_of_api(spare, 4) + 40
    assert _ready_of_api(spare, 4) == _ready_of_api(always, 4)  # the same boot time, drawn for the same replica
    change = lab.difference(cold, spare).set_index(["metric", "subject"]).loc[("error_ratio", "all")]
    assert change["high"] < -0.02
    assert always.value("error_ratio") == spare.value("error_ratio")  # the rest of the lateness is the autoscaler's
    assert always.value("replica_seconds", "nodes") > cold.value("replica_seconds", "nodes")
