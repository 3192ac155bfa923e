"""What of a scenario runs (its slice), its designs, and what is said of those that cannot be."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import lab
from lab.cli import main
from lab.errors import ScenarioError, Unsupported
from lab.measurement.refusals import refuse_unmeasurable
from lab.runs.slices import slice_sentence
from lab.scenario.multiplied import multiplied
from lab.scenario.slice_arithmetic import unlike_the_whole

TEXT = """
name: fleet
workload:
  kind: open
  arrival_rate: {kind: spike, base: 2000/s, peak: 10000/s, at: 10s, rise: 1s, hold: 5s, fall: 1s}
  endpoints: {get: 100%}
entry: edge
components:
  edge: {kind: load_balancer, targets: api}
  api: {kind: service, replicas: 100, concurrency: 4, endpoints: {get: [{kind: wait, time: 20ms}]}}
objectives: [{metric: goodput, at_least: 1900/s}]
prices: {date: "2026-11-22", currency: USD, of: {api: {per_replica_hour: 0.1}, edge: {per_hour: 20}}}
scale:
  slice: 5%
  of: [workload.arrival_rate, components.api.replicas, objectives.0.at_least, prices.of.edge.per_hour]
  because: "replicas share nothing: each has its own part of the requests"
designs:
  as it was: {}
  "twice: more":
    components.api.replicas: 200
  behind a gate:
    entry: gate
    components.gate: {kind: rate_limiter, targets: edge, limit: 3000}
run: {duration: 20s, replications: 3}
"""


def _fleet() -> lab.Scenario:
    return lab.parse_scenario(TEXT)


def test_a_slice_has_a_share_of_what_is_listed_and_the_rest_as_it_was() -> None:
    """Rates of the curve, replicas, an objective and a price are a twentieth; times and slots stay."""
    slice_ = _fleet().sliced()
    document = slice_.to_document()
    rate = document["workload"]["arrival_rate"]
    assert (rate["base"], rate["peak"], rate["hold"]) == ("100/s", "500/s", "5s")
    assert document["components"]["api"]["replicas"] == 5
    assert document["components"]["api"]["concurrency"] == 4
    assert document["objectives"][0]["at_least"] == "95/s"
    assert document["prices"]["of"]["edge"]["per_hour"] == pytest.approx(1.0)
    assert slice_.scale is not None
    assert slice_.scale.applied
    assert not slice_.designs
    assert slice_.sliced() is slice_
    assert lab.Scenario.model_validate(document) == slice_


def test_another_share_is_another_slice_of_the_same_whole() -> None:
    """Given as text or as a number; one of a slice is refused, and so is one without a scale."""
    whole = _fleet()
    assert whole.sliced("10%") == whole.with_({"scale.slice": "10%"}).sliced() == whole.sliced(0.1)
    assert whole.sliced("10%").components["api"].replicas == 10
    with pytest.raises(ScenarioError, match="this is a slice of it already"):
        whole.sliced().sliced("10%")
    without = whole.with_({"scale": None})
    assert without.sliced() == without.with_({"designs": {}})
    with pytest.raises(ScenarioError, match="this scenario has no scale"):
        without.sliced("10%")
    with pytest.raises(ScenarioError, match=r"not 1\.5; write say 1%"):
        whole.sliced("150%")


def test_a_file_may_hold_a_slice_already() -> None:
    """As a Run does: its values are what runs, and its designs are laid over them as they are."""
    small = lab.parse_scenario(TEXT.replace("slice: 5%", "slice: 5%\n  applied: true"))
    assert small.sliced().components["api"].replicas == 100
    assert small.design("twice: more").sliced().components["api"].replicas == 200


def test_a_design_is_laid_over_the_whole_and_then_sliced() -> None:
    """200 replicas are 10 of the slice; a part that only a design has is added by it."""
    twice = _fleet().design("twice: more")
    assert twice.components["api"].replicas == 200
    assert not twice.designs
    assert twice.sliced().components["api"].replicas == 10
    gated = _fleet().design("behind a gate")
    assert (gated.entry, gated.components["gate"].limit) == ("gate", 3000)
    with pytest.raises(ScenarioError, match="there is no design 'as it wos' here; did you mean 'as it was'"):
        _fleet().design("as it wos")


def test_a_slice_may_be_of_what_designs_alone_have() -> None:
    """The gate's limit is multiplied in the design that has a gate, and in no other."""
    of = [*_fleet().to_document()["scale"]["of"], "components.gate.limit"]
    whole = _fleet().with_({"scale.of": of})
    assert whole.design("behind a gate").sliced().components["gate"].limit == 150
    assert whole.sliced() == _fleet().sliced()
    assert whole.design("as it was").scale == _fleet().scale


