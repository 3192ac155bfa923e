"""The client that the load generator plays: what it heeds before it sends, when it tries again, how its copies race."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.event import Event
from pydantic import ValidationError

import lab
from lab.measurement.render_client import client_section, coins
from lab.randomness import Stream
from reference_backend.circuit_breaker import CircuitBreaker
from reference_backend.client import Client
from reference_backend.collect import mark_abandoned
from reference_backend.load.guard import Guard
from reference_backend.load.hedging import Hedging
from reference_backend.load.plan import Plan
from reference_backend.load.records import Attempt, Outcome, Sent
from reference_backend.load.retrying import Retrying
from reference_backend.load.schedule import BadSchedule, Planned, Schedule, read_schedule, write_schedule

BREAKER = {"window": 4, "minimum": 4, "failure_ratio": 0.5, "open_for_s": 2.0, "half_open": 2}


@dataclass
class Played:
    """A clock that stands still unless told, a backend that answers by a script, and what became of it."""

    answers: list[Outcome] = field(default_factory=list)
    now_s: float = 0.0
    within_s: list[float] = field(default_factory=list)
    told: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    def now(self) -> float:
        """Return the time."""
        return self.now_s

    def tell(self, kind: str, detail: dict[str, object]) -> None:
        """Note what happened to the client."""
        self.told.append((kind, detail))

    def attempt(self, planned: Planned, number: int, attempt: Attempt, *, within_s: float) -> Outcome:
        """Answer the next attempt by the script."""
        self.within_s.append(within_s)
        attempt.outcome, attempt.end_s = self.answers.pop(0), self.now_s
        return attempt.outcome

    def guard(self, spec: Client) -> Guard:
        """Return what the client heeds."""
        return Guard(spec, now=self.now, tell=self.tell)

    def retrying(self, **spec: Any) -> Callable[[], Sent]:
        """Return what sends a request of such a client, again and again."""
        client = Client(**spec)
        behaviour = Retrying(spec=client, guard=self.guard(client), exchange=self, now=self.now)  # type: ignore[arg-type]

        def ask() -> Sent:
            sent = request(attempts=client.attempts)
            behaviour.ask(sent)
            return sent

        return ask


def request(*, attempts: int, start_s: float = 0.0, backoff_s: float = 0.0, coin: float = 1.0) -> Sent:
    """Return a request that is about to be sent."""
    planned = Planned(
        request=1,
        endpoint="read",
        key=1,
        intended_start_s=start_s,
        demands_s=(),
        backoffs_s=(backoff_s,) * (attempts - 1),
        coins=(coin,) * attempts,
    )
    return Sent(planned=planned, start_s=start_s)


class TestRetrying:
    """One attempt after another."""

    def test_it_tries_again_until_an_answer_is_good(self) -> None:
        """Two failures and a good answer are three attempts, of which the last decides."""
        sent = Played(answers=["timeout", "error", "ok"]).retrying(attempts=5)()
        assert (sent.outcome, len(sent.attempts)) == ("ok", 3)

    def test_only_what_is_named_is_tried_again(self) -> None:
        """A client that retries timeouts alone takes an error for its answer."""
        sent = Played(answers=["timeout", "error"]).retrying(attempts=5, retry_on=["timeout"])()
        assert (sent.outcome, len(sent.attempts)) == ("error", 2)

    def test_a_budget_ends_retries_and_fills_with_requests(self) -> None:
        """One token at the start, half of one a request: the first may retry once, the second not, the third again."""
        played = Played(answers=["error"] * 5)
        ask = played.retrying(attempts=3, budget={"ratio": 0.5, "burst": 1})
        assert [len(ask().attempts) for _ in range(3)] == [2, 1, 2]
        assert played.answers == []

    def test_a_deadline_cuts_the_attempt_and_forbids_the_late_retry(self) -> None:
        """0.3 s are left of 1 s: the attempt gets no more, and a retry after that is not paid for or waited for."""
        played = Played(answers=["timeout"], now_s=0.7)
        client = Client(timeout_s=0.5, deadline_s=1.0, attempts=2, budget={"ratio": 0.0, "burst": 1})
        guard = played.guard(client)
        sent = request(attempts=2, backoff_s=0.31)
        Retrying(spec=client, guard=guard, exchange=played, now=played.now).ask(sent)  # type: ignore[arg-type]
        assert played.within_s == [pytest.approx(0.3)]
        assert (sent.outcome, len(sent.attempts)) == ("timeout", 1)
        assert guard.pay()

    def test_an_open_breaker_rejects_what_was_never_sent(self) -> None:
        """Four errors open it: the next request is rejected with no attempt; a held-back retry ends as it failed."""
        played = Played(answers=["error"] * 4)
        ask = played.retrying(attempts=3, circuit_breaker=BREAKER)
        assert [(sent.outcome, len(sent.attempts)) for sent in (ask(), ask(), ask())] == [
            ("error", 3),
            ("error", 1),
            ("rejected", 0),
        ]
        assert played.told == [("circuit_breaker", {"from": "closed", "to": "open", "failure_ratio": 1.0})]

    def test_a_throttle_decides_by_the_requests_own_coin(self) -> None:
        """After one failure excess is 1 of 2: a coin below one half is rejected here, one above is sent."""
        played = Played(answers=["error", "ok"])
        client = Client(throttle={"multiplier": 1.0, "window_s": 60.0})
        behaviour = Retrying(spec=client, guard=played.guard(client), exchange=played, now=played.now)  # type: ignore[arg-type]
        outcomes = []
        for coin in (0.1, 0.4, 0.7):
            sent = request(attempts=1, coin=coin)
            behaviour.ask(sent)
            outcomes.append(sent.outcome)
        assert outcomes == ["error", "rejected", "ok"]


def test_the_breaker_tries_a_few_after_its_wait_and_closes_or_opens_again() -> None:
    """Not at 2 s but after; two pass; one of two failed, so it opens again; then two good answers close it."""
    played = Played()
    breaker = CircuitBreaker(Client(circuit_breaker=BREAKER).circuit_breaker, now=played.now, tell=played.tell)  # type: ignore[arg-type]
    for _ in range(4):
        breaker.note(failed=True)
    played.now_s = 2.0
    assert not breaker.permits()
    for now_s, failures in ((2.1, (False, True)), (4.2, (False, False))):
        played.now_s = now_s
        assert [breaker.permits() for _ in range(3)] == [True, True, False]
        for failed in failures:
            breaker.note(failed=failed)
    assert [detail["to"] for _, detail in played.told] == ["open", "half_open", "open", "half_open", "closed"]


class TestHedging:
    """Copies of one request, each waiting for a word of the test."""

    @staticmethod
    def race(script: dict[int, tuple[str, Outcome]], *, after_s: float = 0.0, **spec: Any) -> Sent:
        """Send one request whose copy ``n`` answers ``script[n]``: at once (``now``) or never (``never``)."""

        class Backend:
            def attempt(self, planned: Planned, number: int, attempt: Attempt, *, within_s: float) -> Outcome:
                when, outcome = script[number]
                if when == "never":
                    Event().wait()
                attempt.outcome, attempt.end_s = outcome, 0.0
                return outcome

        client = Client(hedge={"after_s": after_s}, **spec)
        assert client.hedge is not None
        guard = Guard(client, now=lambda: 0.0, tell=lambda *_: None)
        sent = request(attempts=client.attempts)
        with gevent.Timeout(5.0):
            Hedging(spec=client, hedge=client.hedge, guard=guard, exchange=Backend(), now=lambda: 0.0).ask(sent)  # type: ignore[arg-type]
        return sent

    def test_the_first_good_answer_counts_and_the_others_are_cancelled(self) -> None:
        """The first copy hangs, the second is good: the first is given up."""
        sent = self.race({0: ("never", "ok"), 1: ("now", "ok")}, attempts=2)
        assert sent.outcome == "ok"
        assert [attempt.outcome for attempt in sent.attempts] == ["cancelled", "ok"]

    def test_a_failed_copy_is_followed_at_once(self) -> None:
        """With an hour to wait before a copy, only the failure can have brought the second."""
        sent = self.race({0: ("now", "error"), 1: ("now", "ok")}, attempts=2, after_s=3600.0)
        assert (sent.outcome, len(sent.attempts)) == ("ok", 2)

    def test_when_all_have_failed_it_is_over(self) -> None:
        """The last failure is the answer."""
        sent = self.race({0: ("now", "error"), 1: ("now", "rejected")}, attempts=2)
        assert (sent.outcome, len(sent.attempts)) == ("rejected", 2)

    def test_an_empty_purse_sends_no_copy(self) -> None:
        """gRPC's throttle: of two tokens one failure leaves one, not more than half, so it ends there."""
        spec = Client(attempts=2, hedge={"after_s": 0.0, "throttle": {"tokens": 2, "ratio": 0.1}})
        guard = Guard(spec, now=lambda: 0.0, tell=lambda *_: None)
        assert guard.pay()
        guard.note(ok=False)
        assert not guard.pay()

    def test_the_deadline_ends_all_copies(self) -> None:
        """Nobody answers, so the request times out, and its copies are cancelled."""
        sent = self.race({0: ("never", "ok"), 1: ("never", "ok")}, attempts=2, deadline_s=0.02)
        assert sent.outcome == "timeout"
        assert [attempt.outcome for attempt in sent.attempts] == ["cancelled", "cancelled"]


