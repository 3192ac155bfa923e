"""Parallel steps that do not wait for all, and calls that are not waited for for ever: every time by hand."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import lab
from lab.scenario.bounded import queue_is_bounded
from lab.scenario.demand_counts import endpoint_demands
from lab.scenario.demands import demand_slots
from lab.scenario.hits import visits as mean_visits
from lab.scenario.places import Place
from lab.validation.fan_out_laws import broken_fan_out_laws
from lab.validation.laws import broken_laws
from tests.unit.backends import observe, scenario, service, waiting


def _parallel(*times: str, **how: Any) -> dict[str, Any]:
    return {"kind": "parallel", "branches": [[waiting(time)] for time in times], **how}


def _call(endpoint: str = "get", **how: Any) -> dict[str, Any]:
    return {"kind": "call", "target": "leaf", "endpoint": endpoint, **how}


def _took_s(step: dict[str, Any], **parts: Any) -> tuple[str, float, pd.DataFrame]:
    """Return how a request at 0 s ended, after which time, and its visits."""
    requests, visits = observe(scenario({"api": service(step), **parts}), [0.0])
    return requests["outcome"][0], requests["sojourn_time_s"][0], visits


def _endings(visits: pd.DataFrame) -> list[str]:
    return visits.loc[visits["component"] == "api.parallel", "operation"].tolist()


class TestWaitFor:
    """How many branches are waited for."""

    @pytest.mark.parametrize(
        ("wait_for", "took_s"), [("all", 0.4), (4, 0.4), ("quorum", 0.3), (2, 0.2), ("first", 0.1), (1, 0.1)]
    )
    def test_it_goes_on_with_the_kth_good_branch(self, wait_for: Any, took_s: float) -> None:
        """Branches of 100, 200, 300 and 400 ms: a quorum of four is three."""
        step = _parallel("300ms", "100ms", "400ms", "200ms", wait_for=wait_for)
        outcome, took, _ = _took_s(step)
        assert (outcome, took) == ("ok", pytest.approx(took_s))

    def test_the_others_work_on_in_rows_of_their_own(self) -> None:
        """The answer leaves after 100 ms, its slot is free, and the second branch goes on to 400 ms."""
        _, _, visits = _took_s(_parallel("100ms", "400ms", wait_for="first"))
        left = visits.set_index("component")["departure_s"]
        assert left["api"] == pytest.approx(0.1)
        assert left["api.parallel"] == pytest.approx(0.1)
        assert sorted(left["api.branches"]) == pytest.approx([0.1, 0.4])
        own_s = visits.groupby("component")["service_time_s"].sum()
        assert own_s["api"] == 0
        assert own_s["api.branches"] == pytest.approx(0.5)

    def test_what_is_left_behind_holds_what_it_holds(self) -> None:
        """The slow branch keeps the leaf's only slot: the second request's calls wait behind it."""
        step = {"kind": "parallel", "branches": [[waiting("10ms")], [_call()]], "wait_for": "first"}
        leaf = service(waiting("300ms"), concurrency=1)
        requests, visits = observe(scenario({"api": service(step), "leaf": leaf}), [0.0, 0.1])
        assert requests["sojourn_time_s"].tolist() == pytest.approx([0.01, 0.01])
        assert visits.loc[visits["component"] == "leaf", "waiting_time_s"].tolist() == pytest.approx([0.0, 0.2])

    def test_steps_of_a_branch_left_behind_are_done(self) -> None:
        """It computes after its wait, while nobody waits for it."""
        slow = [waiting("50ms"), {"kind": "cpu", "time": "5ms"}]
        step = {"kind": "parallel", "branches": [[waiting("10ms")], slow], "wait_for": "first"}
        _, _, visits = _took_s(step)
        computed = visits[visits["component"] == "api.event_loop"]
        assert computed["arrival_s"].tolist() == pytest.approx([0.05])
        assert visits["departure_s"].max() == pytest.approx(0.055)

    def test_a_plain_parallel_step_leaves_no_rows(self) -> None:
        """All is waited for: as it always was, and as quick."""
        _, _, visits = _took_s(_parallel("10ms", "20ms", wait_for="all"))
        assert visits["component"].tolist() == ["api"]


class TestFailures:
    """What failed and late branches do."""

    FULL: Any = service(waiting("1s"), concurrency=1, backlog=0)

    def _step(self, *, good: int, failing: int, **how: Any) -> dict[str, Any]:
        """Good branches of 100, 200, ... ms, and some that are turned away at once."""
        branches = [[waiting(f"{100 * number}ms")] for number in range(1, good + 1)] + [[_call()]] * failing
        return {"kind": "parallel", "branches": branches, **how}

    def _taken(self, step: dict[str, Any]) -> tuple[str, float, str]:
        """The leaf's slot is taken by a request of its own, a moment earlier."""
        api = {"kind": "service", "endpoints": {"get": [step], "occupy": [_call()]}}
        described = scenario({"api": api, "leaf": self.FULL})
        requests, visits = observe(described, [0.0, 0.1], endpoints=["occupy", "get"])
        return requests["outcome"][1], requests["sojourn_time_s"][1], _endings(visits)[0]

    @pytest.mark.parametrize(
        ("how", "ends"),
        [
            ({"wait_for": 2}, ("ok", 0.2, "full")),
            ({"wait_for": 3}, ("ok", 0.3, "full")),
            ({"wait_for": 4}, ("error", 0.0, "failed")),  # at once: four good ones are out of reach
            ({"wait_for": 4, "on_failure": "partial"}, ("ok", 0.3, "partial")),  # waits for the rest
            ({"on_failure": "partial"}, ("ok", 0.3, "partial")),
            ({"timeout": "250ms", "on_failure": "fail"}, ("error", 0.25, "failed")),
            ({"timeout": "250ms", "on_failure": "partial"}, ("ok", 0.25, "partial")),
            ({"timeout": "50ms", "on_failure": "partial"}, ("error", 0.05, "failed")),  # of nothing no answer
        ],
        ids=str,
    )
    def test_three_good_branches_and_two_that_fail(self, how: dict[str, Any], ends: tuple[str, float, str]) -> None:
        """Good ones after 100, 200 and 300 ms."""
        outcome, took_s, ending = self._taken(self._step(good=3, failing=2, **how))
        assert (outcome, pytest.approx(took_s), ending) == ends

    def test_a_late_branch_is_a_timeout_when_it_ends(self) -> None:
        """It counts as failed at 200 ms, and works on to 500 ms."""
        outcome, took_s, visits = _took_s(_parallel("100ms", "500ms", timeout="200ms", on_failure="partial"))
        assert (outcome, took_s) == ("ok", pytest.approx(0.2))
        rows = visits[visits["component"] == "api.branches"]
        assert rows["outcome"].tolist() == ["ok", "timeout"]
        assert rows["departure_s"].tolist() == pytest.approx([0.1, 0.5])

    def test_a_branch_that_ends_at_the_timeout_counts(self) -> None:
        """And so does one that ends when the step is decided."""
        outcome, took_s, visits = _took_s(_parallel("100ms", "200ms", timeout="200ms"))
        assert (outcome, took_s, _endings(visits)) == ("ok", pytest.approx(0.2), ["full"])

    def test_the_share_of_full_answers_can_be_counted(self) -> None:
        """The second request's second branch finds the leaf taken: one answer of two is partial."""
        step = {"kind": "parallel", "branches": [[waiting("10ms")], [_call()]], "on_failure": "partial"}
        requests, visits = observe(scenario({"api": service(step), "leaf": self.FULL}), [0.0, 0.5])
        assert requests["outcome"].tolist() == ["ok", "ok"]
        assert _endings(visits) == ["full", "partial"]


