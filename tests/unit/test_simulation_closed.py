"""A closed population: who asks when, which draws belong to whom, and what the arithmetic says of it."""

from __future__ import annotations

from typing import Any

import pytest

import lab
from lab.errors import Unsupported
from lab.measurement.render import deployment
from lab.scenario.arithmetic import arithmetic
from lab.scenario.scenario import Scenario
from lab.scenario.schedule import draw_schedule
from lab.validation.laws import broken_laws
from tests.unit.backends import live, scenario, service, waiting

_THINK = {"kind": "exponential", "mean": "1s"}


def _closed(population: int, think_time: Any = "1s", *, api: Any = None, **others: Any) -> Scenario:
    workload = {"kind": "closed", "population": population, "think_time": think_time, "endpoints": {"get": "100%"}}
    workload |= others.pop("workload", {})
    parts = {"api": api or service(waiting("200ms"))}
    return scenario(parts, workload=workload, **{"run": {"duration": "10s"}, **others})


def test_a_user_asks_waits_thinks_and_asks_again() -> None:
    """200 ms of work, 1 s of thinking: asked at 0, 1.2, 2.4, ... and never twice at once."""
    requests, _ = live(_closed(1))
    assert requests["intended_start_s"].tolist() == pytest.approx([1.2 * k for k in range(9)])
    assert requests["request"].tolist() == list(range(9))
    assert requests["outcome"].tolist() == ["ok"] * 9
    assert requests["sojourn_time_s"].tolist() == pytest.approx([0.2] * 9)


def test_users_start_over_the_ramp_up() -> None:
    """Four users in 2 s: at 0, 0.5, 1 and 1.5 s; the k-th request of user u is number u + 4k."""
    requests, _ = live(_closed(4, workload={"ramp_up": "2s"}))
    firsts = requests[requests["request"] < 4]
    assert firsts["intended_start_s"].tolist() == pytest.approx([0.0, 0.5, 1.0, 1.5])
    user = requests["request"] % 4
    for number in range(4):
        starts = requests.loc[user == number, "intended_start_s"].tolist()
        assert starts == pytest.approx([0.5 * number + 1.2 * k for k in range(len(starts))])


def test_a_slow_server_is_asked_for_less() -> None:
    """One slot of 200 ms for 20 users: 5/s are served, whatever they would ask for; the queue never exceeds 19."""
    requests, observed = live(_closed(20, api=service(waiting("200ms"), concurrency=1)))
    assert (requests["outcome"] == "ok").sum() == pytest.approx(50, abs=1)
    started = requests["start_s"].to_numpy()
    assert ((started[:, None] >= started) & (started[:, None] < requests["end_s"].fillna(99).to_numpy())).sum(
        axis=1
    ).max() <= 20
    assert max(observed.visits["waiting_time_s"]) <= 19 * 0.2 + 1e-9


def test_users_who_gave_up_think_and_ask_again() -> None:
    """Two attempts of 50 ms each, then 1 s of thinking: a request every 1.1 s, all timed out."""
    client = {"timeout": "50ms", "retry": {"attempts": 2}}
    requests, _ = live(_closed(1, client=client))
    assert requests["outcome"].tolist() == ["timeout"] * 9 + ["in_flight"]
    assert requests["intended_start_s"].tolist() == pytest.approx([1.1 * k for k in range(10)])


def test_draws_belong_to_the_user_and_the_turn() -> None:
    """Another server speed moves the times, not who asks for what: endpoint and key hang on the number alone."""
    keys = {"keys": {"kind": "zipf", "exponent": 1.0, "count": 50}, "endpoints": {"get": "50%", "put": "50%"}}
    runs = []
    for time in ("1ms", "300ms"):
        api = {"kind": "service", "endpoints": {name: [waiting(time)] for name in ("get", "put")}}
        requests, _ = live(_closed(5, _THINK, api=api, workload=keys))
        runs.append({row.request: (row.endpoint, row.key) for row in requests.itertuples()})
    shared = runs[0].keys() & runs[1].keys()
    assert len(shared) > 20
    assert all(runs[0][number] == runs[1][number] for number in shared)
    assert len({endpoint for endpoint, _ in runs[0].values()}) == 2


def test_constant_times_lock_users_into_step() -> None:
    """The documented trap: 30 users at 59 % utilisation, and once they have sorted themselves out nobody ever waits."""
    described = _closed(30, "1s", api=service(waiting("20ms"), concurrency=1), run={"duration": "60s"})
    requests, _ = live(described)
    later = requests[requests["intended_start_s"] > 10]["sojourn_time_s"].dropna()
    assert later.to_numpy() == pytest.approx(0.02)
    spread, _ = live(described.with_({"workload.think_time": _THINK}))
    assert spread[spread["intended_start_s"] > 10]["sojourn_time_s"].mean() > 0.025


def test_the_arithmetic_bounds_the_throughput() -> None:
    """20 users, 1.2 s a cycle, 5/s at most: N* = 6 users; a population below it is bound by its thinking."""
    api = service(waiting("200ms"), concurrency=1)
    many, few = arithmetic(_closed(20, api=api)), arithmetic(_closed(3, api=api))
    assert set(many.rates_per_s.values()) == {5.0}
    assert many.row("api", "slots").utilisation == pytest.approx(1.0)
    (finding,) = many.findings
    assert (finding.component, finding.severity) == ("api", "saturated")
    assert "could ask for 16.67/s, but 5/s fill it: beyond 6 users each one more only waits" in finding.sentence
    assert set(few.rates_per_s.values()) == {2.5}
    assert few.findings == ()
    unlimited = arithmetic(_closed(12, client={"round_trip": "300ms"}))
    assert unlimited.rates_per_s["peak"] == pytest.approx(12 / 1.5)


def test_the_bound_knows_its_caches() -> None:
    """A cache whose hits hang on the rate: 8 keys living 2 s, 10/s at most; the rate and the hits agree in the end."""
    look_up = {"kind": "cached", "cache": "items", "miss": [{"kind": "query", "database": "main", "query": "q"}]}
    parts = {
        "api": service(look_up),
        "items": {"kind": "cache", "ttl": "2s", "access_time": "0s"},
        "main": {"kind": "database", "pool": {"size": 1}, "round_trip": "0s", "queries": {"q": "400ms"}},
    }
    workload = {"kind": "closed", "population": 10, "think_time": _THINK, "endpoints": {"get": "100%"}}
    workload["keys"] = {"kind": "uniform", "count": 8}
    sums = arithmetic(scenario(parts, workload=workload))
    rate = sums.rates_per_s["mean"]
    misses = 1 / (1 + rate / 8 * 2)
    assert sums.hit_ratios["mean"]["items"] == pytest.approx(1 - misses)
    assert rate == pytest.approx(min(10 / (1 + 0.4 * misses), 1 / (0.4 * misses)))


@pytest.mark.slow
def test_it_is_never_unstable_and_keeps_the_laws() -> None:
    """However slow the server: a hundred users wait, and the laws hold."""
    run = lab.simulate(_closed(100, _THINK, api=service(waiting("1s"), concurrency=1)), progress=False)
    assert broken_laws(run) == []


def test_it_has_no_schedule() -> None:
    """What depends on the answers cannot be sent to the real backend by a schedule: refused with the reason."""
    with pytest.raises(Unsupported, match="in a closed workload the answers decide when clients ask again"):
        draw_schedule(_closed(1), seed=1, replication=0)
    with pytest.raises(Unsupported, match="workload: is of kind 'closed'"):
        deployment(_closed(1))
