"""The circuit breaker, step by step, by the rules of resilience4j; and the clients that heed it."""

from __future__ import annotations

import json
from typing import Any

import pytest

import lab
from lab.errors import ScenarioError
from lab.scenario.client import CircuitBreaker as Spec
from lab.scenario.scenario import Scenario
from lab.simulation.circuit_breaker import CircuitBreaker, State
from lab.simulation.clock import Clock
from lab.simulation.log import Log
from lab.simulation.request import Outcome
from tests.unit.backends import live, observe, scenario, service, waiting


def _breaker(**spec: Any) -> tuple[CircuitBreaker, Clock, Log]:
    clock, log = Clock(), Log()
    return CircuitBreaker(clock=clock, log=log, spec=Spec(**spec)), clock, log


def _note(breaker: CircuitBreaker, failed: str) -> None:
    for each in failed:
        breaker.note(each == "x")


class TestClosed:
    """When it opens."""

    def test_the_defaults_are_those_of_resilience4j(self) -> None:
        """A window and a minimum of 100, 50 %, 60 s, 10 attempts."""
        spec = Spec()
        assert (spec.window, spec.minimum, spec.failure_ratio, spec.open_for, spec.half_open) == (100, 100, 0.5, 60, 10)

    def test_below_the_minimum_it_stays_closed(self) -> None:
        """Nine failures of at least ten are no verdict; the tenth is."""
        breaker, _, _ = _breaker(minimum=10)
        _note(breaker, "x" * 9)
        assert breaker.state is State.CLOSED
        _note(breaker, "x")
        assert breaker.state is State.OPEN

    @pytest.mark.parametrize(("ended", "state"), [("xx..", State.OPEN), ("x...", State.CLOSED)])
    def test_the_ratio_itself_is_enough(self, ended: str, state: State) -> None:
        """Half of four opens at 50 %, a quarter does not."""
        breaker, _, _ = _breaker(minimum=4)
        _note(breaker, ended)
        assert breaker.state is state

    def test_only_the_window_counts(self) -> None:
        """Three failures, then enough successes to push them out of a window of four; then half of it failed."""
        breaker, _, _ = _breaker(window=4)
        _note(breaker, "x.....x.")
        assert breaker.state is State.CLOSED
        _note(breaker, "x")
        assert breaker.state is State.OPEN

    def test_the_minimum_never_exceeds_the_window(self) -> None:
        """As in resilience4j: a window of 4 decides after 4 although the minimum is 100."""
        breaker, _, _ = _breaker(window=4, minimum=100)
        _note(breaker, "xxxx")
        assert breaker.state is State.OPEN


class TestOpen:
    """What it lets through then."""

    def test_nothing_passes_until_more_than_the_wait_is_over(self) -> None:
        """At exactly 60 s not yet (resilience4j: isAfter), just after it does."""
        breaker, clock, log = _breaker(window=1)
        _note(breaker, "x")
        clock.run(until=60.0)
        assert not breaker.permits()
        clock.run(until=60.001)
        assert breaker.permits()
        assert breaker.state is State.HALF_OPEN
        assert [(time, kind, json.loads(detail)) for time, _, kind, detail in log.events] == [
            (0.0, "circuit_breaker", {"from": "closed", "to": "open", "failure_ratio": 1.0}),
            (60.001, "circuit_breaker", {"from": "open", "to": "half_open"}),
        ]

    def test_it_opens_no_further_by_itself(self) -> None:
        """Time alone does not make it half open; what ends meanwhile changes nothing."""
        breaker, clock, _ = _breaker(window=1)
        _note(breaker, "x")
        clock.run(until=1000.0)
        _note(breaker, "....")
        assert breaker.state is State.OPEN


class TestHalfOpen:
    """How it decides."""

    @staticmethod
    def _half_open(**spec: Any) -> CircuitBreaker:
        breaker, clock, _ = _breaker(**{"window": 5, "open_for": "1s", "half_open": 3, **spec})
        _note(breaker, "xxxxx")
        clock.run(until=1.5)
        return breaker

    def test_so_many_pass_and_no_more_until_they_have_ended(self) -> None:
        """Three of five are let through."""
        breaker = self._half_open()
        assert [breaker.permits() for _ in range(5)] == [True, True, True, False, False]
        _note(breaker, "..")
        assert not breaker.permits()
        _note(breaker, ".")
        assert breaker.state is State.CLOSED
        assert breaker.permits()

    @pytest.mark.parametrize(("ended", "state"), [("x..", State.CLOSED), ("xx.", State.OPEN), ("..x", State.CLOSED)])
    def test_the_same_ratio_decides(self, ended: str, state: State) -> None:
        """A third failed: closed again; two thirds: open again for the whole wait."""
        breaker = self._half_open()
        assert breaker.permits()
        _note(breaker, ended)
        assert breaker.state is state

    def test_a_smaller_minimum_decides_sooner(self) -> None:
        """After min(minimum, half_open) attempts, as in resilience4j."""
        breaker = self._half_open(minimum=2, half_open=10)
        assert breaker.permits()
        _note(breaker, "..")
        assert breaker.state is State.CLOSED

    def test_closed_again_it_forgets(self) -> None:
        """The old failures are gone: five new ones are needed."""
        breaker = self._half_open()
        assert breaker.permits()
        _note(breaker, "...xxxx")
        assert breaker.state is State.CLOSED
        _note(breaker, "x")
        assert breaker.state is State.OPEN

    def test_late_answers_of_before_count(self) -> None:
        """Answers to what was sent before it opened are counted too, as in resilience4j."""
        breaker = self._half_open()
        assert [breaker.permits(), breaker.permits()] == [True, True]
        _note(breaker, "xxx")
        assert breaker.state is State.OPEN


