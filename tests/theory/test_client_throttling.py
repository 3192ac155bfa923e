"""Client-side throttling against its formula: a backend that rejects all, one that rejects some, and the lesson."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest

import lab
from lab.randomness import Stream
from lab.scenario.client_throttle import Throttle
from lab.simulation.client_throttle import ClientThrottle
from lab.simulation.clock import Clock
from lab.theory import client_throttling
from lab.theory.intervals import Interval, mean_interval

LEVEL = 0.999
PATTERN = Path(__file__).parents[2] / "scenarios" / "patterns" / "client_throttling.yaml"
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::lab.experiment.simulate.OverloadWarning")]


def _sent_of(requests: int, *, clients: int, accepted: int = 0) -> list[int]:
    """How many of so many requests each of many clients sends to a backend that accepts none but the first ones."""
    sent = []
    for client in range(clients):
        throttle = ClientThrottle(
            clock=cast(Clock, SimpleNamespace(now=0.0)),
            draws=Stream(seed=3, replication=client, name="client/throttle"),
            spec=Throttle(),
        )
        for _ in range(accepted):
            throttle.accept()
        sent.append(sum(throttle.permits(number, 0) for number in range(requests)))
    return sent


def test_a_backend_that_rejects_everything_is_sent_a_logarithm_of_it() -> None:
    """Of 200 requests in a window 1 + 1/2 + .. + 1/200 = 5.9 are sent; had one been accepted, it would be noticed."""
    theory = client_throttling.sent_mean(requests=200)
    here = mean_interval(_sent_of(200, clients=4000), LEVEL)
    assert here.contains(theory), f"theory {theory:.6g} outside {here}"
    assert not here.contains(1.05 * theory)
    assert not mean_interval(_sent_of(200, clients=1000, accepted=1), LEVEL).contains(theory)


def _ratio(multiplier: float) -> Interval:
    """How much is sent for each accepted request, five times more wanted than three places can serve."""
    scenario = lab.Scenario.model_validate(
        {
            "name": "overrun",
            "workload": {"kind": "open", "arrival_rate": "300/s", "endpoints": {"get": "100%"}},
            "client": {"throttle": {"multiplier": multiplier, "window": "4s"}},
            "entry": "api",
            "components": {
                "api": {
                    "kind": "service",
                    "concurrency": 3,
                    "backlog": 0,
                    "endpoints": {"get": [{"kind": "wait", "time": {"kind": "exponential", "mean": "40ms"}}]},
                }
            },
            "run": {"duration": "16s", "warm_up": "6s", "replications": 16, "seed": 2},
        }
    )
    requests = lab.simulate(scenario, progress=False, allow_unstable=True).requests
    settled = requests[requests["intended_start_s"] > 6].groupby("replication")
    return mean_interval(settled["attempts"].sum() / settled["outcome"].agg(lambda ends: (ends == "ok").sum()), LEVEL)


def test_an_overrun_backend_sees_k_times_what_it_accepts() -> None:
    """Accepted to sent is as 1 to K; a K that is 5 % more is noticed."""
    sent = client_throttling.sent_rate_per_s(arrival_rate_per_s=300, accepted_rate_per_s=1, multiplier=2)
    here, twin = _ratio(2.0), _ratio(2.1)
    assert here.contains(sent), f"theory {sent:.6g} outside {here}"
    assert not twin.contains(sent), f"theory {sent:.6g} inside {twin}"


def test_who_says_no_decides_what_is_left_for_work() -> None:
    """Turned away at the service, an overload leaves it nothing; held back by clients, most of its capacity."""
    scenario = lab.read_scenario(PATTERN).with_({"run.replications": 2})

    def goodput(run: lab.Run, begin_s: float, end_s: float) -> pd.Series:
        ok = run.requests[(run.requests["outcome"] == "ok") & run.requests["end_s"].between(begin_s, end_s)]
        return ok.groupby("replication").size().reindex(range(len(run.replications)), fill_value=0) / (end_s - begin_s)

    def busy_ratio(run: lab.Run, operation: str) -> float:
        loop = run.visits[(run.visits["component"] == "api.event_loop") & (run.visits["operation"] == operation)]
        within = loop[loop["arrival_s"].between(25, 40)]
        return float(within["service_time_s"].sum() / 15 / len(run.replications))

    def run(**changes: Any) -> lab.Run:
        return lab.simulate(scenario.with_(changes), progress=False, allow_unstable=True)

    held, free, forgets = run(), run(**{"client.throttle": None}), run(**{"client.throttle.window": "10s"})
    # At K = 2 as much is turned away as served: 1 / (10 ms + 3 ms) = 77 a second of the 100 that it could do.
    assert goodput(held, 25, 40).between(70, 84).all()
    assert goodput(free, 25, 40).max() < 5
    assert goodput(held, 45, 60).max() < 45  # of 60 that come: the window remembers
    assert goodput(forgets, 45, 60).min() > 50
    assert busy_ratio(free, "rejection") > 0.6
    assert busy_ratio(held, "rejection") < 0.4
