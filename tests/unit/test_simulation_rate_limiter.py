"""What each rate limiting algorithm lets pass, counted by hand, and the part that asks it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lab.randomness import Stream
from lab.simulation.rate_limiter.rules import (
    FixedWindow,
    Gcra,
    Rule,
    SlidingWindowCounter,
    SlidingWindowLog,
    TokenBucket,
)
from lab.simulation.request import Outcome
from tests.unit.backends import live, observe, scenario, service, waiting

OK, REJECTED = Outcome.OK, Outcome.REJECTED


def _passed(rule: Rule, times_s: list[float]) -> list[float]:
    return [time_s for time_s in times_s if rule.admits(time_s)]


def _limited(starts_s: list[float], *, keys: list[int] | None = None, **limiter: Any) -> list[Outcome]:
    parts = {"gate": {"kind": "rate_limiter", "targets": "api"} | limiter, "api": service(waiting("1ms"))}
    workload = {
        "kind": "open",
        "arrival_rate": "1/s",
        "endpoints": {"get": "100%"},
        "keys": {"kind": "uniform", "count": 9},
    }
    requests, _ = observe(scenario(parts, entry="gate", workload=workload), starts_s, keys=keys)
    return requests["outcome"].tolist()


def test_a_token_bucket_lets_a_burst_pass_and_then_its_rate() -> None:
    """Three tokens at once; at 2/s the fourth is there after 0.5 s, and there are never more than three."""
    bucket = TokenBucket(rate_per_s=2.0, size=3)
    assert _passed(bucket, [0, 0, 0, 0, 0.4, 0.5, 0.6, 1.0]) == [0, 0, 0, 0.5, 1.0]
    assert _passed(bucket, [100, 100, 100, 100]) == [100, 100, 100]


def test_gcra_moves_one_time_stamp_on() -> None:
    """redis-cell with max_burst 2 at one each 0.5 s: tau is 1.5 s, so three at once, and then one each 0.5 s."""
    rule = Gcra(interval_s=0.5, burst=2)
    assert _passed(rule, [0, 0, 0, 0, 0.4, 0.5, 0.6, 1.0]) == [0, 0, 0, 0.5, 1.0]
    assert _passed(Gcra(interval_s=0.5, burst=0), [0, 0, 0.4, 0.5, 0.9, 1.0]) == [0, 0.5, 1.0]


@pytest.mark.parametrize("burst", [0, 1, 4, 30])
@pytest.mark.parametrize("rate_per_s", [0.7, 3.0, 10.0])
def test_gcra_is_the_token_bucket_with_one_token_more_than_its_burst(rate_per_s: float, burst: int) -> None:
    """On thousands of random arrivals, and on a grid where each falls on a boundary, both let the same ones pass."""
    gaps = -np.log1p(-Stream(seed=5, replication=0, name="arrivals").uniforms(4000)) / 4.0
    for times_s in (np.cumsum(gaps).tolist(), [step / rate_per_s / 3 for step in range(2000)]):
        bucket, cell = TokenBucket(rate_per_s=rate_per_s, size=burst + 1), Gcra(interval_s=1 / rate_per_s, burst=burst)
        assert _passed(bucket, times_s) == _passed(cell, times_s)
    unequal = TokenBucket(rate_per_s=rate_per_s, size=burst + 2), Gcra(interval_s=1 / rate_per_s, burst=burst)
    assert _passed(unequal[0], [0.0] * 50) != _passed(unequal[1], [0.0] * 50)


def test_a_fixed_window_lets_twice_its_limit_pass_around_an_edge() -> None:
    """Five at the end of one second and five at the beginning of the next: ten within 0.2 s."""
    rule = FixedWindow(limit=5, window_s=1.0)
    passed = _passed(rule, [0.9 + 0.01 * step for step in range(20)])
    assert len(passed) == 10
    assert passed[-1] - passed[0] < 0.2
    assert _passed(rule, [2.0] * 7) == [2.0] * 5


def test_a_sliding_log_never_lets_more_than_its_limit_pass_in_any_window() -> None:
    """Of the ten around the edge five pass; the next when the first is more than a window old, not at a window."""
    rule = SlidingWindowLog(limit=5, window_s=1.0)
    assert _passed(rule, [0.9 + 0.01 * step for step in range(20)]) == pytest.approx([0.9, 0.91, 0.92, 0.93, 0.94])
    assert _passed(rule, [1.9, 1.905, 1.909, 1.911]) == [1.905, 1.911]


def test_a_sliding_counter_weighs_the_last_window() -> None:
    """Ten passed in the last second: at 0.25 of this one 7.5 count, so three pass; at 0.5 only 5 count, so two more."""
    rule = SlidingWindowCounter(limit=10, window_s=1.0)
    assert len(_passed(rule, [0.5] * 15)) == 10
    assert len(_passed(rule, [1.25] * 15)) == 3  # 7.5, 8.5, 9.5; 10.5 is too much
    assert len(_passed(rule, [1.5] * 15)) == 2  # 5 + 3, 5 + 4; 5 + 5 is too much
    assert len(_passed(rule, [3.1] * 15)) == 10  # the second before was empty


def test_windows_may_begin_with_the_first_request() -> None:
    """By the clock five pass on each side of 1 s; with windows from 0.9 s on, five until 1.9 s, then from 2.5 s on."""
    rule = FixedWindow(limit=5, window_s=1.0, by_clock=False)
    assert len(_passed(rule, [0.9 + 0.01 * step for step in range(20)])) == 5
    assert _passed(rule, [1.89, 2.5, 2.6, 2.7, 2.8, 3.0, 3.49, 3.5]) == [2.5, 2.6, 2.7, 2.8, 3.0, 3.5]


def test_a_sliding_counter_may_count_from_the_first_request() -> None:
    """From 0.5 s on: at 1.75 s a quarter of the second window is over; after a pause, windows begin anew."""
    rule = SlidingWindowCounter(limit=10, window_s=1.0, by_clock=False)
    assert len(_passed(rule, [0.5] * 15)) == 10
    assert len(_passed(rule, [1.75] * 15)) == 3
    assert len(_passed(rule, [2.0] * 15)) == 2
    assert len(_passed(rule, [3.6] * 15)) == 10  # nothing passed from 2.5 s to 3.5 s: this one begins at 3.6 s
    assert len(_passed(rule, [4.85] * 15)) == 3  # by the clock of the first it would be another window


def test_what_is_beyond_the_limit_is_turned_away_at_once() -> None:
    """Two a second pass to the service, the third gets its 429 and costs the service nothing."""
    parts = {
        "gate": {"kind": "rate_limiter", "targets": "api", "limit": 2, "check_time": "1ms"},
        "api": service(waiting("10ms")),
    }
    requests, visits = observe(scenario(parts, entry="gate"), [0.0, 0.1, 0.2, 0.6])
    assert requests["outcome"].tolist() == [OK, OK, REJECTED, OK]
    assert requests["sojourn_time_s"].tolist() == pytest.approx([0.011, 0.011, 0.001, 0.011])
    checks = visits[visits["component"] == "gate"]
    assert checks["outcome"].tolist() == [OK, OK, REJECTED, OK]
    assert checks["service_time_s"].tolist() == pytest.approx([0.001] * 4)
    assert (visits["component"] == "api").sum() == 3


@pytest.mark.parametrize(
    ("algorithm", "burst", "outcomes"),
    [
        ("token_bucket", None, [OK, OK, REJECTED]),
        ("token_bucket", 1, [OK, REJECTED, REJECTED]),
        ("gcra", None, [OK, OK, REJECTED]),
        ("gcra", 0, [OK, REJECTED, REJECTED]),
        ("fixed_window", None, [OK, OK, REJECTED]),
        ("sliding_window_log", None, [OK, OK, REJECTED]),
        ("sliding_window_counter", None, [OK, OK, REJECTED]),
    ],
)
def test_the_limit_may_come_at_once_unless_a_burst_is_given(
    algorithm: str, burst: int | None, outcomes: list[Outcome]
) -> None:
    """Left out, both buckets hold the limit; given, it is tokens for the one, and tokens less one for GCRA."""
    assert _limited([0.0] * 3, algorithm=algorithm, limit=2, window="60s", burst=burst) == outcomes


def test_each_key_has_a_count_of_its_own() -> None:
    """Somebody who tries one account again and again locks nobody else out."""
    outcomes = _limited([0.0, 0.1, 0.2, 0.3], keys=[7, 7, 7, 8], limit=2, window="60s", scope="per_key")
    assert outcomes == [OK, OK, REJECTED, OK]
    assert _limited([0.0, 0.1, 0.2, 0.3], keys=[7, 7, 7, 8], limit=2, window="60s") == [OK, OK, REJECTED, REJECTED]


def test_what_is_not_guarded_passes_uncounted() -> None:
    """Only sign-ins are counted; reading leaves no row at the limiter."""
    api = service(waiting("1ms"))
    api["endpoints"]["login"] = [waiting("1ms")]
    gate = {"kind": "rate_limiter", "targets": "api", "limit": 1, "window": "60s", "endpoints": ["login"]}
    described = scenario({"gate": gate, "api": api}, entry="gate")
    requests, visits = observe(described, [0.0, 0.1, 0.2, 0.3], endpoints=["get", "login", "login", "get"])
    assert requests["outcome"].tolist() == [OK, OK, REJECTED, OK]
    assert visits[visits["component"] == "gate"]["operation"].tolist() == ["login", "login"]


def test_each_client_has_a_count_of_its_own() -> None:
    """Two users who ask every second, and may once in two: each has every other request refused."""
    workload = {"kind": "closed", "population": 2, "think_time": "1s", "endpoints": {"get": "100%"}}
    gate = {"kind": "rate_limiter", "targets": "api", "limit": 1, "window": "1900ms", "scope": "per_client"}
    described = scenario({"gate": gate, "api": service(waiting("1us"))}, entry="gate", workload=workload)
    requests, _ = live(described)
    for user in (0, 1):
        own = requests[requests["request"] % 2 == user]
        assert own["outcome"].tolist()[:6] == [OK, REJECTED] * 3


def test_a_service_may_be_called_through_a_limiter() -> None:
    """A quota of the called service: what it turns away is a bad gateway to the caller."""
    parts = {
        "api": service({"kind": "call", "target": "quota", "endpoint": "get"}),
        "quota": {"kind": "rate_limiter", "targets": "partner", "limit": 1, "window": "60s", "algorithm": "gcra"},
        "partner": service(waiting("1ms")),
    }
    requests, _ = observe(scenario(parts), [0.0, 1.0])
    assert requests["outcome"].tolist() == [OK, Outcome.ERROR]
