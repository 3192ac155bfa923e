"""Every malformed scenario gives its named error, with the line, and nothing but ScenarioError."""

from __future__ import annotations

import contextlib
import pickle
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.errors import ScenarioError
from lab.scenario.reader import parse_scenario, read_scenario
from lab.scenario.scenario import Scenario
from tests.unit.malformed import BASE, MALFORMED, Malformed


@pytest.mark.parametrize("malformed", MALFORMED, ids=lambda malformed: malformed.name)
def test_a_malformed_scenario_is_explained_with_its_line(malformed: Malformed) -> None:
    """The message names the source, the line, and what is wrong."""
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(malformed.yaml, source="it.yaml")
    said = [sentence for sentence in caught.value.problems if malformed.says in sentence]
    assert said, f"nothing says {malformed.says!r}:\n{caught.value}"
    assert said[0].startswith(f"it.yaml:{malformed.line}: "), said[0]


@pytest.mark.parametrize("malformed", MALFORMED, ids=lambda malformed: malformed.name)
def test_no_message_leaks_the_machinery(malformed: Malformed) -> None:
    """Nothing of pydantic, ruamel or Python shows through, and each problem is one line of bounded length."""
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(malformed.yaml)
    for sentence in caught.value.problems:
        leaks = r"Value error|function-|tagged-union|Input should|pydantic|ruamel|<class|Traceback|None\b|\[key\]"
        assert not re.search(leaks, sentence), sentence
        assert "\n" not in sentence
        assert len(sentence) < 700
        sentence.encode("utf-8")


def test_there_are_enough_malformed_scenarios() -> None:
    """Forty at least, each with a name of its own."""
    assert len({malformed.name for malformed in MALFORMED}) == len(MALFORMED) >= 45


def test_the_base_is_valid() -> None:
    """Else the mutations would prove nothing."""
    assert parse_scenario(BASE).name == "base"


def test_every_problem_is_told_at_once_in_the_order_of_lines() -> None:
    """Three mistakes, three sentences."""
    text = BASE.replace("replicas: 2", "replicas: -1").replace("cap: 1s", "cap: 1").replace("size: 4", "size: 010")
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text, source="it.yaml")
    assert [sentence.split(": ")[:2] for sentence in caught.value.problems] == [
        ["it.yaml:12", "client.retry.backoff.cap"],
        ["it.yaml:23", "components.api.replicas"],
        ["it.yaml:48", "components.main.pool.size"],
    ]
    assert caught.value.paths[1] == ("components", "api", "replicas")


def test_the_message_shows_at_most_twenty_problems() -> None:
    """The rest is counted, and kept."""
    text = BASE.replace("objectives:\n", "objectives:\n" + "  - {metric: nonsense}\n" * 25)
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text)
    assert len(caught.value.problems) == 25
    assert len(str(caught.value).splitlines()) == 21
    assert str(caught.value).endswith("... and 5 more")


def test_a_long_text_is_cut_in_the_message() -> None:
    """A message never repeats a book."""
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(BASE.replace("duration: 50s", f"duration: {'x' * 100_000}"))
    assert len(str(caught.value)) < 700


def test_an_odd_key_stays_on_one_line() -> None:
    """Keys with newlines or colons are quoted in the path, and their line is still found."""
    with pytest.raises(ScenarioError, match=r"^<text>:8: 'a: \\nb': there is no key"):
        parse_scenario(BASE.replace("client:", '"a: \\nb": 1\nclient:'))


def test_the_error_survives_another_process() -> None:
    """joblib pickles errors; the problems must come along."""
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(BASE.replace("replicas: 2", "replicas: 0"))
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.problems, copy.paths) == (str(caught.value), caught.value.problems, caught.value.paths)


def test_a_call_tree_that_explodes_is_refused() -> None:
    """Twenty services that call the next one twice are two million steps."""
    twice = [{"kind": "call", "target": "s{}", "endpoint": "go"}] * 2
    components = {
        f"s{i}": {"kind": "service", "endpoints": {"go": [step | {"target": f"s{i + 1}"} for step in twice]}}
        for i in range(20)
    }
    components["s20"] = {"kind": "service", "endpoints": {"go": [{"kind": "cpu", "time": "1ms"}]}}
    with pytest.raises(
        ScenarioError, match=r"components.s0.endpoints.go: one request here leads to 1048576 timed steps"
    ):
        Scenario.model_validate(_document(components, entry="s0", endpoint="go"))


def test_too_many_components_are_refused() -> None:
    """A long chain of calls is refused before anybody follows it."""
    step = {"kind": "cpu", "time": "1ms"}
    components = {f"s{i}": {"kind": "service", "endpoints": {"go": [step]}} for i in range(201)}
    with pytest.raises(ScenarioError, match="201 components are more than 200"):
        Scenario.model_validate(_document(components, entry="s0", endpoint="go"))