def test_yaml_has_scale_and_designs_there_and_back() -> None:
    """With odd names in quotes, and as variants by key path."""
    whole = _fleet()
    assert lab.parse_scenario(lab.to_yaml(whole)) == whole
    assert '  "twice: more": {components.api.replicas: 200}\n' in lab.to_yaml(whole)
    assert lab.parse_scenario(lab.to_yaml(whole.sliced())) == whole.sliced()
    three = whole.with_({"designs.twice: more": {"components.api.replicas": 300}})
    assert three.design("twice: more").components["api"].replicas == 300


def test_a_run_is_of_the_slice_and_says_so() -> None:
    """In its scenario, in one sentence of its card, and when it is simulated again it is not sliced twice."""
    run = lab.simulate(_fleet().with_({"run.duration": "2s"}), progress=False, replications=1)
    assert run.scenario["components"]["api"]["replicas"] == 5
    assert run.scenario["scale"]["applied"]
    sentence = slice_sentence(run.scenario)
    assert "5% of workload.arrival_rate, components.api.replicas, objectives.0.at_least and 1 more" in sentence
    assert sentence in str(run._repr_html_())
    again = lab.simulate(lab.Scenario.model_validate(run.scenario), progress=False)
    assert again.fingerprint() == run.fingerprint()
    assert run.provenance["unlike_the_whole"] == []


@pytest.mark.slow  # it draws
def test_a_report_says_of_which_slice_it_is(tmp_path: Path) -> None:
    """Beside the bottleneck."""
    run = lab.simulate(_fleet().with_({"run.duration": "2s"}), progress=False, replications=1)
    assert slice_sentence(run.scenario) in lab.write_report(run, tmp_path / "run.html").read_text()


def test_a_slice_can_be_measured() -> None:
    """The reference backend knows the slice's values, and needs to know nothing of scale and designs."""
    free = _fleet().with_({"prices": None, "scale.of": ["workload.arrival_rate", "components.api.replicas"]})
    refuse_unmeasurable(free.sliced())
    with pytest.raises(Unsupported, match="designs"):
        refuse_unmeasurable(free)  # what is measured is one design


def test_a_part_that_the_slice_leaves_whole_is_named() -> None:
    """100 replicas for a twentieth of the requests: 50 % busy in the whole, 2.5 % in the slice."""
    left_out = _fleet().with_({"scale.of": ["workload.arrival_rate"]})
    said = unlike_the_whole(left_out, left_out.sliced())
    assert said == ("api/slots is 50.0% busy at the peak of the whole, and 2.5% in the slice",)
    assert unlike_the_whole(_fleet(), _fleet().sliced()) == ()


