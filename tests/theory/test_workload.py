"""Workloads against theory: arrivals, closed populations, sessions, herds; each beside a twin that must be rejected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter

import lab
from lab.randomness import Stream
from lab.scenario.arrivals import ArrivalRate, arrivals_expected
from lab.scenario.schedule import draw_arrivals
from lab.theory import bursts, machine_repairman, mm1, modulated_mm1, mva
from lab.theory.closed_network import Station
from lab.theory.intervals import Interval, mean_interval

LEVEL = 0.999
PATTERNS = Path(__file__).parents[2] / "scenarios" / "patterns"
_RATE: TypeAdapter[ArrivalRate] = TypeAdapter(ArrivalRate)
_THINK = {"kind": "exponential", "mean": "500ms"}


def _exponential(mean: str) -> dict[str, str]:
    return {"kind": "exponential", "mean": mean}


def _interval(scenario: lab.Scenario, metric: str) -> Interval:
    run = lab.simulate(scenario, progress=False, allow_unstable=True)
    return mean_interval(run.per_replication(metric), LEVEL)


def _closed(population: int, components: dict[str, Any]) -> lab.Scenario:
    return lab.Scenario.model_validate(
        {
            "name": "closed",
            "workload": {
                "kind": "closed",
                "population": population,
                "think_time": _THINK,
                "endpoints": {"get": "100%"},
            },
            "entry": "api",
            "components": components,
            "run": {"duration": "105s", "warm_up": "5s", "replications": 16, "seed": 6},
        }
    )


_REPAIR = {"population": 12, "think_time_s": 0.5, "service_time_s": 0.1, "servers": 2}
_MACHINES = _closed(
    12,
    {
        "api": {
            "kind": "service",
            "concurrency": 2,
            "endpoints": {"get": [{"kind": "wait", "time": _exponential("100ms")}]},
        }
    },
)
_SLOWER_MACHINES = {"components.api.endpoints.get.0.time.mean": "105ms"}
_NETWORK = mva.solve(
    stations=[Station(demand_s=0.03), Station(demand_s=0.05), Station(demand_s=0.02, servers=None)],
    population=12,
    think_time_s=0.5,
)
_STATIONS = _closed(
    12,
    {
        "api": {
            "kind": "service",
            "endpoints": {
                "get": [
                    {"kind": "query", "database": "first", "query": "q"},
                    {"kind": "query", "database": "second", "query": "q"},
                    {"kind": "wait", "time": "20ms"},
                ]
            },
        },
        **{
            name: {
                "kind": "database",
                "pool": {"size": 1, "timeout": "100s"},
                "round_trip": "0s",
                "queries": {"q": _exponential(mean)},
            }
            for name, mean in (("first", "30ms"), ("second", "50ms"))
        },
    },
)
_SLOWER_STATION = {"components.second.queries.q.time.mean": "52.5ms"}
CLOSED: dict[str, tuple[lab.Scenario, dict[str, Any], str, float]] = {
    "machine repairman, sojourn time": (
        _MACHINES,
        _SLOWER_MACHINES,
        "sojourn_time_s_mean",
        machine_repairman.sojourn_time_s_mean(**_REPAIR),
    ),
    "machine repairman, throughput": (
        _MACHINES,
        _SLOWER_MACHINES,
        "throughput_per_s",
        machine_repairman.throughput_per_s(**_REPAIR),
    ),
    "mean value analysis, sojourn time": (
        _STATIONS,
        _SLOWER_STATION,
        "sojourn_time_s_mean",
        _NETWORK.sojourn_time_s_mean,
    ),
    "mean value analysis, throughput": (_STATIONS, _SLOWER_STATION, "throughput_per_s", _NETWORK.throughput_per_s),
}


@pytest.fixture(scope="module")
def simulated() -> Callable[[lab.Scenario], lab.Run]:
    """Simulate each scenario once."""
    runs: dict[str, lab.Run] = {}

    def run(scenario: lab.Scenario) -> lab.Run:
        key = lab.to_yaml(scenario)
        if key not in runs:
            runs[key] = lab.simulate(scenario, progress=False, allow_unstable=True)
        return runs[key]

    return run


@pytest.mark.slow
@pytest.mark.parametrize("name", CLOSED)
def test_a_closed_population_agrees_with_theory(name: str, simulated: Callable[[lab.Scenario], lab.Run]) -> None:
    """The exact value is in the interval; a server 5 % slower is not mistaken for it."""
    scenario, twin, metric, theory = CLOSED[name]
    here, there = (
        mean_interval(simulated(each).per_replication(metric), LEVEL) for each in (scenario, scenario.with_(twin))
    )
    assert here.contains(theory), f"theory {theory:.6g} outside {here}"
    assert not there.contains(theory), f"theory {theory:.6g} inside {there}"


@pytest.mark.slow
def test_the_asymptotic_bounds_hold_and_are_met_at_their_ends() -> None:
    """From 1 user to 60 the throughput stays below min(N/(R+Z), 1/Dmax), and comes within 2 % of it at either end."""
    for population, nearness in ((1, 0.98), (8, 0.6), (60, 0.98)):
        scenario = _STATIONS.with_({"workload.population": population, "run.replications": 8})
        bound = lab.arithmetic(scenario).rates_per_s["mean"]
        found = _interval(scenario, "throughput_per_s")
        assert nearness * bound < found.mean
        assert found.low <= bound


def _sessions(**changes: Any) -> lab.Scenario:
    journey = [
        {"endpoint": "get"},
        {"endpoint": "get", "think_time": _exponential("2s")},
        {"endpoint": "get", "think_time": _exponential("1s")},
    ]
    scenario = lab.Scenario.model_validate(
        {
            "name": "sessions",
            "workload": {"kind": "sessions", "arrival_rate": "4/s", "journeys": {"all": {"requests": journey}}},
            "entry": "api",
            "components": {
                "api": {"kind": "service", "endpoints": {"get": [{"kind": "wait", "time": _exponential("100ms")}]}}
            },
            "run": {"duration": "220s", "warm_up": "20s", "replications": 16, "seed": 4},
        }
    )
    return scenario.with_(changes)


def _present_over_arrivals(run: lab.Run) -> pd.Series:
    """How many sessions are between their arrival and their last answer, over their arrival rate, by replication."""
    start_s, end_s = run.window.start_s, run.window.end_s
    session = run.requests["request"] // 3
    spans = run.requests.groupby([run.requests["replication"], session]).agg(
        begin=("intended_start_s", "min"), end=("end_s", "max"), asked=("request", "size")
    )
    # A session that is not over at the end of the run is there until then, whether it asks or thinks.
    spans.loc[(spans["asked"] < 3) | spans["end"].isna(), "end"] = end_s
    area = spans["end"].clip(start_s, end_s) - spans["begin"].clip(start_s, end_s)
    came = spans["begin"].between(start_s, end_s).groupby("replication").sum()
    return area.groupby("replication").sum() / came


@pytest.mark.slow
def test_sessions_present_are_arrivals_times_their_length() -> None:
    """Little's law for sessions: present over arrivals is 2 + 1 + 3 x 0.1 s; not so if they think 5 % longer."""
    theory = 2 + 1 + 3 * 0.1
    longer = {
        "workload.journeys.all.requests.1.think_time.mean": "2.1s",
        "workload.journeys.all.requests.2.think_time.mean": "1.05s",
    }
    here, there = (
        mean_interval(_present_over_arrivals(lab.simulate(_sessions(**each), progress=False)), LEVEL)
        for each in ({}, longer)
    )
    assert here.contains(theory), f"theory {theory:.6g} outside {here}"
    assert not there.contains(theory), f"theory {theory:.6g} inside {there}"