def test_a_hedging_client_has_nothing_beside_it() -> None:
    """As in the lab's language."""
    with pytest.raises(ValidationError, match="neither a circuit_breaker nor a throttle"):
        Client(hedge={"after_s": 0.1}, circuit_breaker=BREAKER)


def test_the_plan_carries_the_whole_client(tmp_path: Path) -> None:
    """What the supervisor writes is what the generator reads."""
    client = Client(attempts=2, deadline_s=3.0, circuit_breaker=BREAKER, budget={"ratio": 0.1, "burst": 10})
    plan = Plan(schedule="s", output="o", base_url="u", methods={}, demands_of={}, client=client)
    plan.write(tmp_path / "plan.json")
    assert Plan.read(tmp_path / "plan.json") == plan


def test_a_throttle_without_coins_is_refused(tmp_path: Path) -> None:
    """One coin for each attempt, or the schedule cannot be sent."""
    planned = request(attempts=2, coin=0.5).planned
    write_schedule(tmp_path / "good", Schedule(duration_s=1.0, requests=(planned,)))
    read = read_schedule(tmp_path / "good", demands_of={"read": 0}, attempts=2, coins=True)
    assert read.requests[0].coins == (0.5, 0.5)
    bare = Planned(request=1, endpoint="read", key=1, intended_start_s=0.0, demands_s=(), backoffs_s=(0.0,))
    write_schedule(tmp_path / "bare", Schedule(duration_s=1.0, requests=(bare,)))
    with pytest.raises(BadSchedule, match="0 coins for 2 attempts"):
        read_schedule(tmp_path / "bare", demands_of={"read": 0}, attempts=2, coins=True)