class TestCopies:
    """One branch, done so many times at once."""

    def test_each_copy_draws_for_itself(self) -> None:
        """Five calls of a leaf with random times."""
        leaf = service(waiting("1ms") | {"time": {"kind": "exponential", "mean": "50ms"}})
        step = {"kind": "parallel", "branches": [[_call()]], "copies": 5}
        _, took_s, visits = _took_s(step, leaf=leaf)
        times_s = visits.loc[visits["component"] == "leaf", "service_time_s"]
        assert times_s.nunique() == 5
        assert took_s == pytest.approx(times_s.max())

    def test_copies_are_as_if_they_were_written(self) -> None:
        """The same draws at the same addresses, and the same arithmetic."""
        work = [_call(), waiting("2ms")]
        parts = {"leaf": service(waiting("1ms") | {"time": {"kind": "exponential", "mean": "50ms"}})}
        short = scenario({"api": service({"kind": "parallel", "branches": [work], "copies": 3}), **parts})
        long = scenario({"api": service({"kind": "parallel", "branches": [work] * 3}), **parts})
        assert demand_slots(short, "get") == demand_slots(long, "get")
        assert endpoint_demands(short, "api", "get") == 6
        assert mean_visits(short, hit_ratios={}) == mean_visits(long, hit_ratios={})
        assert observe(short, [0.0])[0].equals(observe(long, [0.0])[0])

    def test_the_arithmetic_counts_all_work_and_waits_for_enough(self) -> None:
        """Of 10, 20 and 90 ms twice each, the fourth shortest is 20 ms; six calls are made."""
        branches = [[_call(f"get_{time}")] for time in ("90ms", "10ms", "20ms")]
        leaf = {"kind": "service", "endpoints": {f"get_{time}": [waiting(time)] for time in ("90ms", "10ms", "20ms")}}
        step = {"kind": "parallel", "branches": branches, "copies": 2, "wait_for": 4}
        seen = mean_visits(scenario({"api": service(step), "leaf": leaf}), hit_ratios={})
        assert seen.response_time_s == pytest.approx(0.02)
        assert seen.count[Place(component="leaf", resource="slots")] == 6
        assert "call get_10ms x 2" in lab.mermaid(scenario({"api": service(step), "leaf": leaf}))