def _requests_per_session(run: lab.Run) -> pd.Series:
    """How many requests a session asked that came early enough to end, by replication."""
    requests = run.requests
    session = requests["request"] // 3
    begin_s = requests.groupby([requests["replication"], session])["intended_start_s"].transform("min")
    early = requests[begin_s < run.window.end_s - 30]
    numbers = early["request"] // 3
    return early.groupby("replication").size() / numbers.groupby(early["replication"]).nunique()


@pytest.mark.slow
def test_a_session_that_fails_asks_for_less() -> None:
    """Answered in time with probability q = 1 - exp(-2): 1 + q + q^2 requests a session, not so with 5 % more work."""
    in_time = 1 - np.exp(-2)
    theory = 1 + in_time + in_time**2
    here, there = (
        mean_interval(_requests_per_session(lab.simulate(_sessions(**each), progress=False)), LEVEL)
        for each in (
            {"client.timeout": "200ms"},
            {"client.timeout": "200ms", "components.api.endpoints.get.0.time.mean": "105ms"},
        )
    )
    assert here.contains(theory), f"theory {theory:.6g} outside {here}"
    assert not there.contains(theory), f"theory {theory:.6g} inside {there}"


@pytest.mark.slow
def test_arrivals_are_poisson_around_their_rate() -> None:
    """Counts in 50 windows of a spike upon a swing: mean and variance over the integral are 1, not 5 % off."""
    spike = {"kind": "spike", "base": "2/s", "peak": "20/s", "at": "30s", "rise": "5s", "hold": "10s", "fall": "5s"}
    day = {"kind": "diurnal", "mean": "13/s", "period": "100s", "peak_at": "20s"}
    rate = _RATE.validate_python({"kind": "sum", "of": [spike, day, "1/s"]})
    edges = np.linspace(0, 100, 51)
    integral = np.array([arrivals_expected(rate, end) if end else 0.0 for end in edges])
    expected = np.diff(integral)
    means, spreads, crowded = [], [], []
    for replication in range(500):
        times = draw_arrivals(rate, 100.0, lambda name, r=replication: Stream(seed=9, replication=r, name=name))  # type: ignore[misc]
        counts = np.histogram(times, edges)[0]
        # A crowd that is no Poisson stream: one in forty brings another one along.
        company = np.histogram(times[::40], edges)[0]
        means.append(counts.sum() / expected.sum())
        spreads.append(((counts - expected) ** 2 / expected).mean())
        crowded.append((((counts + company) - 1.025 * expected) ** 2 / (1.025 * expected)).mean())
    mean, spread = mean_interval(means, LEVEL), mean_interval(spreads, LEVEL)
    assert mean.contains(1.0)
    assert not mean.contains(1.05)
    assert spread.contains(1.0), f"{spread}"
    assert spread.high < 1.05
    assert not mean_interval(crowded, LEVEL).contains(1.0)


