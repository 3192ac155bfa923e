"""Client-side throttling: who is sent, by the formula and the draw at each address."""

from __future__ import annotations

from typing import Any

import pytest

from lab.randomness import Stream
from lab.validation.client_laws import broken_client_laws
from tests.unit.backends import live, observe, scenario, service, waiting

_FULL: Any = service(waiting("90s"), concurrency=1, backlog=0)


def _throttled(part: dict[str, Any], **how: Any) -> Any:
    return scenario({"api": part}, client={"throttle": how})


def test_what_the_backend_accepts_is_all_sent() -> None:
    """As long as requests are at most twice the accepts; the first is always sent."""
    requests, _ = observe(_throttled(service(waiting("1ms"))), [0.1 * number for number in range(50)])
    assert requests["attempts"].tolist() == [1] * 50


def test_a_backend_that_accepts_nothing_is_asked_less_and_less() -> None:
    """Request number n is sent if its draw is at least n / (n + 1): nothing was accepted of the n before it."""
    starts_s = [0.01 * number for number in range(300)]
    requests, visits = observe(_throttled(_FULL), starts_s)
    draws = Stream(seed=1, replication=0, name="client/throttle")
    sent = [int(draws.uniform(number, 0) >= number / (number + 1)) for number in range(300)]
    assert requests["attempts"].tolist() == sent
    assert 2 <= sum(sent) <= 15
    assert len(visits) == sum(sent)
    held_back = requests[requests["attempts"] == 0]
    assert set(held_back["outcome"]) == {"rejected"}
    assert held_back["sojourn_time_s"].max() == 0


def test_only_the_window_counts() -> None:
    """After two minutes of silence nothing is remembered: the next one is sent, and the one after it as the second."""
    starts_s = [0.01 * number for number in range(50)] + [130.0, 130.5]
    described = _throttled(_FULL).with_({"run.duration": "200s"})
    requests, _ = observe(described, starts_s)
    draws = Stream(seed=1, replication=0, name="client/throttle")
    assert requests["attempts"].tolist()[50:] == [1, int(draws.uniform(51, 0) >= 1 / 2)]
    short, _ = observe(described.with_({"client.throttle.window": "10ms"}), [1.0, 1.1, 1.2])
    assert short["attempts"].tolist() == [1, 1, 1]


@pytest.mark.parametrize(("multiplier", "excess"), [(2.0, 1), (3.0, 0)])
def test_accepts_count_when_their_answers_come(multiplier: float, excess: int) -> None:
    """One accepted after 100 ms, two turned away meanwhile: the fourth is held back by (3 - K) / 4."""
    part = service(waiting("100ms"), concurrency=1, backlog=0)
    draws = Stream(seed=1, replication=0, name="client/throttle")
    requests, _ = observe(_throttled(part, multiplier=multiplier), [0.0, 0.01, 0.02, 0.2])
    sent = [1, *(int(draws.uniform(n, 0) >= n / (n + 1)) for n in (1, 2)), int(draws.uniform(3, 0) >= excess / 4)]
    assert requests["attempts"].tolist() == sent


def test_a_retry_that_is_held_back_ends_as_its_last_attempt_did() -> None:
    """The second attempt asks again, at an address of its own, and counts as a request too."""
    client = {"throttle": {}, "retry": {"attempts": 9, "backoff": {"kind": "constant", "delay": "10ms"}}}
    described = scenario({"api": _FULL}, client=client)
    requests, _ = observe(described, [0.0, 0.001])
    draws = Stream(seed=1, replication=0, name="client/throttle")
    counted, sent = 1, 0  # the first request, which takes the slot for good
    while draws.uniform(1, sent) >= counted / (counted + 1):
        counted, sent = counted + 1, sent + 1
    assert requests["attempts"].tolist() == [1, sent]
    assert requests["outcome"].tolist() == ["ok", "rejected"]


def test_each_user_may_have_one_of_its_own() -> None:
    """Each user's first request is sent, whatever happened to the others."""
    described = scenario(
        {"api": _FULL},
        client={"throttle": {"scope": "per_client"}},
        workload={"kind": "closed", "population": 5, "think_time": "1s", "endpoints": {"get": "100%"}},
    )
    requests, _ = live(described.with_({"run.duration": "30s"}))
    assert requests.loc[requests["request"] < 5, "attempts"].tolist() == [1] * 5
    shared, _ = live(described.with_({"run.duration": "30s", "client.throttle.scope": "shared"}))
    assert shared.loc[shared["request"] < 5, "attempts"].sum() < 5


def test_beside_a_breaker_both_are_heeded() -> None:
    """The breaker opens after two rejections; the throttle goes on counting."""
    breaker = {"window": 2, "minimum": 2, "open_for": "1h"}
    described = scenario({"api": _FULL}, client={"throttle": {}, "circuit_breaker": breaker})
    requests, _ = observe(described, [0.01 * number for number in range(200)])
    assert requests["attempts"].sum() <= 3


def test_nobody_is_held_back_without_one() -> None:
    """The law about attempts knows who may hold back, and that it is a rejection."""
    described = _throttled(_FULL)
    requests, _ = observe(described, [0.01 * number for number in range(100)])
    assert list(broken_client_laws(described, requests, replayed=False)) == []
    free = described.with_({"client.throttle": None})
    (said,) = broken_client_laws(free, requests, replayed=False)
    assert "clients make 1 to 1" in said
    odd = requests.assign(outcome=requests["outcome"].astype(str).where(requests["attempts"] > 0, "error"))
    assert any("not all of them are rejected" in said for said in broken_client_laws(described, odd, replayed=False))