def test_work_for_a_cancelled_copy_counts_as_abandoned() -> None:
    """It went on after the copy was given up, as after a timeout."""
    spans: list[dict[str, object]] = [{"request": 1, "attempt": 0, "departure_s": 2.0}]
    mark_abandoned(spans, [{"request": 1, "attempt": 0, "end_s": 1.5, "outcome": "cancelled"}])
    assert spans[0]["abandoned"] is True


def test_the_labs_client_is_rendered_in_full() -> None:
    """Every key that the generator obeys arrives, and the deployment accepts it."""
    retry = {"attempts": 3, "retry_on": ["timeout"], "budget": "10%"}
    breaker = {"window": 50, "minimum": 20, "failure_ratio": "40%", "open_for": "2s", "half_open": 5}
    throttle = {"multiplier": 1.5, "window": "3s"}
    plain = lab.Client.model_validate(
        {"timeout": "1s", "deadline": "2s", "retry": retry, "circuit_breaker": breaker, "throttle": throttle}
    )
    section = json.loads(json.dumps(client_section(plain)))
    assert Client.model_validate(section) == Client(
        timeout_s=1.0,
        deadline_s=2.0,
        attempts=3,
        retry_on=("timeout",),
        budget={"ratio": 0.1, "burst": 10},
        circuit_breaker={"window": 50, "minimum": 20, "failure_ratio": 0.4, "open_for_s": 2.0, "half_open": 5},
        throttle={"multiplier": 1.5, "window_s": 3.0},
    )
    draws = Stream(seed=1, replication=0, name="client/throttle")
    assert coins(plain, draws, requests=2)[1] == [draws.uniform(1, attempt) for attempt in range(3)]
    hedged = lab.Client.model_validate({"hedge": {"after": "80ms", "attempts": 3, "throttle": {"tokens": 4}}})
    rendered = Client.model_validate(client_section(hedged))
    assert (rendered.attempts, rendered.hedge) == (
        3,
        Client(hedge={"after_s": 0.08, "throttle": {"tokens": 4, "ratio": 0.1}}).hedge,
    )
    assert coins(hedged, draws, requests=2) == [[], []]
