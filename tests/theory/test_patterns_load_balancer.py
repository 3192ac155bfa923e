"""What the lessons about load balancers show, by variants of each scenario in the same world."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import lab

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::lab.experiment.simulate.OverloadWarning")]

PATTERNS = Path(__file__).parents[2] / "scenarios" / "patterns"


def _variant(name: str, **edge: Any) -> lab.Run:
    scenario = lab.read_scenario(PATTERNS / f"{name}.yaml")
    changes = {f"components.edge.{key}": value for key, value in edge.items()}
    return lab.simulate(scenario.with_(changes), progress=False, allow_unstable=True)


def _change(before: lab.Run, after: lab.Run, metric: str, subject: str = "all") -> Any:
    return lab.difference(before, after).set_index(["metric", "subject"]).loc[(metric, subject)]


def test_balancing_algorithms() -> None:
    """Who looks at what is under way halves the tail, and looking at two of four gets most of the way.

    Taking turns spreads the arrivals better than one draw does, yet its tail is as long: who comes after a long one is
    sent there all the same.
    """
    one_draw = _variant("balancing_algorithms", algorithm="random", draws=1)
    in_turn = _variant("balancing_algorithms")
    two_draws = _variant("balancing_algorithms", algorithm="random")
    fewest = _variant("balancing_algorithms", algorithm="leastconn")
    p95 = [run.value("sojourn_time_s_p95") for run in (in_turn, two_draws, fewest)]
    assert p95[1] < 0.65 * p95[0]
    assert p95[2] < 0.75 * p95[1]
    assert _change(in_turn, two_draws, "sojourn_time_s_p95")["high"] < 0
    assert _change(two_draws, fewest, "sojourn_time_s_p95")["high"] < 0
    assert _change(one_draw, in_turn, "sojourn_time_s_p50")["high"] < 0
    assert in_turn.value("sojourn_time_s_p95") > 0.85 * one_draw.value("sojourn_time_s_p95")


def test_hot_key_hashing() -> None:
    """A home for each key makes caches in the replicas hit more, and the hottest key's home the bottleneck.

    How far it overloads its home is the luck of the hash: here HAProxy sends 32 % to the busiest of four.
    """
    homes = _variant("hot_key_hashing")
    anywhere = _variant("hot_key_hashing", algorithm="leastconn", hash_type="map_based", weights=None)
    assert homes.value("hit_ratio", "remembered") > anywhere.value("hit_ratio", "remembered") + 0.1
    assert homes.value("sojourn_time_s_p99") > 2 * anywhere.value("sojourn_time_s_p99")
    visits = homes.visits[homes.visits["component"] == "edge"]
    shares = visits["replica"].value_counts(normalize=True)
    assert shares.max() > 0.3
    hottest = visits.merge(homes.requests[["replication", "request", "key"]])
    assert hottest[hottest["key"] == 0]["replica"].unique().tolist() == [shares.idxmax()]


def test_hot_key_within_bounds() -> None:
    """A bound on each replica's work sends the hottest key to a second one: the tail goes, most hits stay."""
    homes = _variant("hot_key_hashing")
    bounded = _variant("hot_key_hashing", hash_balance_factor=150)
    anywhere = _variant("hot_key_hashing", algorithm="leastconn", hash_type="map_based", weights=None)
    assert bounded.value("sojourn_time_s_p99") < 0.5 * homes.value("sojourn_time_s_p99")
    assert bounded.value("hit_ratio", "remembered") > anywhere.value("hit_ratio", "remembered") + 0.05
    visits = bounded.visits[bounded.visits["component"] == "edge"]
    assert visits["replica"].value_counts(normalize=True).max() < 0.28


def _answered(run: lab.Run, since_s: float, until_s: float) -> float:
    """The share of the requests sent in this time that were answered well."""
    sent = run.requests[run.requests["intended_start_s"].between(since_s, until_s)]
    return float((sent["outcome"] == "ok").mean())


def test_abandoned_in_the_queue() -> None:
    """The overload lasts from 10 to 40 s, at 5/4 of what can be served; patience is 1 s.

    Nearly everybody is served too late, also after the overload, while the replicas are busy all the time. Dropping who
    has gone ends that with the overload. During it, it helps little: whoever is served has nearly run out of patience,
    and gives up in service. A queue of half the patience serves nearly as many as can be.
    """
    served_late = _variant("abandoned_in_the_queue")
    dropped = _variant("abandoned_in_the_queue", abort_on_close=True)
    short_queue = _variant("abandoned_in_the_queue", queue_timeout="500ms")
    assert _answered(served_late, 13, 40) < 0.1
    assert _answered(served_late, 40, 42) < 0.05
    assert _answered(dropped, 42, 60) > 0.99
    assert 0.15 < _answered(dropped, 13, 40) < 0.4
    assert 0.7 < _answered(short_queue, 13, 40) < 0.82  # 160 of 200 a second is all that can be served
    assert _answered(short_queue, 42, 60) > 0.99
