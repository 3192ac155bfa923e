"""Functions against theory by 99.9 % intervals, each beside a twin 5 % off: Erlang's loss, cold starts, the ramp."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
import pytest

import lab
from lab.theory import erlang
from lab.theory.cold_starts import cold_start_probability
from lab.theory.intervals import Interval, mean_interval

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::lab.experiment.simulate.OverloadWarning")]

LEVEL = 0.999


def _run(
    rate: str, time: Any, *, duration: str = "150s", boot_time: Any = "0s", replications: int = 10, **autoscaler: Any
) -> lab.Run:
    described = {
        "name": "function",
        "workload": {"kind": "open", "arrival_rate": rate, "endpoints": {"get": "100%"}},
        "entry": "api",
        "components": {
            "api": {
                **{"kind": "service", "replicas": 0, "concurrency": 1, "boot_time": boot_time},
                "autoscaler": {"kind": "serverless", "scaling_burst": 10_000, **autoscaler},
                "endpoints": {"get": [{"kind": "wait", "time": time}]},
            }
        },
        "run": {"duration": duration, "warm_up": "2s", "replications": replications, "seed": 4},
    }
    return lab.simulate(lab.Scenario.model_validate(described), progress=False, allow_unstable=True)


def _interval(run: lab.Run, metric: str, subject: str = "all") -> Interval:
    return mean_interval(run.per_replication(metric, subject), LEVEL)


def _holds(interval: Interval, value: float) -> bool:
    return bool(interval.low <= value <= interval.high)


@pytest.mark.parametrize("scv", [1.0, 4.0])
def test_the_limit_is_erlang_b(scv: float) -> None:
    """16 erlangs on 16 environments: whoever finds all busy is refused, whatever the distribution of the time is."""
    time = {"kind": "hyperexponential" if scv > 1 else "lognormal", "mean": "200ms", "scv": scv}
    run = _run("80/s", time, duration="52s", max=16)
    refused = _interval(run, "rejected_ratio")
    assert _holds(refused, erlang.blocking_probability(offered_load=16.0, servers=16))
    assert not _holds(refused, erlang.blocking_probability(offered_load=16.0 * 1.05, servers=16))
    # concurrency = rate x duration of what is let in
    served = 80 * (1 - run.value("rejected_ratio")) * 0.2
    assert run.value("number_in_service_mean", "api.platform") == pytest.approx(served, rel=0.03)


def test_cold_starts_are_first_passages() -> None:
    """3 under way on average, idle for 400 ms at most, no time to start: the theory of the stack of processes."""
    run = _run("30/s", {"kind": "exponential", "mean": "100ms"}, idle_timeout="400ms", max=10_000)
    cold = 1 - run.per_replication("hit_ratio", "api.platform")
    expected, off = (
        cold_start_probability(arrival_rate_per_s=30.0, service_time_s=0.1, idle_timeout_s=timeout_s)
        for timeout_s in (0.4, 0.38)
    )
    interval = mean_interval(cold, LEVEL)
    assert _holds(interval, expected)
    assert not _holds(interval, off)


def test_cold_starts_of_one_at_a_time() -> None:
    """With one environment a served request is cold if the next one came later than the timeout: exp(-rate x it)."""
    run = _run("10/s", "20ms", idle_timeout="100ms", max=1, boot_time={"kind": "exponential", "mean": "50ms"})
    own = run.visits[(run.visits["component"] == "api.platform") & run.visits["admitted_s"].notna()]
    cold = 1 - own["hit"].astype(float).groupby(own["replication"]).mean()
    interval = mean_interval(cold, LEVEL)
    assert _holds(interval, float(np.exp(-1.0)))
    assert not _holds(interval, float(np.exp(-1.05)))


def _by_hand(starts_s: Any, times_s: Any, *, boot_s: float, idle_s: float) -> int:
    """Another, plainer platform over the same requests: how many cold starts it makes."""
    idle: list[float] = []  # since when, the one used last at the end
    busy: list[float] = []  # until when
    cold = 0
    for start_s, time_s in zip(starts_s, times_s, strict=True):
        while busy and busy[0] <= start_s:
            idle.append(heapq.heappop(busy))
        idle = [since_s for since_s in idle if start_s < since_s + idle_s]
        if idle:
            idle.pop()
            heapq.heappush(busy, start_s + time_s)
        else:
            cold += 1
            heapq.heappush(busy, start_s + boot_s + time_s)
    return cold


def test_it_agrees_with_a_plainer_platform() -> None:
    """With cold starts that take a second, the same requests make the same number of them, one for one."""
    run = _run("20/s", {"kind": "lognormal", "mean": "150ms", "scv": 2.0}, boot_time="1s", idle_timeout="3s")
    for replication in run.replications[:3]:
        requests, visits = run.only(replication).requests, run.only(replication).visits
        own = visits[visits["component"] == "api"].set_index("request")
        times_s = (own["departure_s"] - own["arrival_s"]).reindex(requests["request"]).fillna(1e9)
        cold = _by_hand(requests["start_s"].to_numpy(), times_s.to_numpy(), boot_s=1.0, idle_s=3.0)
        seen = visits[visits["component"] == "api.platform"]
        assert int((~seen["hit"].astype(bool)).sum()) == cold
        assert cold > 20


def test_the_published_ramp() -> None:
    """600/s that stay for long: 1,000 at once and 1,000 per 10 s, so all are let in for 2 s; then 100/s."""
    run = _run("600/s", "1h", duration="11s", replications=4, max=10_000, scaling_burst=1000)
    own = run.visits[(run.visits["component"] == "api.platform") & (run.visits["replica"] >= 0)]
    for until_s in (5.0, 10.0):
        started = own[own["arrival_s"] <= until_s].groupby("replication").size()
        assert started.between(1000 + 100 * until_s - 2, 1000 + 100 * until_s).all()
    refused = run.visits[(run.visits["component"] == "api.platform") & (run.visits["replica"] < 0)]
    assert refused.groupby("replication")["arrival_s"].min().between(1.7, 2.3).all()
