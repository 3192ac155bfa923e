"""YAML out and in again, the schema, the topology."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.errors import ScenarioError
from lab.scenario.components import Service
from lab.scenario.document import read_document
from lab.scenario.reader import parse_scenario, read_scenario
from lab.scenario.scalars import resolve, trap
from lab.scenario.scenario import Scenario
from lab.scenario.schema import json_schema, schema_text
from lab.scenario.topology import mermaid
from lab.scenario.writer import to_yaml, write_scenario
from tests.unit.malformed import BASE, MALFORMED

_SCENARIOS = Path(__file__).parents[2] / "scenarios"
_SHIPPED = sorted(path for path in _SCENARIOS.rglob("*/*.yaml") if path.parent.name != "cases")
_VALIDATOR = jsonschema.Draft202012Validator(json_schema())


def _errors(document: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in _VALIDATOR.iter_errors(document)]


@pytest.mark.parametrize("path", _SHIPPED, ids=lambda path: path.stem)
def test_shipped_scenarios_read_validate_and_round_trip(path: Path) -> None:
    """Each is a scenario, obeys the schema, is written back equal, and can be drawn."""
    scenario = read_scenario(path)
    assert _errors(read_document(path.read_text(encoding="utf-8")).value) == []
    assert parse_scenario(to_yaml(scenario)) == scenario
    assert mermaid(scenario).startswith("flowchart LR\n")


def test_there_are_shipped_scenarios() -> None:
    """Else the test above would prove nothing."""
    assert _SHIPPED


class TestWriter:
    """What is written reads back equal, and reads well."""

    def test_nothing_where_there_is_something_by_default_is_written(self) -> None:
        """Envoy waits 15 s unless it is told to wait for ever."""
        edge = {"kind": "envoy", "targets": "api", "timeout": None}
        scenario = parse_scenario(BASE).with_({"components.edge": edge})
        assert "timeout: null" in to_yaml(scenario)
        assert parse_scenario(to_yaml(scenario)) == scenario

    def test_it_reads_back_equal(self, tmp_path: Path) -> None:
        """By text and by file."""
        scenario = parse_scenario(BASE)
        assert parse_scenario(to_yaml(scenario)) == scenario
        write_scenario(scenario, tmp_path / "it.yaml")
        assert read_scenario(tmp_path / "it.yaml") == scenario

    def test_every_default_can_be_shown(self) -> None:
        """What is absent is null or empty then, and that reads back equal too."""
        scenario = parse_scenario(BASE)
        text = to_yaml(scenario, defaults=True)
        assert parse_scenario(text) == scenario
        assert "facts: []" in text
        assert "server_timeout: null" in text
        assert read_document(text).value["components"]["profiles"].keys() == Service.model_fields.keys()

    def test_it_reads_well(self) -> None:
        """Keys in the models' order, short forms, nothing absent, one line for what fits on one."""
        lines = to_yaml(parse_scenario(BASE)).splitlines()
        assert lines[:5] == [
            "name: base",
            "question: Does every mistake get its own words?",
            "workload:",
            "  kind: open",
            "  arrival_rate: {kind: spike, base: 30/s, peak: 150/s, at: 15s, rise: 2s, hold: 15s, fall: 3s}",
        ]
        assert "        - {kind: wait, time: 20ms}" in lines
        assert (
            "    queries: {item_by_id: {kind: exponential, mean: 15ms}, insert_item: {time: 20ms, statement: insert}}"
            in lines
        )
        assert not any("null" in line or len(line) > 110 for line in lines)

    @pytest.mark.slow
    @settings(deadline=None)
    @given(
        question=st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
        note=st.sampled_from(
            ["on", "no", "010", "1e-3", "1:30", "2026-11-21", "null", "~", "", "a: b", "# x", " x ", "{", "\n"]
        ),
        scv=st.floats(1e-300, 1000, exclude_min=True),
        mean_s=st.floats(1e-9, 1e6),
        seed=st.integers(0, 10_000_000),
    )
    def test_any_text_and_number_reads_back_equal(
        self, question: str, note: str, scv: float, mean_s: float, seed: int
    ) -> None:
        """Texts that look like something else are quoted; numbers keep every bit."""
        scenario = parse_scenario(BASE).with_(
            {
                "question": question,
                "assumptions": [note, question],
                "facts": [{"says": note, "source": question}],
                "run.seed": seed,
                "components.api.overhead": {"kind": "lognormal", "mean": f"{mean_s!r}s", "scv": scv},
            }
        )
        assert parse_scenario(to_yaml(scenario)) == scenario

    def test_a_place_that_cannot_be_written_is_a_clear_error(self, tmp_path: Path) -> None:
        """No folder, no file."""
        with pytest.raises(ScenarioError, match=r"cannot be written .No such file or directory.; choose another place"):
            write_scenario(parse_scenario(BASE), tmp_path / "no" / "it.yaml")

    def test_half_a_character_is_refused(self, tmp_path: Path) -> None:
        """No file can hold a lone surrogate; and no half file is left."""
        with pytest.raises(ScenarioError, match="half a character"):
            write_scenario(parse_scenario(BASE).with_({"question": "\ud800"}), tmp_path / "it.yaml")
        assert list(tmp_path.iterdir()) == []