class TestClients:
    """Clients who heed one."""

    @staticmethod
    def _described(**others: Any) -> Scenario:
        breaker = {"window": 2, "open_for": "10s", "half_open": 1}
        client = {"timeout": "100ms", "circuit_breaker": breaker, **others.pop("client", {})}
        return scenario({"api": service(waiting("1s"))}, client=client, **others)

    def test_what_is_not_sent_is_rejected_at_once(self) -> None:
        """Two timeouts open it at 1.1 s; nothing is sent until one attempt after 11.1 s, which fails too."""
        requests, visits = observe(self._described(), [0.0, 1.0, 2.0, 11.0, 11.2, 11.25, 12.0])
        assert requests["outcome"].tolist() == ["timeout"] * 2 + ["rejected"] * 2 + ["timeout"] + ["rejected"] * 2
        assert requests["attempts"].tolist() == [1, 1, 0, 0, 1, 0, 0]
        assert requests["sojourn_time_s"].tolist() == pytest.approx([0.1, 0.1, 0, 0, 0.1, 0, 0])
        assert visits["request"].tolist() == [0, 1, 4]

    def test_a_retry_that_is_held_back_ends_the_request_as_it_was(self) -> None:
        """The second timeout opens it, so the third attempt is never sent: a timeout after two attempts."""
        client = {"retry": {"attempts": 5, "backoff": {"kind": "constant", "delay": "1s"}}}
        requests, _ = observe(self._described(client=client), [0.0])
        assert requests["outcome"].tolist() == ["timeout"]
        assert requests["attempts"].tolist() == [2]
        assert requests["end_s"].tolist() == pytest.approx([2.2])

    def test_rejections_and_errors_are_failures_too(self) -> None:
        """A replica without room rejects: two of three failed, and the fourth is not sent."""
        described = self._described(client={"timeout": None, "circuit_breaker": {"window": 3, "open_for": "10s"}})
        described = described.with_({"components.api.concurrency": 1, "components.api.backlog": 0})
        requests, _ = observe(described, [0.0, 0.1, 0.2, 2.0])
        assert requests["outcome"].tolist() == [Outcome.OK, "rejected", "rejected", "rejected"]
        assert requests["attempts"].tolist() == [1, 1, 1, 0]

    def test_each_user_may_have_one_of_their_own(self) -> None:
        """Shared, one user's failures stop all; per client, each has to fail for itself; events tell whose it is."""
        workload = {
            "kind": "closed",
            "population": 2,
            "think_time": "1s",
            "ramp_up": "1s",
            "endpoints": {"get": "100%"},
        }
        sent = {}
        for scope in ("shared", "per_client"):
            breaker = {"window": 2, "open_for": "50s", "half_open": 1, "scope": scope}
            described = self._described(client={"circuit_breaker": breaker}, workload=workload, run={"duration": "10s"})
            requests, observed = live(described)
            sent[scope] = requests["attempts"].sum(), len(observed.events["kind"])
        assert sent == {"shared": (2, 1), "per_client": (4, 2)}
        assert sorted(json.loads(each)["client"] for each in observed.events["detail"]) == [0, 1]


class TestOnCalls:
    """A service that stops calling another."""

    @staticmethod
    def _called(starts_s: list[float], **breaker: Any) -> tuple[list[str], int]:
        """Return how the requests end, and how often a callee was called that takes 100 ms where 50 ms are waited."""
        call = {"kind": "call", "target": "leaf", "endpoint": "get", "timeout": "50ms", "circuit_breaker": breaker}
        described = scenario({"api": service(call), "leaf": service(waiting("100ms"))})
        requests, visits = observe(described, starts_s)
        return requests["outcome"].tolist(), int((visits["component"] == "leaf").sum())

    def test_what_it_refuses_fails_and_is_not_called(self) -> None:
        """Two time out and open it; two are refused; after 1 s the next is tried, and opens it again."""
        breaker = {"window": 2, "minimum": 1, "failure_ratio": "100%", "open_for": "1s", "half_open": 1}
        outcomes, calls = self._called([1.0, 2.0, 2.5, 3.5, 3.6], **breaker)
        assert outcomes == ["error"] * 5
        assert calls == 3

    def test_its_changes_are_noted_of_the_service(self) -> None:
        """With the number of the process whose breaker it is."""
        call = {"kind": "call", "target": "leaf", "endpoint": "get", "timeout": "50ms"}
        described = scenario(
            {
                "api": service({**call, "circuit_breaker": {"window": 1, "minimum": 1}}),
                "leaf": service(waiting("100ms")),
            },
            run={"duration": "5s"},
        )
        events = lab.simulate(described, progress=False).events
        first = events.iloc[0]
        assert (first["component"], first["kind"]) == ("api", "circuit_breaker")
        assert json.loads(first["detail"]) == {"failure_ratio": 1.0, "from": "closed", "process": 0, "to": "open"}

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"hedge": {"after": "10ms"}}, "hedge stands beside circuit_breaker"),
            ({"circuit_breaker": {"scope": "per_client"}}, "per_client has no effect on a call"),
        ],
    )
    def test_what_does_not_go_together_is_refused(self, change: dict[str, Any], says: str) -> None:
        """A breaker counts whole calls, and each process has one."""
        step = {"kind": "call", "target": "leaf", "endpoint": "get", "circuit_breaker": {}, **change}
        with pytest.raises(ScenarioError, match=says):
            scenario({"api": service(step), "leaf": service(waiting("1ms"))})
