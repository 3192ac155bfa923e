"""Clients: timeouts, retries, backoff, and the work that they leave behind."""

from __future__ import annotations

from typing import Any

import pytest

from lab.randomness import Stream
from lab.scenario.client import Client
from lab.simulation.client import retry_delays_s
from tests.unit.backends import observe, scenario, service, waiting

_AT_ONCE = {"kind": "constant", "delay": "0s"}


def test_a_slow_answer_is_a_timeout_and_its_work_goes_on() -> None:
    """The client is gone after 50 ms; the slot stays taken for the full 200 ms, so the next one waits."""
    described = scenario({"api": service(waiting("200ms"), concurrency=1)}, client={"timeout": "50ms"})
    requests, visits = observe(described, [0.0, 0.1])
    assert list(requests["outcome"]) == ["timeout", "timeout"]
    assert requests["end_s"].tolist() == pytest.approx([0.05, 0.15])
    assert visits["departure_s"].tolist() == pytest.approx([0.2, 0.4])
    assert visits["waiting_time_s"].tolist() == pytest.approx([0.0, 0.1])
    assert visits["abandoned"].tolist() == [True, True]


def test_an_answer_exactly_at_the_timeout_counts() -> None:
    """Work that ends just when the timer runs out has ended in time: the written order of equal times."""
    described = scenario({"api": service(waiting("250ms"))}, client={"timeout": "250ms"})
    requests, visits = observe(described, [0.0])
    assert requests["outcome"].tolist() == ["ok"]
    assert visits["abandoned"].tolist() == [False]


def test_retries_wait_their_backoff_and_count_as_attempts() -> None:
    """Three attempts, doubled waits between: 50 + 100 + 50 + 200 + 50 ms until the client gives up."""
    backoff = {"kind": "exponential", "base": "100ms", "cap": "1s", "jitter": "none"}
    described = scenario(
        {"api": service(waiting("1s"))}, client={"timeout": "50ms", "retry": {"attempts": 3, "backoff": backoff}}
    )
    requests, visits = observe(described, [0.0])
    assert requests["outcome"].tolist() == ["timeout"]
    assert requests["attempts"].tolist() == [3]
    assert requests["end_s"].tolist() == pytest.approx([0.45])
    assert visits["arrival_s"].tolist() == pytest.approx([0.0, 0.15, 0.4])


def test_a_retry_after_a_rejection_may_succeed() -> None:
    """The second request is turned away while the first is served, and gets through on its retry."""
    described = scenario(
        {"api": service(waiting("100ms"), concurrency=1, backlog=0)},
        client={"retry": {"attempts": 2, "backoff": {"kind": "constant", "delay": "200ms"}}},
    )
    requests, visits = observe(described, [0.0, 0.05])
    assert requests["outcome"].tolist() == ["ok", "ok"]
    assert requests["attempts"].tolist() == [1, 2]
    assert requests["sojourn_time_s"].tolist() == pytest.approx([0.1, 0.3])
    assert visits["outcome"].tolist() == ["ok", "rejected", "ok"]


def test_a_late_answer_to_an_abandoned_attempt_is_ignored() -> None:
    """The first attempt's answer comes while the second is under way; only the second one's answer counts."""
    described = scenario(
        {"api": service(waiting("120ms"), concurrency=1)},
        client={"timeout": "100ms", "retry": {"attempts": 2, "backoff": {"kind": "constant", "delay": "0s"}}},
    )
    requests, _ = observe(described, [0.0])
    assert requests["outcome"].tolist() == ["timeout"]
    assert requests["end_s"].tolist() == pytest.approx([0.2])


def test_what_is_under_way_at_the_end_is_in_flight() -> None:
    """A request that the end of the run cuts off is reported, with its open visit."""
    described = scenario({"api": service(waiting("10s"))}, run={"duration": "5s"})
    requests, visits = observe(described, [1.0])
    assert requests["outcome"].tolist() == ["in_flight"]
    assert visits["outcome"].tolist() == ["in_flight"]
    assert requests["end_s"].isna().all()
    assert visits["departure_s"].isna().all()


def test_jitter_is_addressed_by_request_and_retry() -> None:
    """Full jitter spreads the retries of requests that failed at one time."""
    backoff = {"kind": "constant", "delay": "1s", "jitter": "full"}
    described = scenario(
        {"api": service(waiting("100ms"), concurrency=1, backlog=0)},
        client={"retry": {"attempts": 2, "backoff": backoff}},
    )
    _, visits = observe(described, [0.0] * 40)
    retries = visits[visits["attempt"] == 1]["arrival_s"]
    assert retries.nunique() == len(retries) == 39
    assert retries.between(0, 1).all()
    assert 0.3 < retries.mean() < 0.7