def _document(components: dict[str, object], *, entry: str, endpoint: str) -> dict[str, object]:
    workload = {"kind": "open", "arrival_rate": "1/s", "endpoints": {endpoint: "100%"}}
    return {"name": "s", "workload": workload, "entry": entry, "components": components, "run": {"duration": "1s"}}


class TestFiles:
    """What can be wrong with a file rather than with what it says."""

    def test_a_file_is_read_and_named_in_errors(self, tmp_path: Path) -> None:
        """A good file gives its scenario, a bad one its own path."""
        path = tmp_path / "it.yaml"
        path.write_text(BASE, encoding="utf-8")
        assert read_scenario(path) == parse_scenario(BASE)
        path.write_text(BASE.replace("replicas: 2", "replicas: 0"), encoding="utf-8")
        with pytest.raises(ScenarioError, match=re.escape(f"{path}:23: components.api.replicas: 0 is out of range")):
            read_scenario(str(path))

    def test_a_byte_order_mark_is_welcome(self, tmp_path: Path) -> None:
        """Some editors write one."""
        path = tmp_path / "it.yaml"
        path.write_bytes(b"\xef\xbb\xbf" + BASE.replace("\n", "\r\n").encode())
        assert read_scenario(path) == parse_scenario(BASE)

    @pytest.mark.parametrize(
        ("raw", "says"),
        [
            (
                BASE.replace("own words", "Wörter").encode("latin-1"),
                r":2: the byte 0xF6 is not UTF-8; save the file as",
            ),
            (BASE.encode("utf-16"), r":1: the byte 0xFF is not UTF-8"),
            (b"\x00" * 100, r":1: the character U\+0000 cannot stand in YAML"),
            (b"#" * (2**20 + 1), r": the file is larger than 1048576 bytes"),
            (b"", r":1: there is nothing in it"),
        ],
        ids=["latin-1", "utf-16", "zeros", "large", "empty"],
    )
    def test_bytes_that_are_no_text_are_refused(self, tmp_path: Path, raw: bytes, says: str) -> None:
        """The error names the file, and the line where there is one."""
        path = tmp_path / "it.yaml"
        path.write_bytes(raw)
        with pytest.raises(ScenarioError, match=re.escape(str(path)) + says):
            read_scenario(path)

    @pytest.mark.parametrize(
        ("path", "says"),
        [
            ("missing.yaml", "the scenario cannot be read (No such file or directory); check the path"),
            (".", "this is a folder, not a scenario file"),
            ("/dev/null", "this is not a regular file"),
            ("a\0b", "the scenario cannot be read"),
        ],
    )
    def test_what_is_not_a_file_is_refused(self, path: str, says: str) -> None:
        """Missing files, folders, devices and impossible names."""
        with pytest.raises(ScenarioError, match=re.escape(says)):
            read_scenario(path)


@given(st.binary(max_size=300))
def test_random_bytes_never_break_the_reader(raw: bytes) -> None:
    """Whatever is decoded is refused with words."""
    with pytest.raises(ScenarioError):
        parse_scenario(raw.decode("utf-8", errors="surrogateescape"))


_WORDS_OF_YAML = st.sampled_from(
    [
        *"{}[],:-&*!|>'\"%@`?#~ \n\t",
        "\n  ",
        ": ",
        "- ",
        "---",
        "kind",
        "open",
        "name",
        "1e-3",
        "<<",
        "2ms",
        "\\u",
        "é",
        "💥",
    ]
)


@given(st.lists(_WORDS_OF_YAML, max_size=60))
def test_random_yaml_never_breaks_the_reader(words: list[str]) -> None:
    """Text made of YAML's own signs is refused with words too."""
    with pytest.raises(ScenarioError):
        parse_scenario("".join(words))


@pytest.mark.slow
@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_damaged_scenario_is_a_scenario_or_a_scenario_error(data: st.DataObject) -> None:
    """Cutting out, doubling or replacing any piece of a good file never gives anything else."""
    start = data.draw(st.integers(0, len(BASE)))
    end = data.draw(st.integers(start, min(len(BASE), start + 40)))
    piece = data.draw(st.one_of(_WORDS_OF_YAML, st.just(""), st.just(BASE[start:end] * 2), st.text(max_size=5)))
    with contextlib.suppress(ScenarioError):
        assert isinstance(parse_scenario(BASE[:start] + piece + BASE[end:]), Scenario)


_JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.sampled_from(["2ms", "5/s", "9%"])
    ),
    lambda inside: st.one_of(
        st.lists(inside, max_size=3), st.dictionaries(st.sampled_from(["kind", "time", "x"]), inside)
    ),
    max_leaves=5,
)


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(st.data())
def test_any_value_at_any_place_is_a_scenario_or_a_scenario_error(data: st.DataObject) -> None:
    """A scenario built from Python data meets the same checks."""
    document = parse_scenario(BASE).to_document()
    place, key = document, data.draw(st.sampled_from(sorted(document)))
    while isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else list(range(len(place)))))
    place[key] = data.draw(_JSON)
    with contextlib.suppress(ScenarioError):
        assert isinstance(Scenario.model_validate(document), Scenario)