class TestScalars:
    """Plain scalars that all YAML readers agree about, and the others."""

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("5", 5),
            ("-5", -5),
            ("0", 0),
            ("0.5", 0.5),
            (".5", 0.5),
            ("1.0e-3", 0.001),
            ("true", True),
            ("False", False),
            ("null", None),
            ("", None),
            ("250ms", "250ms"),
            ("1e-3s", "1e-3s"),
            ("online", "online"),
        ],
    )
    def test_clear_ones_have_one_meaning(self, text: str, value: object) -> None:
        """Type and value."""
        assert trap(text) is None
        assert (resolve(text), type(resolve(text))) == (value, type(value))

    @pytest.mark.parametrize(
        "text",
        [
            *("on", "Off", "YES", "no", "010", "-07", "0x1F", "0o17", "0b11", "1_000", "1e3", "1E-3", "1.5e3", "1:30"),
            *("1:30:00", ".inf", "-.Inf", ".NaN", "2026-11-21", "2026-11-21T10:00:00Z", "<<", "=", "1" * 40, "1.0e+99"),
        ],
    )
    def test_traps_are_named(self, text: str) -> None:
        """Each names itself and what to do."""
        said = trap(text)
        assert said is not None
        assert said.startswith(repr(text))
        assert "; " in said


class TestSchema:
    """The committed JSON Schema."""

    def test_it_is_a_valid_schema(self) -> None:
        """By the meta-schema of draft 2020-12."""
        jsonschema.Draft202012Validator.check_schema(json_schema())
        assert json_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"

    def test_the_committed_one_has_not_drifted(self) -> None:
        """If this fails: write `lab.scenario.schema.schema_text()` to scenarios/schema.json."""
        assert (_SCENARIOS / "schema.json").read_text(encoding="utf-8") == schema_text()

    def test_it_takes_long_and_short_forms(self) -> None:
        """The base in both: short as people write it, long as `to_document` gives it."""
        assert _errors(read_document(BASE).value) == []
        assert _errors(parse_scenario(BASE).to_document()) == []

    def test_every_key_is_described(self) -> None:
        """Editors show these words."""
        definitions = json_schema()["$defs"]
        for name, definition in definitions.items():
            for key, field in definition.get("properties", {}).items():
                assert key in ("kind", "metric") or "description" in field, f"{name}.{key}"

    @pytest.mark.parametrize(
        "name",
        [
            *(
                "duration without a unit",
                "unit of another kind",
                "misspelt key",
                "missing key",
                "missing kind",
                "fewer than none",
            ),
            *(
                "a million replicas",
                "unknown algorithm",
                "half a replica",
                "bad name",
                "no branch",
                "autoscaler",
                "misspelt eviction",
            ),
            *("unknown distribution", "time given as a number", "scv of zero", "number for a text", "missing scv"),
        ],
    )
    def test_it_refuses_what_the_reader_refuses(self, name: str) -> None:
        """Where a schema can know it."""
        (malformed,) = (one for one in MALFORMED if one.name == name)
        assert _errors(read_document(malformed.yaml).value)

    def test_every_reference_leads_somewhere(self) -> None:
        """And every definition is used."""
        text = json.dumps(json_schema())
        definitions = set(json_schema()["$defs"])
        used = {reference.split('"')[0] for reference in text.split("#/$defs/")[1:]}
        assert used == definitions


def test_the_topology_of_the_base() -> None:
    """Nodes with their limits, edges with who asks whom for what, dotted on a miss."""
    assert mermaid(parse_scenario(BASE)) == (
        "flowchart LR\n"
        '    clients(["clients"])\n'
        '    part_edge{{"<b>edge</b><br/>leastconn, 4 a server, queue 1s"}}\n'
        '    part_api["<b>api</b><br/>2 replicas, concurrency 4, backlog 16"]\n'
        '    part_profiles["<b>profiles</b><br/>1 replica"]\n'
        '    part_items(["<b>items</b><br/>500 entries, ttl 20s"])\n'
        '    part_main[("<b>main</b><br/>pool 4 a replica")]\n'
        '    clients -->|"read_item<br/>write_item"| part_edge\n'
        "    part_edge --> part_api\n"
        '    part_api -->|"read_item: look up"| part_items\n'
        '    part_api -.->|"read_item: query item_by_id"| part_main\n'
        '    part_api -->|"write_item: query insert_item"| part_main\n'
        '    part_api -->|"write_item: call touch"| part_profiles\n'
    )


def test_many_labels_are_cut() -> None:
    """Ten endpoints do not hide the picture."""
    endpoints = {f"e{i}": [{"kind": "cpu", "time": "1ms"}] for i in range(10)}
    scenario = Scenario.model_validate(
        {
            "name": "many",
            "workload": {"kind": "open", "arrival_rate": "1/s", "endpoints": dict.fromkeys(endpoints, "10%")},
            "entry": "end",
            "components": {"end": {"kind": "service", "endpoints": endpoints}},
            "run": {"duration": "1s"},
        }
    )
    assert '    clients -->|"e0<br/>e1<br/>e2<br/>e3<br/>and 6 more"| part_end\n' in mermaid(scenario)
