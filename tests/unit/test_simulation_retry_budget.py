"""Retry budgets: a purse of tokens that many requests fill and retries are paid from."""

from __future__ import annotations

from typing import Any

import pytest

from lab.scenario.client import Client
from lab.simulation.retry_budget import RetryBudget
from tests.unit.backends import live, observe, scenario, service, waiting

_AT_ONCE = {"kind": "constant", "delay": "0s"}


def test_ten_requests_pay_for_a_retry() -> None:
    """10 %: the purse starts with one token; it takes ten deposits of 0.1 to have one again."""
    budget = RetryBudget(ratio=0.1, burst=1)
    assert budget.pay()
    for _ in range(9):
        budget.deposit()
    assert not budget.pay()
    budget.deposit()
    assert budget.pay()


def test_no_more_than_the_burst_is_saved() -> None:
    """A thousand quiet requests leave three tokens."""
    budget = RetryBudget(ratio=0.5, burst=3)
    for _ in range(1000):
        budget.deposit()
    assert [budget.pay() for _ in range(4)] == [True, True, True, False]


def test_it_bounds_the_retries_of_an_outage() -> None:
    """40 requests that all time out, 10 % and a burst of 3: some at once, then one in ten."""
    budget = {"ratio": "10%", "burst": 3}
    retry = {"attempts": 2, "backoff": _AT_ONCE, "budget": budget}
    described = scenario({"api": service(waiting("50s"))}, client={"timeout": "500ms", "retry": retry})
    requests, _ = observe(described, [float(i) for i in range(40)])
    retried = (requests["attempts"] - 1).tolist()
    # The purse after each request's own deposit: 3, 2.1, 1.2 pay, 0.3 is left, and from 1.0 on it pays again.
    assert [number for number, each in enumerate(retried) if each] == [0, 1, 2, 10, 20, 30]
    assert set(requests["outcome"]) == {"timeout"}


def test_a_request_that_cannot_pay_ends_as_it_was() -> None:
    """Rejected, once, at once: its last outcome."""
    retry = {"attempts": 3, "backoff": {"kind": "constant", "delay": "1s"}, "budget": {"ratio": "0%", "burst": 1}}
    described = scenario({"api": service(waiting("9s"), concurrency=1, backlog=0)}, client={"retry": retry})
    requests, _ = observe(described, [0.0, 1.0, 2.5])
    assert requests["outcome"].tolist() == ["ok", "rejected", "rejected"]
    assert requests["attempts"].tolist() == [1, 2, 1]
    assert requests["end_s"].tolist() == pytest.approx([9.0, 2.0, 2.5])


@pytest.mark.parametrize(("scope", "retries"), [("shared", 2), ("per_client", 6)])
def test_each_user_may_have_one_of_their_own(scope: str, retries: int) -> None:
    """Three users and a burst of two: two retries for all of them together, or two for each."""
    budget = {"ratio": "0%", "burst": 2, "scope": scope}
    workload = {"kind": "closed", "population": 3, "think_time": "1s", "endpoints": {"get": "100%"}}
    described = scenario(
        {"api": service(waiting("50s"))},
        workload=workload,
        client={"timeout": "1s", "retry": {"attempts": 2, "budget": budget}},
        run={"duration": "20s"},
    )
    requests, _ = live(described)
    assert (requests["attempts"] - 1).clip(lower=0).sum() == retries


def test_a_ratio_alone_is_short_for_it() -> None:
    """``budget: 10%`` has a burst of ten, for all clients together."""
    short: Any = {"attempts": 2, "budget": "10%"}
    full: Any = {"attempts": 2, "budget": {"ratio": "10%", "burst": 10, "scope": "shared"}}
    assert Client(retry=short) == Client(retry=full)
