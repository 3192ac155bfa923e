"""The laws of a cdn: kept by the lab's own, and broken by one that serves or fetches what it should not."""

from __future__ import annotations

import pytest

import lab
from lab.validation.cdn_laws import broken_cdn_laws


@pytest.fixture(scope="module")
def run() -> lab.Run:
    """Two places that keep answers for a second, asked 50 times a second for 10 keys; a fetch takes 100 ms."""
    scenario = lab.Scenario.model_validate(
        {
            "name": "laws",
            "workload": {
                **{"kind": "open", "arrival_rate": "50/s", "endpoints": {"get": "100%"}},
                "keys": {"kind": "uniform", "count": 10},
            },
            "entry": "edge",
            "components": {
                "edge": {"kind": "cdn", "targets": "api", "points_of_presence": 2, "max_age": {"get": "1s"}},
                "api": {"kind": "service", "endpoints": {"get": [{"kind": "wait", "time": "100ms"}]}},
            },
            "run": {"duration": "10s", "replications": 2},
        }
    )
    return lab.simulate(scenario, progress=False)


def test_a_true_cdn_keeps_them(run: lab.Run) -> None:
    """There are hits, and requests that were collapsed."""
    assert (run.visits["hit"] == True).sum() > 100  # noqa: E712  # a column of three values
    assert (run.visits["operation"] == "collapsed").sum() > 10
    assert list(broken_cdn_laws(lab.Scenario.model_validate(run.scenario), run.requests, run.visits)) == []


def test_serving_what_nobody_fetched_is_caught(run: lab.Run) -> None:
    """What the other place has fetched does not count."""
    scenario = lab.Scenario.model_validate(run.scenario)
    elsewhere = run.visits.assign(replica=run.visits["replica"].where(run.visits["hit"] != True, 5))  # noqa: E712
    (said,) = broken_cdn_laws(scenario, run.requests, elsewhere)
    assert "answers that nobody had fetched" in said


def test_serving_what_is_too_old_is_caught(run: lab.Run) -> None:
    """Had the scenario promised half a second, this run would break the law."""
    scenario = lab.Scenario.model_validate(run.scenario).with_({"components.edge.max_age.get": "500ms"})
    (said,) = broken_cdn_laws(scenario, run.requests, run.visits)
    assert "longer than it may" in said


def test_fetching_twice_at_once_is_caught(run: lab.Run) -> None:
    """Had nobody waited, those who did would have been fetches at the same time."""
    scenario = lab.Scenario.model_validate(run.scenario)
    nobody_waits = run.visits[run.visits["operation"] != "collapsed"]
    said = list(broken_cdn_laws(scenario, run.requests, nobody_waits))
    assert said
    assert all("times while it was being fetched" in each for each in said)
