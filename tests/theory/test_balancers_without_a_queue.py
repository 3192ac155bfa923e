"""Balancers that turn away what finds no place, against Erlang's loss formula by 99.9 % intervals and twins 5 % off."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lab
from lab.scenario.schedule import draw_schedule
from lab.simulation.replicate import replicate
from lab.theory import erlang
from lab.theory.intervals import mean_interval

SERVICE_S = 0.01
SERVERS = 3
REPLICATIONS = 20
REQUESTS = 3500


def _lost(edge: dict[str, Any], *, utilisation: float, replication: int) -> float:
    """Return the share of the requests of one replication that were turned away, the first twentieth left out."""
    rate_per_s = SERVERS * utilisation / SERVICE_S
    described = lab.Scenario.model_validate(
        {
            "name": "loss",
            "workload": {"kind": "open", "arrival_rate": f"{rate_per_s}/s", "endpoints": {"get": "100%"}},
            "entry": "edge",
            "components": {
                "edge": {"targets": "api"} | edge,
                "api": {
                    "kind": "service",
                    "replicas": SERVERS,
                    "endpoints": {"get": [{"kind": "wait", "time": {"kind": "exponential", "mean": "10ms"}}]},
                },
            },
            "run": {"duration": f"{REQUESTS / rate_per_s}s"},
        }
    )
    schedule = draw_schedule(described, seed=2, replication=replication)
    outcomes = replicate(described, schedule, seed=2, replication=replication).requests["outcome"]
    return float(np.mean([outcome in ("error", "rejected") for outcome in outcomes[len(schedule) // 20 :]]))


@pytest.mark.slow
@pytest.mark.parametrize(
    "edge",
    [
        {"kind": "nginx", "algorithm": "random_two", "max_conns": 1},
        {"kind": "envoy", "algorithm": "random", "max_requests": SERVERS},
    ],
    ids=["nginx: one request at each server", "envoy: as many requests as servers, wherever they are"],
)
def test_what_is_turned_away_is_erlangs_loss(edge: dict[str, Any]) -> None:
    """Whoever the balancer chooses, as many places as servers and no queue are M/M/c/c."""
    losses = [_lost(edge, utilisation=0.8, replication=replication) for replication in range(REPLICATIONS)]
    interval = mean_interval(losses, 0.999)
    assert interval.contains(erlang.blocking_probability(offered_load=SERVERS * 0.8, servers=SERVERS))
    for off in (0.95, 1.05):
        assert not interval.contains(erlang.blocking_probability(offered_load=SERVERS * 0.8 * off, servers=SERVERS))
