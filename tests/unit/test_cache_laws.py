"""The laws of caches: kept by the lab's own, and broken by one that serves what it should not."""

from __future__ import annotations

import pytest

import lab
from lab.validation.cache_laws import cache_laws


@pytest.fixture(scope="module")
def run() -> lab.Run:
    """A shared cache with a life of 1 s, asked 50 times a second for 20 keys."""
    look_up = {"kind": "cached", "cache": "items", "miss": [{"kind": "wait", "time": "5ms"}]}
    scenario = lab.Scenario.model_validate(
        {
            "name": "laws",
            "workload": {
                "kind": "open",
                "arrival_rate": "50/s",
                "endpoints": {"get": "100%"},
                "keys": {"kind": "uniform", "count": 20},
            },
            "entry": "api",
            "components": {
                "api": {"kind": "service", "endpoints": {"get": [look_up]}},
                "items": {"kind": "cache", "ttl": "1s"},
            },
            "run": {"duration": "10s", "replications": 2},
        }
    )
    return lab.simulate(scenario, progress=False)


def test_a_true_cache_keeps_them(run: lab.Run) -> None:
    """There are hits, and each is of something that was stored less than a second ago."""
    assert (run.visits["hit"] == True).sum() > 100  # noqa: E712  # a column of three values
    assert list(cache_laws(lab.Scenario.model_validate(run.scenario), run.requests, run.visits)) == []


def test_serving_what_nobody_stored_is_caught(run: lab.Run) -> None:
    """Without the writes the hits come from nowhere."""
    scenario = lab.Scenario.model_validate(run.scenario)
    visits = run.visits[run.visits["operation"] != "set"]
    (said,) = cache_laws(scenario, run.requests, visits)
    assert "entries that nobody had stored" in said


def test_serving_what_is_too_old_is_caught(run: lab.Run) -> None:
    """Had the scenario promised a life of half a second, this run would break the law."""
    scenario = lab.Scenario.model_validate(run.scenario).with_({"components.items.ttl": "500ms"})
    (said,) = cache_laws(scenario, run.requests, run.visits)
    assert "more than 0.500000 s" in said


def test_a_cache_of_a_replica_must_be_stored_into_by_that_replica(run: lab.Run) -> None:
    """What another replica stored does not count."""
    scenario = lab.Scenario.model_validate(run.scenario).with_({"components.items.scope": "replica"})
    elsewhere = run.visits.assign(replica=run.visits["replica"].where(run.visits["operation"] != "set", 1))
    assert list(cache_laws(scenario, run.requests, run.visits)) == []
    (said,) = cache_laws(scenario, run.requests, elsewhere)
    assert "nobody had stored" in said