@pytest.mark.slow
def test_a_herd_at_once_is_its_own_queue_and_jitter_spreads_it() -> None:
    """600 clients, 30 slots, 100 ms: served in 2 s if they come at once, 6 under way in a swarm over 10 s (Little)."""
    api = {"kind": "service", "concurrency": 30, "endpoints": {"get": [{"kind": "wait", "time": "100ms"}]}}

    def swarm(jitter: str) -> lab.Scenario:
        herd = {"kind": "herd", "clients": 600, "at": "1s", "jitter": jitter}
        return lab.Scenario.model_validate(
            {
                "name": "herd",
                "workload": {"kind": "open", "arrival_rate": herd, "endpoints": {"get": "100%"}},
                "entry": "api",
                "components": {"api": api},
                "run": {"duration": "21s", "replications": 12, "seed": 2},
            }
        )

    crowd = lab.simulate(swarm("0s"), progress=False, allow_unstable=True).requests
    assert len(crowd) == 600 * 12
    assert crowd["sojourn_time_s"].max() == pytest.approx(600 / 30 * 0.1)
    assert crowd.groupby("replication")["sojourn_time_s"].mean().to_numpy() == pytest.approx((1 + 20) / 2 * 0.1)
    inside = {}
    for jitter in ("10s", "10.5s"):
        stays = lab.simulate(swarm(jitter), progress=False, allow_unstable=True).requests
        spans = stays["end_s"].clip(2, 10) - stays["intended_start_s"].clip(2, 10)
        inside[jitter] = mean_interval(spans.groupby(stays["replication"]).sum() / 8, LEVEL)
        assert stays["sojourn_time_s"].max() < 0.2
    assert inside["10s"].contains(6.0)
    assert not inside["10.5s"].contains(6.0)