class TestCallTimeout:
    """A call that is not waited for for ever."""

    LEAF: Any = service(waiting("100ms"), concurrency=1)

    def test_it_fails_the_step_and_the_callee_works_on(self) -> None:
        """The caller goes on after 50 ms, the leaf's slot is taken for 100 ms."""
        requests, visits = observe(scenario({"api": service(_call(timeout="50ms")), "leaf": self.LEAF}), [0.0, 0.06])
        assert requests["outcome"].tolist() == ["error", "error"]
        assert requests["sojourn_time_s"].tolist() == pytest.approx([0.05, 0.05])
        leaf = visits[visits["component"] == "leaf"]
        assert leaf["departure_s"].tolist() == pytest.approx([0.1, 0.2])
        assert leaf["outcome"].tolist() == ["ok", "ok"]

    @pytest.mark.parametrize(("timeout", "outcome"), [("100ms", "ok"), ("99ms", "error"), (None, "ok")])
    def test_an_answer_at_the_timeout_counts(self, timeout: str | None, outcome: str) -> None:
        """The leaf takes 100 ms."""
        assert _took_s(_call(timeout=timeout), leaf=self.LEAF)[0] == outcome

    def test_it_bounds_a_branch_of_its_own(self) -> None:
        """Two calls with different patience, and an answer without the slow one."""
        branches = [[_call(timeout="300ms")], [_call(timeout="150ms")]]
        step = {"kind": "parallel", "branches": branches, "on_failure": "partial"}
        outcome, took_s, visits = _took_s(step, leaf=self.LEAF)
        assert (outcome, took_s, _endings(visits)) == ("ok", pytest.approx(0.15), ["partial"])


@pytest.mark.parametrize(
    ("step", "bounded"),
    [
        (_call(), True),
        (_call(timeout="1s"), False),
        (_call(hedge={"after": "1s"}), False),
        ({"kind": "parallel", "branches": [[_call()]], "copies": 2}, True),
        ({"kind": "parallel", "branches": [[_call()]], "copies": 2, "wait_for": "first"}, False),
    ],
    ids=str,
)
def test_a_caller_that_does_not_wait_bounds_no_queue(step: dict[str, Any], bounded: bool) -> None:
    """However few requests it works on at once, what it left behind is still there."""
    described = scenario(
        {"api": service(step, concurrency=2, backlog=2), "leaf": service(waiting("1s"), concurrency=1)}
    )
    assert queue_is_bounded(described, Place(component="leaf", resource="slots")) is bounded


def _wide(**how: Any) -> lab.Scenario:
    leaf = service(waiting("1ms") | {"time": {"kind": "exponential", "mean": "20ms"}}, concurrency=3)
    step = {"kind": "parallel", "branches": [[_call()]], "copies": 4, **how}
    return scenario(
        {"api": service(step, concurrency=2), "leaf": leaf},
        workload={"kind": "open", "arrival_rate": "40/s", "endpoints": {"get": "100%"}},
        run={"duration": "20s", "replications": 2},
    )


