"""Ways of balancing against theory by 99.9 % intervals, which reject the theory of servers 5 % slower.

Each server works on one request at a time, and who is sent there waits there; so a balancer that looks at the requests
under way looks at queue lengths.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq

import lab
from lab.scenario.schedule import draw_schedule
from lab.simulation.load_balancer.hashed import sdbm
from lab.simulation.replicate import replicate
from lab.theory import join_shortest, mm1, mmc, zipf
from lab.theory.intervals import mean_interval

LEVEL = 0.999
SERVICE_S = 0.01
REPLICATIONS = 20
REQUESTS = 3000


def _scenario(edge: dict[str, Any], *, servers: int, utilisation: float) -> lab.Scenario:
    return lab.Scenario.model_validate(
        {
            "name": "balanced",
            "workload": {
                "kind": "open",
                "arrival_rate": f"{servers * utilisation / SERVICE_S}/s",
                "endpoints": {"get": "100%"},
                "keys": {"kind": "zipf", "exponent": 1.0, "count": 50},
            },
            "entry": "edge",
            "components": {
                "edge": {"kind": "load_balancer", "targets": "api"} | edge,
                "api": {
                    "kind": "service",
                    "replicas": servers,
                    "concurrency": 1,
                    "endpoints": {"get": [{"kind": "wait", "time": {"kind": "exponential", "mean": "10ms"}}]},
                },
            },
            "run": {"duration": f"{REQUESTS * SERVICE_S / servers / utilisation}s"},
        }
    )


def _shortest_s(service_s: float, *, choices: int, servers: int, utilisation: float, replacement: bool = True) -> float:
    return join_shortest.sojourn_time_s_mean(
        utilisation=utilisation * service_s / SERVICE_S,
        service_time_s=service_s,
        servers=servers,
        choices=choices,
        replacement=replacement,
    )


def _in_turn_s(service_s: float, *, servers: int, utilisation: float) -> float:
    """Every ``servers``-th arrival of a Poisson stream comes to a server: E_k/M/1, by the root of its equation.

    Source: Kleinrock (1975), Queueing Systems I, chapter 6: sigma = A*(mu (1 - sigma)), mean stay 1 / (mu (1 - sigma)).
    """
    rate_per_s, done_per_s = servers * utilisation / SERVICE_S, 1 / service_s

    def off(sigma: float) -> float:
        return float((rate_per_s / (rate_per_s + done_per_s * (1 - sigma))) ** servers - sigma)

    sigma = float(brentq(off, 0.0, 1.0 - 1e-9))
    return service_s / (1 - sigma)


def _alone_s(service_s: float, shares: list[float], utilisation: float) -> float:
    """Each server is an M/M/1 of its own, with its share of the arrivals of all."""
    rate_per_s = len(shares) * utilisation / SERVICE_S
    each = [
        mm1.sojourn_time_s_mean(arrival_rate_per_s=share * rate_per_s, service_time_s=service_s) for share in shares
    ]
    return float(np.dot(shares, each))


def _shares_of_keys(servers: int) -> list[float]:
    """What the keys of each server are asked for, by the table of their hashes."""
    popularity = zipf.probabilities(exponent=1.0, count=50)
    homes = np.array([sdbm(str(key)) % servers for key in range(50)])
    return [float(popularity[homes == server].sum()) for server in range(servers)]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A way to balance so many servers at this utilisation, and the mean sojourn time that theory says it leads to.

    Attributes:
        theory_s: from the mean service time in seconds, at the same arrivals.
    """

    name: str
    edge: dict[str, Any]
    servers: int
    utilisation: float
    theory_s: Callable[[float], float]

    def __str__(self) -> str:
        return self.name