def _dispersion(spec: object, *, counted_s: float, windows: int) -> Interval:
    """Variance over mean of counts in ten runs of so many windows."""
    rate, ratios = _RATE.validate_python(spec), []
    for replication in range(10):

        def stream(name: str, replication: int = replication) -> Stream:
            return Stream(seed=1, replication=replication, name=name)

        arrivals = draw_arrivals(rate, counted_s * windows, stream)
        counts, _ = np.histogram(arrivals, bins=windows, range=(0, counted_s * windows))
        ratios.append(float(counts.var(ddof=1) / counts.mean()))
    return mean_interval(ratios, LEVEL)


def test_who_brings_others_along_comes_in_bursts() -> None:
    """Counts of a Hawkes process vary as its theory says, and not as with 5 % more brought; its rate likewise."""
    spec = {"kind": "hawkes", "base": "1/s", "brought": "80%", "delay": "200ms"}
    seen = _dispersion(spec, counted_s=20.0, windows=100)
    expected, off = (
        bursts.hawkes_dispersion(brought=brought, delay_s_mean=0.2, counted_s=20.0) for brought in (0.8, 0.84)
    )
    assert seen.low <= expected <= seen.high < off


def test_a_rate_that_switches_comes_in_bursts() -> None:
    """Counts vary as the Markov-modulated process says, and not as with phases 5 % further apart in their rates."""
    spec = {"kind": "modulated", "phases": [{"rate": "200/s", "mean": "200ms"}, {"rate": "20/s", "mean": "300ms"}]}
    seen = _dispersion(spec, counted_s=5.0, windows=400)
    stays_s = {"stays_s_mean": (0.2, 0.3), "counted_s": 5.0}
    assert seen.low <= bursts.modulated_dispersion(rates_per_s=(200.0, 20.0), **stays_s) <= seen.high
    assert seen.high < bursts.modulated_dispersion(rates_per_s=(210.0, 10.0), **stays_s)


def test_a_switching_rate_makes_the_queue_of_its_theory() -> None:
    """MMPP/M/1: phases of 120/s, more than the 100/s that are served, and of 20/s; 5 % more work is rejected."""
    scenario = lab.Scenario.model_validate(
        {
            "name": "switching",
            "workload": {
                "kind": "open",
                "arrival_rate": {
                    "kind": "modulated",
                    "phases": [{"rate": "120/s", "mean": "20ms"}, {"rate": "20/s", "mean": "80ms"}],
                },
                "endpoints": {"get": "100%"},
            },
            "entry": "api",
            "components": {
                "api": {"kind": "service", "endpoints": {"get": [{"kind": "cpu", "time": _exponential("10ms")}]}}
            },
            "run": {"duration": "105s", "warm_up": "5s", "replications": 16, "seed": 5},
        }
    )
    seen = _interval(scenario, "sojourn_time_s_mean")
    expected, off = (
        modulated_mm1.number_in_system_mean(
            rates_per_s=[120.0, 20.0], stays_s_mean=[0.02, 0.08], service_time_s=service_time_s
        )
        / 40.0
        for service_time_s in (0.01, 0.0105)
    )
    assert seen.low <= expected <= seen.high < off


def test_bursty_arrivals() -> None:
    """Equally busy, the one whose arrivals bring others keeps them waiting many times as long."""
    scenario = lab.read_scenario(PATTERNS / "bursty_arrivals.yaml")
    shared = lab.simulate(scenario, progress=False).per_replication("sojourn_time_s_mean")
    steady = _interval(scenario.with_({"workload.arrival_rate": "60/s"}), "sojourn_time_s_mean")
    assert shared.median() > 4 * steady.high
    assert shared.mean() > 8 * steady.high
    assert steady.low < mm1.sojourn_time_s_mean(arrival_rate_per_s=60, service_time_s=0.01) < steady.high
