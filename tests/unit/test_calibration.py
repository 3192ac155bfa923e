"""Calibrating: fits find what a simulated run was made with, and the document is refused when it was changed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lab
from lab.cli.commands import app
from lab.errors import ScenarioError, Unsupported, UsageError
from lab.runs.tables import SAMPLES, Tables
from lab.scenario.calibration import moved

TEXT = """
name: small
workload: {kind: open, arrival_rate: 20/s, endpoints: {read: 70%, login: 30%}, keys: {kind: uniform, count: 400}}
client: {round_trip: {kind: lognormal, mean: 2ms, scv: 0.3}, timeout: 5s}
entry: edge
components:
  edge: {kind: load_balancer, targets: api, forward_time: 300us}
  api:
    kind: service
    overhead: {kind: exponential, mean: 1ms}
    endpoints:
      read:
        - {kind: wait, time: {kind: exponential, mean: 20ms}}
        - kind: cached
          cache: items
          miss: [{kind: query, database: main, query: item}]
      login:
        - {kind: wait, time: 5ms}
        - {kind: cpu, time: {kind: lognormal, mean: 6ms, scv: 0.2}}
        - {kind: query, database: main, query: feed}
  items: {kind: cache, access_time: {kind: uniform, low: 200us, high: 400us}}
  main:
    kind: database
    pool: {size: 20}
    round_trip: 900us
    queries:
      item: {kind: exponential, mean: 24ms}
      feed: {kind: exponential, mean: 8ms}