CASES = [
    Case(
        name="one draw is M/M/1",
        edge={"algorithm": "random", "draws": 1},
        servers=3,
        utilisation=0.6,
        theory_s=lambda service_s: _alone_s(service_s, [1 / 3] * 3, 0.6),
    ),
    Case(
        name="two draws of two, the same one half of the time",
        edge={"algorithm": "random"},
        servers=2,
        utilisation=0.7,
        theory_s=lambda service_s: _shortest_s(service_s, choices=2, servers=2, utilisation=0.7),
    ),
    Case(
        name="two draws of four",
        edge={"algorithm": "random"},
        servers=4,
        utilisation=0.7,
        theory_s=lambda service_s: _shortest_s(service_s, choices=2, servers=4, utilisation=0.7),
    ),
    Case(
        name="fewest under way joins the shortest queue",
        edge={"algorithm": "leastconn"},
        servers=3,
        utilisation=0.8,
        theory_s=lambda service_s: _shortest_s(service_s, choices=3, servers=3, utilisation=0.8, replacement=False),
    ),
    Case(
        name="one connection each is M/M/c",
        edge={"algorithm": "leastconn", "max_connections_per_server": 1, "queue_timeout": "1h"},
        servers=3,
        utilisation=0.8,
        theory_s=lambda service_s: mmc.sojourn_time_s_mean(
            arrival_rate_per_s=240.0, service_time_s=service_s, servers=3
        ),
    ),
    Case(
        name="in turn is E_k/M/1",
        edge={"algorithm": "roundrobin"},
        servers=3,
        utilisation=0.7,
        theory_s=lambda service_s: _in_turn_s(service_s, servers=3, utilisation=0.7),
    ),
    Case(
        name="two different ones of four",
        edge={"kind": "nginx", "algorithm": "random_two"},
        servers=4,
        utilisation=0.7,
        theory_s=lambda service_s: _shortest_s(service_s, choices=2, servers=4, utilisation=0.7, replacement=False),
    ),
    Case(
        name="two different ones of two join the shorter queue",
        edge={"kind": "nginx", "algorithm": "random_two"},
        servers=2,
        utilisation=0.7,
        theory_s=lambda service_s: _shortest_s(service_s, choices=2, servers=2, utilisation=0.7, replacement=False),
    ),
    Case(
        name="the least busy of three draws of three, with replacement",
        edge={"kind": "envoy", "algorithm": "least_request", "choice_count": 3},
        servers=3,
        utilisation=0.7,
        theory_s=lambda service_s: _shortest_s(service_s, choices=3, servers=3, utilisation=0.7),
    ),
    Case(
        name="weights share the arrivals",
        edge={"algorithm": "random", "draws": 1, "weights": [30, 10]},
        servers=2,
        utilisation=0.45,
        theory_s=lambda service_s: _alone_s(service_s, [0.75, 0.25], 0.45),
    ),
    Case(
        name="keys wait for their server",
        edge={"algorithm": "uri", "max_connections_per_server": 1, "queue_timeout": "1h"},
        servers=3,
        utilisation=0.4,
        theory_s=lambda service_s: _alone_s(service_s, _shares_of_keys(3), 0.4),
    ),
]


def _sojourn_s(case: Case, replication: int) -> float:
    """Return the mean sojourn time of one replication, its first twentieth left out."""
    described = _scenario(case.edge, servers=case.servers, utilisation=case.utilisation)
    schedule = draw_schedule(described, seed=1, replication=replication)
    requests = replicate(described, schedule, seed=1, replication=replication).requests
    done = [time_s for time_s in requests["sojourn_time_s"][len(schedule) // 20 :] if not math.isnan(time_s)]
    return float(np.mean(done))


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_interval_holds_the_theory_and_rejects_that_of_a_twin(case: Case) -> None:
    """The mean sojourn time agrees with theory, and not with the theory of servers 5 % slower or 5 % faster."""
    interval = mean_interval([_sojourn_s(case, replication) for replication in range(REPLICATIONS)], LEVEL)
    theory_s = case.theory_s(SERVICE_S)
    assert interval.contains(theory_s), f"theory {theory_s:.6g} outside {interval}"
    for off in (0.95, 1.05):
        twin_s = case.theory_s(SERVICE_S * off)
        assert not interval.contains(twin_s), f"theory {twin_s:.6g} of service times x {off} inside {interval}"