def test_the_round_trip_comes_before_the_entry_and_counts_for_the_client() -> None:
    """20 ms of network, 100 ms of work: the client sees 120 ms, the replica 100, and the rows add up."""
    described = scenario({"api": service(waiting("100ms"))}, client={"round_trip": "20ms"})
    requests, visits = observe(described, [0.0])
    assert requests["sojourn_time_s"].tolist() == pytest.approx([0.12])
    assert visits["component"].tolist() == ["client", "api"]
    assert visits["arrival_s"].tolist() == pytest.approx([0.0, 0.02])
    assert visits["service_time_s"].sum() == pytest.approx(0.12)


class TestDeadline:
    """How long a request may take over all of its attempts."""

    @staticmethod
    def _ends(client: dict[str, Any], *, work: str = "10s") -> tuple[str, int, float]:
        requests, _ = observe(scenario({"api": service(waiting(work))}, client=client), [1.0])
        return requests["outcome"][0], requests["attempts"][0], requests["sojourn_time_s"][0]

    def test_it_cuts_an_attempt(self) -> None:
        """Attempts of 300 ms, the third would end at 900 ms: the deadline of 700 ms ends it."""
        client = {"timeout": "300ms", "deadline": "700ms", "retry": {"attempts": 9, "backoff": _AT_ONCE}}
        assert self._ends(client) == ("timeout", 3, pytest.approx(0.7))

    def test_it_is_a_timeout_where_there_is_none(self) -> None:
        """Without a timeout the only attempt lasts until the deadline."""
        assert self._ends({"deadline": "700ms"}) == ("timeout", 1, pytest.approx(0.7))

    def test_a_retry_beyond_it_is_not_waited_for(self) -> None:
        """The first attempt ends at 300 ms; a retry 400 ms later would start at the deadline, so it ends there."""
        retry = {"attempts": 9, "backoff": {"kind": "constant", "delay": "400ms"}}
        client = {"timeout": "300ms", "deadline": "700ms", "retry": retry}
        assert self._ends(client) == ("timeout", 1, pytest.approx(0.3))
        assert self._ends(client | {"deadline": "701ms"}) == ("timeout", 2, pytest.approx(0.701))

    def test_an_answer_at_the_deadline_counts(self) -> None:
        """Work that ends just then has ended in time."""
        assert self._ends({"deadline": "250ms"}, work="250ms") == ("ok", 1, pytest.approx(0.25))

    def test_the_work_cut_off_is_abandoned(self) -> None:
        """As after a timeout."""
        _, visits = observe(scenario({"api": service(waiting("1s"))}, client={"deadline": "700ms"}), [0.0])
        assert visits["abandoned"].tolist() == [True]
        assert visits["departure_s"].tolist() == pytest.approx([1.0])


@pytest.mark.parametrize(
    ("retry_on", "attempts"),
    [(["timeout"], [3, 1]), (["rejected"], [1, 3]), (["timeout", "rejected", "error"], [3, 3])],
)
def test_only_what_is_named_is_retried(retry_on: list[str], attempts: list[int]) -> None:
    """One server is too slow for the client, the other is full when the second request comes."""
    retry = {"attempts": 3, "retry_on": retry_on, "backoff": {"kind": "constant", "delay": "10ms"}}
    client = {"timeout": "300ms", "retry": retry}
    first, second = attempts
    slow, _ = observe(scenario({"api": service(waiting("5s"))}, client=client), [0.0])
    full, _ = observe(scenario({"api": service(waiting("250ms"), concurrency=1, backlog=0)}, client=client), [0.0, 0.1])
    assert slow["attempts"].tolist() == [first]
    assert full["attempts"].tolist() == [1, second]


_DECORRELATED: Any = {"attempts": 8, "backoff": {"kind": "decorrelated", "base": "100ms", "cap": "2s"}}


class TestDecorrelatedBackoff:
    """Waits that grow from one another."""

    def test_each_wait_lies_between_base_and_three_times_the_last(self) -> None:
        """And never above the cap; the first between base and three times base."""
        client, stream = Client(retry=_DECORRELATED), Stream(seed=1, replication=0, name="client/backoff")
        capped = 0
        for number in range(300):
            last = 0.1
            for wait in retry_delays_s(client, stream, number=number):
                assert 0.1 <= wait <= min(2.0, 3 * last)
                capped += wait == 2.0
                last = wait
        assert capped > 50

    def test_clients_wait_what_the_load_generator_is_told(self) -> None:
        """The schedule of a measurement carries the very waits that the simulator takes."""
        api = service(waiting("90s"), concurrency=1, backlog=0)
        _, visits = observe(scenario({"api": api}, client={"retry": _DECORRELATED}), [0.0, 0.0])
        second = visits[visits["request"] == 1]["arrival_s"].diff().dropna()
        stream = Stream(seed=1, replication=0, name="client/backoff")
        assert second.tolist() == pytest.approx(retry_delays_s(Client(retry=_DECORRELATED), stream, number=1))
        assert len(second) == 7