run: {duration: 40s, warm_up: 2s, replications: 3, seed: 4}
"""
TRUE_S = {
    "client.round_trip": 2e-3,
    "components.edge.forward_time": 3e-4,
    "components.api.overhead": 1e-3,
    "components.items.access_time": 3e-4,
    "components.main.round_trip": 9e-4,
    "components.main.queries.feed.time": 8e-3,
    "components.api.endpoints.login.1.time": 6e-3,
}


@pytest.fixture(scope="module")
def scenario() -> lab.Scenario:
    return lab.parse_scenario(TEXT)


@pytest.fixture(scope="module")
def run(scenario: lab.Scenario) -> lab.Run:
    return lab.simulate(scenario, replications=1, n_jobs=1, progress=False)


@pytest.fixture(scope="module")
def calibration(run: lab.Run, scenario: lab.Scenario) -> lab.Calibration:
    paths = [path.removesuffix(".time") if ".queries." in path else path for path in TRUE_S]
    return lab.calibrate(run, scenario, paths)


def as_measured(run: lab.Run) -> lab.Run:
    """The run as a measurement would show it: without rows that only a simulator can write."""
    visits = run.visits
    loop = visits[(visits["component"] == "api.event_loop") & ~visits["operation"].isin(["overhead", "turn"])]
    computed = loop.set_index("request")["service_time_s"]
    kept = visits[~visits["component"].isin(["client", "api.event_loop"])].copy()
    own = kept["component"] == "api"
    kept.loc[own, "service_time_s"] += kept["request"][own].map(computed).fillna(0.0)
    kept.loc[kept["component"] == "edge", "service_time_s"] = np.nan
    tables = {**run.tables.as_dict(), "visits": kept}
    return replace(run, world="measured", tables=Tables(**tables))


def test_fits_find_what_the_run_was_made_with(calibration: lab.Calibration) -> None:
    """Each interval holds the true mean, and not one that is 30 % off."""
    assert set(calibration.parameters) == set(TRUE_S)
    for path, true_s in TRUE_S.items():
        found = calibration.parameters[path]
        assert found.low - 1e-6 <= true_s <= found.high + 1e-6, path
        assert not found.low <= 1.3 * true_s <= found.high, path


def test_families_are_told_apart(calibration: lab.Calibration) -> None:
    """AIC and the KS check choose the family that the times were drawn from."""
    kinds = {path: each.value.kind for path, each in calibration.parameters.items()}  # type: ignore[union-attr]
    assert kinds["client.round_trip"] == "lognormal"
    assert kinds["components.api.overhead"] == "exponential"
    assert kinds["components.items.access_time"] == "uniform"
    assert kinds["components.main.round_trip"] == "constant"
    assert kinds["components.api.endpoints.login.1.time"] == "lognormal"


def test_the_simulator_reproduces_the_run_that_it_was_calibrated_to(calibration: lab.Calibration) -> None:
    """The self-check: the mean within 1 %, median and p95 within 5 %."""
    errors = {each.figure: each.error for each in calibration.residuals}
    assert abs(errors["mean"]) < 0.01
    assert abs(errors["p50"]) < 0.05
    assert abs(errors["p95"]) < 0.05


def test_several_balancers_share_the_time_of_the_process_that_they_are() -> None:
    """HAProxy is one process for all balancers: its CPU time is spread evenly over all that it forwards."""
    inner = "inner: {kind: load_balancer, targets: hasher}"
    hasher = "hasher: {kind: service, endpoints: {hash: [{kind: wait, time: 5ms}]}}"
    twice = lab.parse_scenario(
        TEXT.replace("- {kind: wait, time: 5ms}", "- {kind: call, target: inner, endpoint: hash}")
        .replace("\n  items:", f"\n  {inner}\n  {hasher}\n  items:")
        .replace("duration: 40s", "duration: 10s")
    )
    run = lab.simulate(twice, replications=1, n_jobs=1, progress=False)
    visits = run.visits.copy()
    forwards = visits["component"].isin(["edge", "inner"])
    visits.loc[forwards, "service_time_s"] = np.nan
    seconds = np.arange(0.0, 11.0)
    used = pd.DataFrame(
        {"replication": 0, "time_s": seconds, "component": "haproxy", "replica": 0, "gauge": "cpu_ratio", "value": 0.02}
    )
    tables = {**run.tables.as_dict(), "visits": visits, "samples": SAMPLES.frame(used)}
    found = lab.calibrate(
        replace(run, world="measured", tables=Tables(**tables)), twice, ["components.inner.forward_time"]
    )
    window = visits[forwards & (visits["arrival_s"] >= 2.0)]
    assert set(window["component"]) == {"edge", "inner"}
    assert found.parameters["components.inner.forward_time"].mean == pytest.approx(0.02 * 8 / len(window), rel=0.01)


@pytest.mark.slow
def test_the_round_trip_is_the_rest_of_the_sojourn_time(run: lab.Run, scenario: lab.Scenario) -> None:
    """Without rows of the network it is what the spans leave over, and holds what a wrong overhead lacks."""
    measured = as_measured(run)
    found = lab.calibrate(measured, scenario, ["client.round_trip"])
    assert found.parameters["client.round_trip"].mean == pytest.approx(2e-3, rel=0.05)
    wrong = replace(measured, scenario=scenario.with_({"components.api.overhead": "500us"}).to_document())
    lacking = lab.calibrate(wrong, scenario, ["client.round_trip"])
    assert lacking.parameters["client.round_trip"].mean == pytest.approx(2.5e-3, rel=0.05)
    assert abs(lacking.residuals[0].error) < 0.01


def test_the_overhead_is_cpu_time_per_request_or_what_spans_leave(run: lab.Run, scenario: lab.Scenario) -> None:
    """Of a service that calls others the CPU time of drivers would count twice, so the gaps in its visits bound it."""
    path = "components.api.overhead"
    measured = as_measured(run)
    gap = lab.calibrate(measured, scenario, [path]).parameters[path]
    assert gap.mean == pytest.approx(1e-3, rel=0.25)  # turns of the event loop lie in the gaps too
    assert "between the spans of items, main" in gap.method
    computed_s = run.visits["service_time_s"][run.visits["component"] == "api.event_loop"].sum() * 0.7
    seconds = np.arange(41.0)
    cpu = {"replication": 0, "time_s": seconds, "component": "api", "replica": 0, "gauge": "cpu_ratio"}
    samples = SAMPLES.frame(pd.DataFrame({**cpu, "value": computed_s / 40}))
    busy = replace(measured, tables=Tables(**{**measured.tables.as_dict(), "samples": samples}))
    less = lab.calibrate(busy, scenario, [path]).parameters[path]
    steps_s = run.visits["service_time_s"][run.visits["operation"] == "cpu"].sum()
    assert less.mean == pytest.approx((computed_s - steps_s) / len(run.requests), rel=0.1)


def test_what_nothing_tells_of_is_refused(run: lab.Run, scenario: lab.Scenario) -> None:
    """Paths without records, paths that lead nowhere, and no paths at all are errors."""
    with pytest.raises(Unsupported, match="no record tells of it"):
        lab.calibrate(run, scenario, ["components.main.connect_time"])
    with pytest.raises(ScenarioError, match="there is no 'apu'"):
        lab.calibrate(run, scenario, ["components.apu.overhead"])
    with pytest.raises(UsageError, match="no parameters"):
        lab.calibrate(run, scenario, [])


def test_what_cannot_be_told_apart_is_split_by_convention(run: lab.Run, scenario: lab.Scenario) -> None:
    """Of two steps, and of a way and what is done at its end, only the sum is observed, and kept."""
    steps = [f"components.api.endpoints.login.{step}.time" for step in (0, 1)]
    queries = [f"components.main.queries.{query}.time" for query in ("item", "feed")]
    paths = [*steps, "components.main.round_trip", *queries]
    found = lab.calibrate(run, scenario, paths).parameters
    assert sum(found[path].mean for path in steps) == pytest.approx(11e-3, rel=0.05)
    assert found["components.main.round_trip"].mean + found[queries[0]].mean == pytest.approx(24.9e-3, rel=0.15)
    assert all("by convention" in found[path].method for path in paths[:3])


def test_fitting_twice_gives_the_same_bytes(run: lab.Run, scenario: lab.Scenario) -> None:
    """Resamples are drawn from the observations' own address."""
    first, second = (lab.calibrate(run, scenario, ["components.items.access_time"]) for _ in range(2))
    assert first.sha256 == second.sha256


