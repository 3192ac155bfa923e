"""Rules that find a limit of concurrency, on numbers worked out by hand, and where they settle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lab
from lab.errors import ScenarioError
from lab.simulation.adaptive.limits import AimdLimit, Gradient2Limit, Limit, Sample, VegasLimit, Windowed
from lab.simulation.request import Outcome
from lab.validation.laws import broken_laws
from tests.unit.backends import observe, scenario, service, waiting


def _gradient2(**keys: Any) -> Gradient2Limit:
    usual = {"initial": 20, "bounds": (1, 200), "queue_size": 4, "tolerance": 1.5, "smoothing": 0.2, "long_window": 600}
    return Gradient2Limit(**usual | keys)


def _learn(rule: Limit, *times_s: float, in_flight: int = 20, end_s: float = 0.0) -> Limit:
    for time_s in times_s:
        rule.learn(Sample(end_s=end_s, time_s=time_s, in_flight=in_flight))
    return rule


def test_gradient2_grows_by_its_queue_and_shrinks_by_the_slope() -> None:
    """As usual: 20 -> 0.8 x 20 + 0.2 x 24 = 20.8 -> 21.6; then 0.4 s, while 0.2 s is usual: g = 0.75, so 21.32."""
    rule = _gradient2()
    _learn(rule, 0.1)
    assert rule.estimate == pytest.approx(20.8)
    _learn(rule, 0.1)
    assert rule.estimate == pytest.approx(21.6)
    _learn(rule, 0.4)
    assert rule.estimate == pytest.approx(0.8 * 21.6 + 0.2 * (21.6 * 1.5 * 0.2 / 0.4 + 4))
    assert rule.limit == 21
    _learn(rule, 40.0)  # never by more than half: 0.8 L + 0.2 (L / 2 + 4)
    assert rule.estimate == pytest.approx(0.9 * 21.32 + 0.8)


def test_gradient2_waits_until_half_of_its_limit_is_in_use_and_keeps_its_bounds() -> None:
    """Nine in flight of twenty tell nothing; up to the highest limit, and down to the lowest."""
    assert _learn(_gradient2(), 0.1, in_flight=9).limit == 20
    assert _learn(_gradient2(), 0.1, in_flight=10).limit == 20  # 20.8
    assert _learn(_gradient2(bounds=(20, 25)), *[0.1] * 100, in_flight=30).limit == 25
    assert _learn(_gradient2(bounds=(19, 25)), *[0.001] * 10, *[1.0] * 20, in_flight=30).limit == 19


def test_gradient2_averages_ten_samples_and_then_exponentially() -> None:
    """Ten of 0.1 s, then one of 0.701 s: the usual time is 0.1 + 0.601 x 2 / 601 = 0.102 s."""
    rule = _learn(_gradient2(), *[0.1] * 10)
    before = rule.estimate
    _learn(rule, 0.701)
    gradient = max(0.5, 1.5 * 0.102 / 0.701)
    assert rule.estimate == pytest.approx(0.8 * before + 0.2 * (before * gradient + 4))


def test_gradient2_forgets_a_long_overload_faster() -> None:
    """After 1 s was usual, 0.1 s takes 5 % off it each time, on top of the average."""
    rule = _learn(_gradient2(long_window=10**9), *[1.0] * 10)
    _learn(rule, *[0.1] * 10)
    before = rule.estimate
    _learn(rule, 1.0)  # 0.95^10 = 0.599 is usual now: g = 0.898
    assert rule.estimate == pytest.approx(0.8 * before + 0.2 * (before * 1.5 * 0.95**10 + 4), rel=1e-6)


def _vegas(jitter: float = 1.0, **keys: Any) -> VegasLimit:
    usual = {"initial": 20, "most": 1000, "smoothing": 1.0, "probe_multiplier": 30, "jitter": lambda _: jitter}
    return VegasLimit(**usual | keys)


def test_vegas_reckons_how_many_wait() -> None:
    """0.1 s is the shortest. Nobody waits: + 6; 2 of 26 wait: + 1; 3 of 27: stays; 14 of 27: - 1."""
    rule = _vegas()
    assert _learn(rule, 0.1).limit == 20  # the first is the shortest, and tells no more
    assert _learn(rule, 0.1).limit == 26
    assert _learn(rule, 0.107).limit == 27  # ceil(26 x 0.0654) = 2
    assert _learn(rule, 0.11).limit == 27  # ceil(27 x 0.0909) = 3
    assert _learn(rule, 0.2).limit == 26  # ceil(27 x 0.5) = 14
    assert _learn(rule, 0.2, in_flight=12).limit == 26  # less than half is in use
    assert _learn(rule, 0.05).limit == 26  # a new shortest
    assert _learn(_vegas(initial=100), 0.1, 0.1, in_flight=100).limit == 112  # steps of log10(100) = 2


def test_vegas_takes_the_shortest_time_anew() -> None:
    """After 30 x 20 samples at the latest the next is taken for the shortest, though it is long."""
    rule = _vegas(initial=20)
    _learn(rule, 0.1)
    _learn(rule, *[0.115] * 598, in_flight=20)  # ceil(20 x 0.13) = 3: stays
    assert rule.limit == 20
    _learn(rule, 0.3)  # the 600th: whatever it is
    assert _learn(rule, 0.3).limit == 26  # so nobody seems to wait
    early = _vegas(jitter=0.0)
    _learn(early, 0.1, *[0.115] * 298, 0.3)
    assert _learn(early, 0.3).limit == 26  # after half as many


def test_aimd_adds_one_and_takes_a_tenth() -> None:
    """21, 22, then 5.1 s: 22 x 0.9 = 19.8; less than half in use: no change; never beyond the bounds."""
    rule = AimdLimit(initial=20, bounds=(10, 30), timeout_s=5.0, backoff_ratio=0.9)
    assert _learn(rule, 0.1, 5.0).limit == 22
    assert _learn(rule, 5.1).limit == 19
    assert _learn(rule, 0.1, in_flight=9).limit == 19
    assert _learn(rule, *[0.1] * 50).limit == 30
    assert _learn(rule, *[6.0] * 50).limit == 10


def test_a_window_averages_before_it_tells() -> None:
    """Ten samples of 0.1 s and 0.3 s end a window as one of 0.2 s; nine are too few, too quick ones are left out."""
    seen: list[Sample] = []

    class Recorder:
        limit = 20

        def learn(self, sample: Sample) -> None:
            seen.append(sample)

    windowed = Windowed(Recorder(), window_s=1.0)
    _learn(windowed, 0.1, end_s=0.5)  # ends the first window, of one sample
    for step in range(10):
        _learn(windowed, 0.1 if step % 2 else 0.3, 0.00005, in_flight=step, end_s=0.6 + step / 10)
    assert seen == []
    _learn(windowed, 0.2, end_s=1.6)
    assert [(each.time_s, each.in_flight) for each in seen] == [(pytest.approx(0.2), 20)]
    _learn(windowed, *[0.2] * 8, end_s=2.5)
    _learn(windowed, 0.2, end_s=2.7)
    assert len(seen) == 1  # nine samples


def _adaptive(rule: Any, **keys: Any) -> lab.Scenario:
    """Return a service that asks a database with ten cores, 500/s at most, to which twice as many come."""
    query = {"kind": "query", "database": "main", "query": "get"}
    time = {"kind": "lognormal", "mean": "20ms", "scv": 0.05}
    parts = {
        "api": service(query, adaptive_concurrency=rule, backlog=0, **keys),
        "main": {
            "kind": "database",
            "cores": 10,
            "pool": {"size": 1000, "timeout": "60s"},
            "round_trip": "0s",
            "queries": {"get": time},
        },
    }
    workload = {"kind": "open", "arrival_rate": "1000/s", "endpoints": {"get": "100%"}}
    return scenario(parts, workload=workload, run={"duration": "6s", "replications": 1, "seed": 4})


def _settled(run: lab.Run) -> tuple[float, float, float]:
    """Return the mean limit, the good answers per second and the median time in seconds, from 2 s to 6 s."""
    steps = run.samples[run.samples["gauge"] == "concurrency_limit"]
    times = np.linspace(2, 6, 400)
    limit = steps["value"].to_numpy()[np.searchsorted(steps["time_s"].to_numpy(), times, side="right") - 1].mean()
    ok = run.requests[(run.requests["outcome"] == "ok") & (run.requests["end_s"] > 2)]
    return float(limit), len(ok) / 4, float(ok["sojourn_time_s"].median())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::lab.experiment.simulate.OverloadWarning")
@pytest.mark.parametrize(
    ("rule", "limits", "longest_s"),
    [
        ("vegas", (9, 17), 0.03),
        ("gradient2", (20, 100), 0.15),
        ({"kind": "aimd", "min": 1, "timeout": "60ms", "window": "100ms"}, (22, 33), 0.07),
    ],
)
def test_a_limit_settles_near_the_knee(rule: Any, limits: tuple[float, float], longest_s: float) -> None:
    """Ten cores are busy from ten requests on. Twice what they can do comes; a fixed limit of 200 makes all wait 0.4 s.

    Vegas keeps some three to six waiting; AIMD goes as far as its timeout allows, 30 at 20 ms on ten cores; Gradient2
    lets what is usual grow with an overload that lasts.
    """
    run = lab.simulate(_adaptive(rule), progress=False, allow_unstable=True)
    limit, per_s, median_s = _settled(run)
    assert limits[0] < limit < limits[1]
    assert per_s > 430
    assert median_s < longest_s
    assert broken_laws(run) == []
    fixed = _adaptive(None, concurrency=200)
    slow = lab.simulate(fixed, progress=False, allow_unstable=True)
    assert slow.value("sojourn_time_s_p50") > 2 * longest_s


@pytest.mark.slow
def test_a_broken_limit_is_caught() -> None:
    """If the gauge had read a third less, the law would have said so."""
    run = lab.simulate(_adaptive("vegas"), progress=False, allow_unstable=True)
    gauge = run.samples["gauge"] == "concurrency_limit"
    run.samples.loc[gauge, "value"] = (run.samples.loc[gauge, "value"] * 2) // 3
    (said,) = broken_laws(run)
    assert said.startswith("limit: api/0 in replication 0 let ")


def test_the_limit_decides_who_is_turned_away() -> None:
    """One at a time at first; two quick answers make it two: the second of two that come together is served then."""
    rule = {"kind": "aimd", "initial": 1, "min": 1, "max": 2}
    described = scenario({"api": service(waiting("10ms"), adaptive_concurrency=rule, backlog=0)})
    requests, _ = observe(described, [0.0, 0.0, 1.0, 1.0, 1.0])
    assert requests["outcome"].tolist() == [Outcome.OK, Outcome.REJECTED, Outcome.OK, Outcome.OK, Outcome.REJECTED]


def test_who_waits_gets_the_new_slot_at_once() -> None:
    """With a backlog the limit that grows to two lets both who wait in together."""
    rule = {"kind": "aimd", "initial": 1, "min": 1, "max": 2}
    described = scenario({"api": service(waiting("10ms"), adaptive_concurrency=rule)})
    requests, _ = observe(described, [0.0, 0.0, 0.0])
    assert requests["end_s"].tolist() == pytest.approx([0.01, 0.02, 0.02])


def test_failures_tell_nothing() -> None:
    """Only what went well is a sample: a limiter behind it turns all but one away, and the limit grows by that one."""
    call = {"kind": "call", "target": "quota", "endpoint": "get"}
    parts = {
        "api": service(waiting("10ms"), call, adaptive_concurrency={"kind": "aimd", "initial": 2, "min": 1}),
        "quota": {"kind": "rate_limiter", "targets": "partner", "limit": 1, "window": "60s"},
        "partner": service(waiting("1ms")),
    }
    run = lab.simulate(
        scenario(
            parts,
            workload={
                "kind": "open",
                "arrival_rate": {"kind": "herd", "clients": 5, "at": "1s"},
                "endpoints": {"get": "100%"},
            },
            run={"duration": "5s", "replications": 1},
        ),
        progress=False,
    )
    assert run.samples.loc[run.samples["gauge"] == "concurrency_limit", "value"].tolist() == [2, 3]


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (
            {"adaptive_concurrency": "vegas", "concurrency": 3},
            "concurrency: has no effect, as adaptive_concurrency sets",
        ),
        (
            {"adaptive_concurrency": {"kind": "aimd", "initial": 5}},
            "initial is 5, but the limit lies between 20 and 200",
        ),
        ({"adaptive_concurrency": {"kind": "vegas", "max": 9}}, "initial is 20, but the limit lies between 1 and 9"),
        (
            {"adaptive_concurrency": "gradient"},
            "adaptive_concurrency: there is no kind 'gradient' here; did you mean",
        ),
    ],
)
def test_limits_that_make_no_sense_are_refused(keys: dict[str, Any], says: str) -> None:
    """The message says where and why."""
    with pytest.raises(ScenarioError) as caught:
        scenario({"api": service(waiting("1ms"), **keys)})
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("rule", "room"), [("vegas", 3), ("gradient2", 22), ({"kind": "aimd", "min": 4, "initial": 9}, 6)]
)
def test_a_consumer_must_have_room_for_its_messages_when_the_limit_is_lowest(rule: Any, room: int) -> None:
    """Else messages would be turned away whenever the limit falls: a backlog of 2 and the lowest limit is the room."""
    parts = {
        "api": service({"kind": "publish", "queue": "jobs"}),
        "jobs": {"kind": "queue", "consumer": "worker", "endpoint": "get", "prefetch": 50},
        "worker": service(waiting("1ms"), adaptive_concurrency=rule, backlog=2),
    }
    with pytest.raises(ScenarioError, match=f"has room for {room} \\(concurrency"):
        scenario(parts)


def test_on_paper_the_limit_is_as_high_as_it_may_go() -> None:
    """The arithmetic knows no time; the picture says what moves the limit."""
    described = scenario({"api": service(waiting("100ms"), adaptive_concurrency="gradient2", replicas=1, workers=2)})
    assert lab.arithmetic(described).row("api", "slots").servers == 400
    assert "gradient2 up to 200" in lab.mermaid(described)