def test_showing_a_scenario_says_what_runs_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """The slice, where it is unlike the whole, and the designs."""
    file = tmp_path / "fleet.yaml"
    file.write_text(lab.to_yaml(_fleet().with_({"scale.of": ["workload.arrival_rate"]})))
    monkeypatch.setattr(sys, "argv", ["lab", "show", str(file)])
    with pytest.raises(SystemExit, match="0"):
        main()
    said = capsys.readouterr().out
    assert "All figures are of a slice: 5% of workload.arrival_rate" in said
    assert "slice: api/slots is 50.0% busy" in said
    assert "Designs (lab decide): as it was, twice: more, behind a gate" in said


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ({"kind": "constant", "rate": "5/s"}, {"rate": "0.5/s"}),
        ({"kind": "ramp", "start": "0/s", "end": "40/s", "over": "9s"}, {"start": "0/s", "end": "4/s", "over": "9s"}),
        ({"kind": "diurnal", "mean": "10/s", "peak_at": "1h"}, {"mean": "1/s", "peak_to_mean": 1.6}),
        ({"kind": "hawkes", "base": "10/s", "brought": "50%", "delay": "1s"}, {"base": "1/s", "brought": "50%"}),
        ({"kind": "herd", "clients": 300, "at": "1s"}, {"clients": 30, "at": "1s"}),
        ({"kind": "steps", "steps": [{"at": "0s", "rate": "10/s"}]}, {"steps": [{"at": "0s", "rate": "1/s"}]}),
        (
            {"kind": "modulated", "phases": [{"rate": "20/s", "mean": "1s"}, {"rate": "0/s", "mean": "2s"}]},
            {"phases": [{"rate": "2/s", "mean": "1s"}, {"rate": "0/s", "mean": "2s"}]},
        ),
        (
            {"kind": "sum", "of": [{"kind": "constant", "rate": "10/s"}]},
            {"of": [{"kind": "constant", "rate": "1/s"}]},
        ),
    ],
    ids=lambda value: str(value.get("kind", "")),
)
def test_a_curve_has_all_its_rates_multiplied(curve: dict[str, Any], expected: dict[str, Any]) -> None:
    """And its times as they were."""
    tenth = multiplied(curve, 0.1, path="workload.arrival_rate")
    assert {key: tenth[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("client.timeout", "1s", "'1s' has no share"),
        ("client.retry.budget.ratio", "10%", "'10%' has no share"),
        ("components.api.drop_expired", True, "true has no share"),
        ("components.api.autoscaler.target", 5.0, "5.0 has no share"),
        ("components.api.backlog", None, "nothing has no share"),
        ("components.api.overhead", {"kind": "constant", "mean": "1ms"}, "a mapping has no share"),
        ("run.replications", 20, "run is the same for a slice and for the whole"),
        ("components.api.replicas", 14, "10% of 14 is 1.4, and 1 instead would be -29% off"),
        ("components.api.replicas", 3, "take a slice of 33.33% (of 3 that makes 1)"),
        ("workload.arrival_rate", {"kind": "herd", "clients": 4, "at": "0s"}, "10% of 4 is 0.4"),
    ],
    ids=str,
)
def test_what_has_no_share_is_refused(path: str, value: Any, says: str) -> None:
    """Times, shares, switches, what each replica may have; and too few of something."""
    with pytest.raises(ValueError, match=says.replace("(", r"\(").replace(")", r"\)").replace("-29", r"\-29")):
        multiplied(value, 0.1, path=path)


def test_sizes_and_bandwidths_have_a_share_and_rounding_is_bounded() -> None:
    """97 of a tenth are 9.7, so 10: 3 % off."""
    assert multiplied("64MiB", 0.5, path="components.files.capacity_bytes") == "32MiB"
    assert multiplied("12Mbit/s", 0.5, path="client.network.bandwidth") == "6Mbit/s"
    assert multiplied(97, 0.1, path="components.api.replicas") == 10
    assert multiplied(0, 0.1, path="components.api.backlog") == 0


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("components.api.replicas, objectives", "components.api.replica, objectives", 15, "there is no 'replica' here"),
        ("slice: 5%", "slice: 0%", 14, "scale.slice: 0% of it is nothing"),
        ("slice: 5%", "slice: 5", 14, "scale.slice: 5 has no unit"),
        ("slice: 5%", "slice: 0.1%", 15, "0.1% of 100 is 0.1, and 0 instead would be -100% off"),
        ('because: "replicas share nothing: each has its own part of the requests"', 'because: ""', 16, "say why"),
        ("[workload.arrival_rate, ", "[workload.arrival_rate, workload.arrival_rate.peak, ", 13, "multiplied twice"),
        ("components.api.replicas: 200", "components.api.replicas: many", 20, "many"),
        ("components.api.replicas: 200", "components.apj.replicas: 200", 20, "there is no 'apj' here"),
        ("components.api.replicas: 200", "run.seed: 2", 20, "run.seed is the same for all designs"),
        ("components.api.replicas: 200", "scale.slice: 2%", 20, "scale.slice is of all designs"),
        ("components.api.replicas: 200", "components.api.replicas: 30", 20, "5% of 30 is 1.5"),
        ("entry: gate", "entry: gat", 22, "'gat'"),
        ("  as it was: {}", "  as it was:", 18, "is empty"),
        ("  as it was: {}", "  '': {}", 18, "is not the name of a design"),
    ],
    ids=str,
)
def test_a_wrong_scale_or_design_is_told_with_its_line(old: str, new: str, line: int, says: str) -> None:
    """As every other mistake of a scenario."""
    assert TEXT.count(old) == 1
    with pytest.raises(ScenarioError) as caught:
        lab.parse_scenario(TEXT.replace(old, new), source="it.yaml")
    (told,) = (sentence for sentence in caught.value.problems if says in sentence)
    assert told.startswith(f"it.yaml:{line}: "), told
