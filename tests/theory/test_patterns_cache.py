"""What the caches' lessons show: who pays for an expiry, what a cold start costs, what a second tier is good for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import lab

PATTERNS = Path(__file__).parents[2] / "scenarios" / "patterns"


def _run(name: str, changes: dict[str, Any] | None = None) -> lab.Run:
    scenario = lab.read_scenario(PATTERNS / f"{name}.yaml").with_(changes or {})
    return lab.simulate(scenario, progress=False, allow_unstable=True)


def _difference(before: lab.Run, after: lab.Run, metric: str, subject: str = "all") -> pd.Series:
    """The row of one figure: before, after, and the ends of the interval of the difference."""
    rows = lab.difference(before, after)
    return rows[(rows["metric"] == metric) & (rows["subject"] == subject)].iloc[0]


def _queries_an_expiry(run: lab.Run) -> pd.Series:
    queries = run.visits[(run.visits["component"] == "main") & (run.visits["arrival_s"] > 10.0)]
    begins = queries.sort_values(["replication", "arrival_s"]).groupby("replication", observed=True)["arrival_s"]
    return queries.groupby(
        [queries["replication"], (begins.diff() > 2.0).groupby(queries["replication"]).cumsum()]
    ).size()


@pytest.mark.slow
def test_a_stampede_is_as_large_as_its_protection_lets_it_be() -> None:
    """An expiry costs some 25 queries; 4 with single flight (one a replica), 1 with a lock.

    Early refreshes are some three an expiry, stale-while-revalidate makes one; both leave p99 at one access.
    """
    key = "components.pages.stampede_protection"
    words = ("none", "single_flight", "lock", "early_refresh", "stale_while_revalidate")
    runs = {word: _run("cache_stampede", {key: word}) for word in words}
    queries = {word: _queries_an_expiry(run) for word, run in runs.items()}
    assert queries["none"].mean() > 15
    assert set(queries["single_flight"]) == {4}
    assert set(queries["lock"]) == {1}
    assert 1.5 < queries["early_refresh"].mean() < 5
    assert set(queries["stale_while_revalidate"]) == {1}
    none = runs["none"]
    for word in words[1:]:
        assert _difference(none, runs[word], "sojourn_time_s_p99")["high"] < 0
    assert none.value("sojourn_time_s_p99") > 1.0
    assert 0.2 < runs["single_flight"].value("sojourn_time_s_p99") < 0.5
    for word in words[3:]:
        assert runs[word].value("sojourn_time_s_p99") == pytest.approx(0.0005)


@pytest.mark.slow
def test_a_cold_cache_asks_more_of_the_database_than_it_can() -> None:
    """Started warm nobody fails; started cold more than a fifth do in the first 5 s, and some still after 10 s."""
    warm = {"components.items.warm": {"kind": "most_popular", "entries": 2500}}
    cold, hot = _run("cold_cache"), _run("cold_cache", warm)
    assert hot.value("error_ratio") < 0.002
    failed = cold.requests.assign(failed=cold.requests["outcome"] == "error")
    begins_s = failed["intended_start_s"]
    assert failed[begins_s < 5.0]["failed"].mean() > 0.2
    assert failed[begins_s.between(10.0, 20.0)]["failed"].mean() > 0.01
    assert failed[begins_s > 30.0]["failed"].mean() < 0.01
    assert _difference(hot, cold, "sojourn_time_s_mean")["low"] > 0.02


@pytest.mark.slow
def test_a_tier_in_each_process_relieves_the_shared_cache_and_not_the_database() -> None:
    """Half of the look-ups end in the process, but nearly as many queries remain: it holds what is shared anyway."""
    tiers, alone = _run("two_tiers"), _run("two_tiers", {"components.in_process.ttl": "1us"})
    look_ups, queries = (
        {
            run: int((run.visits["component"].eq(part) & run.visits["operation"].eq(verb)).sum())
            for run in (tiers, alone)
        }
        for part, verb in (("shared", "get"), ("main", "get"))
    )
    assert look_ups[tiers] < 0.55 * look_ups[alone]
    assert queries[tiers] > 0.9 * queries[alone]
    expected = tiers.value("hit_ratio", "in_process")
    assert _difference(alone, tiers, "sojourn_time_s_mean")["high"] < 0
    assert 0.45 < expected < 0.65