def test_a_scenario_file_refers_to_a_calibration(calibration: lab.Calibration, tmp_path: Path) -> None:
    """Its values are laid over those of the file, and travel with the scenario."""
    calibration.save(tmp_path / "c.json")
    (tmp_path / "s.yaml").write_text(TEXT + "calibration: c.json\n")
    scenario = lab.read_scenario(tmp_path / "s.yaml")
    assert scenario.components["api"].overhead == calibration.parameters["components.api.overhead"].value  # type: ignore[union-attr]
    assert scenario == lab.parse_scenario(TEXT).with_calibration(calibration)
    assert lab.parse_scenario(lab.to_yaml(scenario)) == scenario
    assert lab.Scenario.model_validate(scenario.to_document()) == scenario


def test_a_variant_of_a_calibrated_scenario_keeps_its_own_value(
    calibration: lab.Calibration, scenario: lab.Scenario
) -> None:
    """A calibration is laid over once, when it is read, and never again."""
    variant = calibration.apply(scenario).with_({"components.api.overhead": "7ms"})
    assert variant.components["api"].overhead.mean == 7e-3  # type: ignore[union-attr]
    other = moved(variant, seed=1, replication=1)
    assert other.components["api"].overhead.mean == 7e-3  # type: ignore[union-attr]
    assert other.client.round_trip != variant.client.round_trip


def test_a_changed_calibration_is_refused(calibration: lab.Calibration, scenario: lab.Scenario, tmp_path: Path) -> None:
    """One digit is enough; so is a path that the scenario lacks."""
    document = calibration.to_document()
    document["parameters"]["components.api.overhead"]["value"] = {"kind": "constant", "mean": "2ms"}
    (tmp_path / "c.json").write_text(json.dumps(document))
    with pytest.raises(ScenarioError, match="sha256 does not match"):
        lab.read_calibration(tmp_path / "c.json")
    with pytest.raises(ScenarioError, match="sha256 does not match"):
        scenario.with_({"calibration": str(tmp_path / "c.json")})
    other = lab.parse_scenario(TEXT.replace("items", "things"))
    with pytest.raises(ScenarioError, match="there is no 'items'"):
        other.with_calibration(calibration)


def test_replications_move_calibrated_values_within_their_intervals(
    calibration: lab.Calibration, scenario: lab.Scenario
) -> None:
    """Replication 0 stays at the point estimates; over many, 95 % of the means lie in the interval."""
    calibrated = calibration.apply(scenario)
    assert moved(calibrated, seed=1, replication=0) is calibrated
    path = "components.api.overhead"
    known = calibration.parameters[path]
    means = [moved(calibrated, seed=1, replication=r).components["api"].overhead.mean for r in range(1, 60)]  # type: ignore[union-attr]
    inside = np.mean([known.low <= mean <= known.high for mean in means])
    assert 0.85 < inside <= 1
    assert np.std(means) == pytest.approx((known.high - known.low) / 3.92, rel=0.4)


def test_a_prediction_says_which_calibration_it_used(calibration: lab.Calibration, scenario: lab.Scenario) -> None:
    """The hash stands in the Run's provenance, its content in the Run's scenario."""
    short = calibration.apply(scenario).with_({"run.duration": "3s"})
    run = lab.simulate(short, replications=2, n_jobs=1, progress=False)
    assert run.provenance["calibration_sha256"] == calibration.sha256
    assert run.scenario["calibration"]["sha256"] == calibration.sha256
    said = " ".join(run.provenance["extrapolation"])
    assert said == ""


def test_a_prediction_beyond_the_calibrated_range_says_so(calibration: lab.Calibration, scenario: lab.Scenario) -> None:
    """Higher rates, busier places and endpoints that were never measured."""
    scenario = calibration.apply(scenario)
    assert lab.extrapolation(scenario, calibration) == ()
    wild = scenario.with_({"workload.arrival_rate": "60/s"})
    rate, busy = lab.extrapolation(wild, calibration)
    assert "3 times the 20 requests/s" in rate
    assert "api/event_loop" in busy or "main/connections/api" in busy
    only = calibration.model_copy(update={"range": calibration.range.model_copy(update={"endpoints": ("read",)})})
    assert any("not seen: login" in each for each in lab.extrapolation(scenario, only))


def test_the_command_writes_what_a_scenario_file_can_refer_to(
    run: lab.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`lab calibrate RUN --parameters PATH --out FILE --scenario-out FILE`; an existing file is not replaced."""
    run.save(tmp_path / "run")
    words = ["calibrate", str(tmp_path / "run"), "--parameters", "components.api.overhead"]
    words += ["--out", str(tmp_path / "c.json"), "--scenario-out", str(tmp_path / "s.yaml")]
    app(words, standalone_mode=False)
    assert "components.api.overhead" in capsys.readouterr().out
    read = lab.read_scenario(tmp_path / "s.yaml")
    assert read.calibration == lab.read_calibration(tmp_path / "c.json")
    with pytest.raises(UsageError, match="exists already"):
        app(words, standalone_mode=False)
