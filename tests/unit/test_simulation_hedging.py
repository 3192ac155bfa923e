"""Hedged requests: when copies are sent, what they cost, and what is left behind; every time by hand."""

from __future__ import annotations

from typing import Any

import pytest

import lab
from lab.simulation.request import Handling
from tests.unit.backends import live, observe, scenario, service, waiting


def _serving(*times_s: float | None) -> dict[str, Any]:
    """A part that takes the k-th of these times for the k-th copy of each request; None: it fails after 10 ms."""

    class Each:
        def __init__(self, context: lab.Context) -> None:
            self._context = context

        def handle(self, request: lab.Request) -> Handling:
            clock, time_s = self._context.clock, times_s[request.attempt]
            visit = self._context.log.open_visit(request, self._context.name, 0, clock.now)
            visit.admit(clock.now)
            visit.service_time_s = 0.01 if time_s is None else time_s
            yield clock.timeout(visit.service_time_s)
            return visit.close(clock.now, lab.Outcome.ERROR if time_s is None else lab.Outcome.OK)

    return {"api": Each}


def _asked(*times_s: float | None, starts_s: tuple[float, ...] = (1.0,), **client: Any) -> Any:
    """Return the requests and visits of clients who hedge, before a part with these times."""
    described = scenario({"api": service(waiting("1ms"))}, client=client)
    return observe(described, list(starts_s), own=_serving(*times_s))


class TestCopies:
    """When a further copy is sent."""

    @pytest.mark.parametrize(
        ("times_s", "took_s", "attempts"),
        [
            ((0.05, 9.0), 0.05, 1),  # answered in time
            ((0.1, 9.0), 0.1, 1),  # at the very time
            ((0.9, 0.2), 0.3, 2),  # the copy wins
            ((0.15, 0.2), 0.15, 2),  # the first wins after all
        ],
    )
    def test_the_first_good_answer_counts(self, times_s: tuple[float, ...], took_s: float, attempts: int) -> None:
        """A copy is sent after 100 ms."""
        requests, visits = _asked(*times_s, hedge={"after": "100ms"})
        assert requests["outcome"].tolist() == ["ok"]
        assert requests["sojourn_time_s"].tolist() == pytest.approx([took_s])
        assert requests["attempts"].tolist() == [attempts]
        assert visits["arrival_s"].tolist() == pytest.approx([1.0, 1.1][:attempts])

    def test_each_copy_is_sent_after_the_one_before_it(self) -> None:
        """Three copies, 100 ms apart; the third answers first."""
        requests, visits = _asked(9.0, 9.0, 0.05, hedge={"after": "100ms", "attempts": 3})
        assert requests["sojourn_time_s"].tolist() == pytest.approx([0.25])
        assert visits["arrival_s"].tolist() == pytest.approx([1.0, 1.1, 1.2])

    def test_what_is_left_behind_is_done_for_nobody(self) -> None:
        """The slow copy ends 600 ms after its client has gone, and is marked as abandoned."""
        _, visits = _asked(0.9, 0.2, hedge={"after": "100ms"})
        assert visits["departure_s"].tolist() == pytest.approx([1.9, 1.3])
        assert visits["abandoned"].tolist() == [True, False]

    def test_a_copy_that_fails_is_followed_at_once(self) -> None:
        """The first fails after 10 ms, the second takes 200 ms; the third comes 100 ms after the second."""
        requests, visits = _asked(None, 0.2, 9.0, hedge={"after": "100ms", "attempts": 3})
        assert visits["arrival_s"].tolist() == pytest.approx([1.0, 1.01, 1.11])
        assert requests["sojourn_time_s"].tolist() == pytest.approx([0.21])

    def test_when_all_have_failed_it_ends_as_the_last_one_did(self) -> None:
        """Two failures of 10 ms each; while one is under way it is waited for."""
        requests, _ = _asked(None, None, hedge={"after": "100ms"})
        assert (requests["outcome"][0], requests["sojourn_time_s"][0]) == ("error", pytest.approx(0.02))
        requests, _ = _asked(0.5, None, hedge={"after": "100ms"})
        assert (requests["outcome"][0], requests["sojourn_time_s"][0]) == ("ok", pytest.approx(0.5))

    def test_each_copy_draws_for_itself(self) -> None:
        """At the address of its attempt, as retries do."""
        leaf = service({"kind": "wait", "time": {"kind": "exponential", "mean": "5s"}})
        _, visits = observe(scenario({"api": leaf}, client={"hedge": {"after": "1ms", "attempts": 4}}), [0.0])
        assert visits["attempt"].tolist() == [0, 1, 2, 3]
        assert visits["service_time_s"].nunique() == 4


