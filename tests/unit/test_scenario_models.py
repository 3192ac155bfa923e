"""Variants, curves of arrivals, waits between attempts, and scenarios built in Python."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from lab.distributions import Exponential
from lab.errors import ScenarioError
from lab.scenario.arrivals import ArrivalRate, rate_points
from lab.scenario.client import ConstantBackoff, ExponentialBackoff, backoff_delay_s
from lab.scenario.components import Service
from lab.scenario.reader import parse_scenario
from lab.scenario.scenario import RunSpec, Scenario
from lab.scenario.steps import CpuStep, walk
from lab.scenario.workload import OpenWorkload
from tests.unit.malformed import BASE

_RATE: TypeAdapter[ArrivalRate] = TypeAdapter(ArrivalRate)


class TestVariants:
    """A variant is a scenario with some values replaced."""

    def test_values_are_replaced_and_the_original_stays(self) -> None:
        """By dotted path, list items by number, several at once."""
        base = parse_scenario(BASE)
        variant = base.with_(
            {
                "components.api.replicas": 4,
                "components.api.endpoints.read_item.1.time": {"kind": "exponential", "mean": "9ms"},
                "client.timeout": None,
            }
        )
        api = variant.components["api"]
        assert isinstance(api, Service)
        assert (api.replicas, variant.client.timeout) == (4, None)
        assert api.endpoints["read_item"][1].time == Exponential(mean="9ms")
        assert base == parse_scenario(BASE)

    def test_no_change_is_the_same_scenario(self) -> None:
        """Equal, and so is every value set to itself."""
        base = parse_scenario(BASE)
        assert base.with_({}) == base
        document = base.to_document()
        assert base.with_({key: document[key] for key in document}) == base

    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"components.apj.replicas": 4}, "components.apj: there is no 'apj' here (there are: edge, api, profiles"),
            ({"components.api.replica": 4}, "components.api.replica: there is no 'replica' here"),
            ({"run.duration.s": 4}, "there is no 's' here (there are: a plain value, without keys)"),
            (
                {"objectives.7.at_most": "1s"},
                "objectives.7: a list of 2 items has no item '7'; write its number, from 0",
            ),
            ({"objectives.²": None}, "has no item '²'"),
            ({"components.api.replicas": 0}, "components.api.replicas: 0 is out of range: it must be 1 or more"),
            ({"entry": "nobody"}, "entry: 'nobody' is not a load balancer or service"),
            (
                {"client.retry": {"attempts": 2, "hedging": "10%"}},
                "client.retry.hedging: the lab does not model 'hedging'",
            ),
            ({"run.duration": 5}, "run.duration: 5 has no unit"),
        ],
        ids=str,
    )
    def test_what_cannot_be_is_explained_in_the_reader_s_words(self, changes: dict[str, Any], says: str) -> None:
        """Wrong paths and wrong values."""
        with pytest.raises(ScenarioError) as caught:
            parse_scenario(BASE).with_(changes)
        assert any(says in problem for problem in caught.value.problems), str(caught.value)


class TestPython:
    """The same objects, with the same names, built in Python."""

    def test_specs_and_dicts_build_equal_scenarios(self) -> None:
        """Objects inside, plain data inside: no difference."""
        step = CpuStep(kind="cpu", time=Exponential(mean="1ms"))
        built = Scenario(
            name="built",
            workload=OpenWorkload(kind="open", arrival_rate="5/s", endpoints={"get": "100%"}),
            entry="api",
            components={"api": Service(kind="service", endpoints={"get": [step]})},
            run=RunSpec(duration="10s"),
        )
        assert Scenario.model_validate(built.to_document()) == built

    def test_mistakes_are_scenario_errors_too(self) -> None:
        """Never pydantic's own."""
        with pytest.raises(ScenarioError, match=r"(?m)^workload: is missing; add it \(Who asks for what, when.\)$"):
            Scenario(name="empty", entry="api", components={}, run=RunSpec(duration="1s"))  # type: ignore[call-arg]

    def test_a_scenario_is_frozen(self) -> None:
        """Variants are new objects."""
        with pytest.raises(ValidationError, match="frozen"):
            parse_scenario(BASE).name = "other"  # type: ignore[misc]

    def test_walk_yields_nested_steps_in_written_order(self) -> None:
        """Miss steps and branches included."""
        components = parse_scenario(BASE).components
        api, profiles = components["api"], components["profiles"]
        assert isinstance(api, Service)
        assert isinstance(profiles, Service)
        assert [step.kind for step in walk(api.endpoints["read_item"])] == ["cpu", "wait", "cached", "query"]
        assert [step.kind for step in walk(profiles.endpoints["touch"])] == ["parallel", "cpu", "wait"]