class TestLaws:
    """They hold, and can be broken."""

    def test_a_true_run_keeps_them(self) -> None:
        """Quorum, timeouts and partial answers, under load."""
        described = _wide(wait_for=3, timeout="60ms", on_failure="partial")
        run = lab.simulate(described, progress=False, allow_unstable=True)
        endings = run.visits.loc[run.visits["component"] == "api.parallel", "operation"].value_counts()
        assert endings[["full", "partial"]].min() > 20
        assert broken_laws(run) == []

    @pytest.mark.slow
    def test_the_share_of_full_answers_is_a_figure(self) -> None:
        """Of whole and of summary Runs, over time, and it can be judged."""
        wanted = {"metric": "full_answer_ratio", "component": "api"}
        described = _wide(wait_for=3, timeout="60ms", on_failure="partial").with_(
            {"objectives": [{**wanted, "at_least": "1%"}, {**wanted, "at_least": "100%"}]}
        )
        run, short = (
            lab.simulate(described, progress=False, allow_unstable=True, keep=keep) for keep in ("all", "summary")
        )
        taken = run.visits[(run.visits["component"] == "api.parallel") & run.visits["departure_s"].notna()]
        full = (taken["operation"] == "full").groupby(taken["replication"]).mean()
        assert run.value("full_answer_ratio", "api") == pytest.approx(full.mean())
        assert short.value("full_answer_ratio", "api") == pytest.approx(full.mean())
        assert [each.met for each in short.objectives()] == [True, False]
        over_time = run.timeline(5.0).query("metric == 'full_answer_ratio'")
        assert set(over_time["subject"]) == {"api"}

    @pytest.mark.parametrize(
        ("promised", "says"),
        [
            ({"wait_for": 4, "timeout": "60ms", "on_failure": "partial"}, "say full with fewer than 4"),
            ({"wait_for": 2, "timeout": "60ms", "on_failure": "partial"}, "or the reverse"),
            ({"wait_for": 3, "timeout": "30ms", "on_failure": "partial"}, "longer than its branches may"),
            ({"wait_for": 3, "timeout": "60ms"}, "which no step there allows"),
            ({"wait_for": 3, "timeout": "60ms", "on_failure": "partial", "copies": 5}, "of 5 to 5 branches"),
        ],
        ids=str,
    )
    def test_had_it_promised_otherwise_it_would_break_one(self, promised: dict[str, Any], says: str) -> None:
        """The same run, judged by another scenario."""
        run = lab.simulate(_wide(wait_for=3, timeout="60ms", on_failure="partial"), progress=False, allow_unstable=True)
        assert any(says in said for said in broken_fan_out_laws(_wide(**promised), run.visits))


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (_parallel("1ms"), "one branch alone is nothing parallel"),
        (_parallel("1ms", "2ms", wait_for=3), "wait_for is 3, but there are 2 branches"),
        (_parallel("1ms", "2ms", wait_for="first", on_failure="partial"), "partial has no effect"),
        (_parallel("1ms", "2ms", wait_for="most"), "wait_for"),
        (_parallel("1ms", "2ms", copies=0), "copies: 0 is out of range"),
        (_parallel("1ms", "2ms", timeout="0s"), "must be more than 0"),
        (_parallel("1ms", "2ms", copies=400), "leads to 800 timed steps"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_makes_no_sense_is_refused(step: dict[str, Any], says: str) -> None:
    """With the place and the reason."""
    fine = scenario({"api": service(_parallel("1ms", "2ms"))})
    with pytest.raises(lab.errors.ScenarioError) as caught:
        fine.with_({"components.api.endpoints.get.0": step})
    assert any("components.api.endpoints.get" in said and says in said for said in caught.value.problems), caught.value


def test_full_answers_are_judged_where_there_may_be_others() -> None:
    """A step that waits for all gets all or fails."""
    fine = scenario({"api": service(_parallel("1ms", "2ms"))})
    objective = {"metric": "full_answer_ratio", "component": "api", "at_least": "99%"}
    with pytest.raises(lab.errors.ScenarioError, match="no parallel step that could get less than all"):
        fine.with_({"objectives": [objective]})
    with pytest.raises(lab.errors.ScenarioError, match="names the cache of a hit_ratio or the service"):
        fine.with_({"objectives": [{"metric": "full_answer_ratio", "at_least": "99%"}]})