class TestPatience:
    """Timeouts are those of each copy, the deadline is that of the request."""

    def test_a_copy_that_times_out_is_followed_at_once(self) -> None:
        """Copies of 300 ms patience at 0 and 100 ms; at 300 ms the first is given up and the third sent."""
        client = {"timeout": "300ms", "hedge": {"after": "250ms", "attempts": 3}}
        requests, visits = _asked(9.0, 9.0, 9.0, **client)
        assert visits["arrival_s"].tolist() == pytest.approx([1.0, 1.25, 1.3])
        assert (requests["outcome"][0], requests["sojourn_time_s"][0]) == ("timeout", pytest.approx(0.6))

    def test_the_deadline_ends_all_copies(self) -> None:
        """Both are abandoned."""
        requests, visits = _asked(9.0, 9.0, deadline="400ms", hedge={"after": "100ms"})
        assert (requests["outcome"][0], requests["sojourn_time_s"][0]) == ("timeout", pytest.approx(0.4))
        assert visits["abandoned"].tolist() == [True, True]

    def test_a_balancer_that_heeds_it_drops_the_copy_that_lost(self) -> None:
        """At 600 ms the first request is answered: the place goes to the second, and its own copy leaves the line.

        The second one's copy is next in line when that is answered, so it has the place before anybody knows.
        """
        edge = {"kind": "load_balancer", "targets": "api", "max_connections_per_server": 1, "queue_timeout": "50s"}
        parts = {"edge": edge | {"abort_on_close": True}, "api": service(waiting("600ms"))}
        described = scenario(parts, entry="edge", client={"hedge": {"after": "100ms"}})
        requests, visits = observe(described, [0.0, 0.05])
        assert requests["sojourn_time_s"].tolist() == pytest.approx([0.6, 1.15])
        at_edge = visits[visits["component"] == "edge"].set_index(["request", "attempt"]).sort_index()
        assert at_edge["outcome"].tolist() == ["ok", "timeout", "ok", "ok"]
        assert at_edge["departure_s"].tolist() == pytest.approx([0.6, 0.6, 1.2, 1.8])
        assert at_edge["abandoned"].tolist() == [False, False, False, True]

    @pytest.mark.parametrize("kind", ["nginx", "envoy"])
    def test_a_proxy_that_heeds_it_lets_the_copy_that_lost_go(self, kind: str) -> None:
        """It closes its side of the exchange at 600 ms; the service works on to 700 ms."""
        edge = {"kind": kind, "targets": "api", "algorithm": "round_robin"}
        described = scenario(
            {"edge": edge, "api": service(waiting("600ms"), replicas=2)},
            entry="edge",
            client={"hedge": {"after": "100ms"}},
        )
        _, visits = observe(described, [0.0])
        ends = visits.set_index(["component", "attempt"])["departure_s"]
        assert ends["edge"].tolist() == pytest.approx([0.6, 0.6])
        assert sorted(ends["api"]) == pytest.approx([0.6, 0.7])

    def test_the_round_trip_is_that_of_each_copy(self) -> None:
        """20 ms on top of both."""
        requests, visits = _asked(9.0, 0.2, round_trip="20ms", hedge={"after": "100ms"})
        assert requests["sojourn_time_s"].tolist() == pytest.approx([0.32])
        assert (visits["component"] == "client").sum() == 2


class TestBounds:
    """What keeps copies from being sent."""

    def test_a_budget_pays_for_copies(self) -> None:
        """Two are saved at the start, and each request puts half of one in: of eight requests 2 + 4 are hedged."""
        hedge = {"after": "100ms", "budget": {"ratio": "50%", "burst": 2}}
        requests, _ = _asked(0.5, 0.5, starts_s=tuple(map(float, range(8))), hedge=hedge)
        assert requests["attempts"].tolist() == [2, 2, 2, 1, 2, 1, 2, 1]

    def test_failures_stop_it_as_in_grpc(self) -> None:
        """Of four tokens each request takes two: at two there are no more copies; each good answer puts one back."""
        hedge = {"after": "100ms", "throttle": {"tokens": 4, "ratio": "100%"}}
        failing, _ = _asked(None, None, starts_s=(0.0, 1.0, 2.0), hedge=hedge)
        assert failing["attempts"].tolist() == [2, 1, 1]
        good, _ = _asked(0.5, 0.5, starts_s=(0.0, 1.0, 2.0), hedge=hedge)
        assert good["attempts"].tolist() == [2, 2, 2]

    def test_each_user_may_have_a_budget_of_its_own(self) -> None:
        """Two users with one token each: both hedge once, and never again."""
        budget = {"ratio": "0%", "burst": 1, "scope": "per_client"}
        described = scenario(
            {"api": service(waiting("500ms"))},
            workload={"kind": "closed", "population": 2, "think_time": "1s", "endpoints": {"get": "100%"}},
            client={"hedge": {"after": "100ms", "budget": budget}},
            run={"duration": "10s"},
        )
        requests, _ = live(described)
        per_user = (requests["attempts"] - 1).groupby(requests["request"] % 2).sum()
        assert per_user.tolist() == [1, 1]
        assert len(requests) > 8


@pytest.mark.parametrize(
    ("client", "says"),
    [
        ({"hedge": {"after": "10ms"}, "retry": {"attempts": 2}}, "hedge stands beside retry"),
        ({"hedge": {"after": "10ms"}, "circuit_breaker": {}}, "hedge stands beside circuit_breaker"),
        ({"hedge": {"after": "10ms"}, "throttle": {}}, "hedge stands beside throttle"),
        ({"hedge": {"after": "1s"}, "timeout": "1s"}, "must be less than the timeout"),
        ({"hedge": {"after": "1s"}, "deadline": "1s"}, "must be less than the deadline"),
        ({"hedge": {"after": "1s", "attempts": 1}}, "attempts: 1 is out of range"),
        ({"hedge": {"after": "1s", "budget": {"ratio": "5%", "scope": "per_client"}}}, "no client comes twice"),
        ({"hedge": {"after": "1s", "throttle": {"scope": "per_client"}}}, "no client comes twice"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(client: dict[str, Any], says: str) -> None:
    """With the place and the reason."""
    fine = scenario({"api": service(waiting("1ms"))})
    with pytest.raises(lab.errors.ScenarioError) as caught:
        fine.with_({"client": client})
    assert any(said.startswith("client") and says in said for said in caught.value.problems), caught.value