class TestArrivalRates:
    """Curves as corner points."""

    @pytest.mark.parametrize(
        ("spec", "points"),
        [
            ("5/s", [(0, 5), (100, 5)]),
            ({"kind": "ramp", "start": "0/s", "end": "10/s", "over": "50s"}, [(0, 0), (50, 10), (100, 10)]),
            ({"kind": "ramp", "start": "0/s", "end": "10/s", "over": "200s"}, [(0, 0), (100, 5)]),
            (
                {"kind": "steps", "steps": [{"at": "0s", "rate": "1/s"}, {"at": "60s", "rate": "2/s"}]},
                [(0, 1), (60, 1), (60, 2), (100, 2)],
            ),
            (
                {"kind": "spike", "base": "1/s", "peak": "9/s", "at": "10s", "rise": "5s", "hold": "20s", "fall": "5s"},
                [(0, 1), (10, 1), (15, 9), (35, 9), (40, 1), (100, 1)],
            ),
            (
                {"kind": "spike", "base": "1/s", "peak": "9/s", "at": "98s", "rise": "4s", "hold": "1s", "fall": "0s"},
                [(0, 1), (98, 1), (100, 5)],
            ),
        ],
        ids=["constant", "ramp", "ramp cut", "steps", "spike", "spike cut"],
    )
    def test_corner_points(self, spec: object, points: list[tuple[float, float]]) -> None:
        """Straight lines between them, cut at the end of the run."""
        assert rate_points(_RATE.validate_python(spec), 100.0) == points

    @given(at=st.integers(0, 200), rise=st.integers(0, 50), hold=st.integers(0, 50), fall=st.integers(0, 50))
    def test_points_cover_the_run_in_order(self, at: int, rise: int, hold: int, fall: int) -> None:
        """From 0 to the end, never back, between base and peak."""
        spec = {"kind": "spike", "base": "2/s", "peak": "8/s"}
        spec |= {"at": f"{at}s", "rise": f"{rise}s", "hold": f"{hold}s", "fall": f"{fall}s"}
        points = rate_points(_RATE.validate_python(spec), 100.0)
        times = [time_s for time_s, _ in points]
        assert (times[0], times[-1]) == (0.0, 100.0)
        assert times == sorted(times)
        assert all(2 <= level <= 8 for _, level in points)

    @pytest.mark.parametrize(
        "steps",
        [[{"at": "1s", "rate": "1/s"}], [{"at": "0s", "rate": "1/s"}, {"at": "0s", "rate": "2/s"}], []],
        ids=str,
    )
    def test_staircases_begin_at_0_and_go_on(self, steps: list[dict[str, str]]) -> None:
        """Else a rate is unknown, or two are known."""
        with pytest.raises(ValidationError):
            _RATE.validate_python({"kind": "steps", "steps": steps})


class TestBackoff:
    """Waits between attempts."""

    def test_exponential_waits_double_up_to_the_cap(self) -> None:
        """100, 200, 400, 500, 500 ms without jitter."""
        backoff = ExponentialBackoff(base="100ms", cap="500ms", jitter="none")
        waits = [backoff_delay_s(backoff, retry=retry, uniform=0.3) for retry in range(1, 6)]
        assert waits == pytest.approx([0.1, 0.2, 0.4, 0.5, 0.5])

    def test_waits_grow_by_the_factor(self) -> None:
        """Threefold: 100, 300, 900 ms."""
        backoff = ExponentialBackoff(base="100ms", cap="10s", factor=3, jitter="none")
        waits = [backoff_delay_s(backoff, retry=retry, uniform=0.3) for retry in range(1, 4)]
        assert waits == pytest.approx([0.1, 0.3, 0.9])

    @pytest.mark.parametrize(("jitter", "wait_s"), [("none", 0.4), ("full", 0.1), ("equal", 0.25)])
    def test_jitter_spreads_the_wait(self, jitter: Any, wait_s: float) -> None:
        """Full over all of it, equal over its upper half."""
        backoff = ConstantBackoff(delay="400ms", jitter=jitter)
        assert backoff_delay_s(backoff, retry=1, uniform=0.25) == pytest.approx(wait_s)
