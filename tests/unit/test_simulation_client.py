"""Clients: timeouts, retries, backoff, and the work that they leave behind."""

from __future__ import annotations

import pytest

from tests.unit.backends import observe, scenario, service, waiting


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
