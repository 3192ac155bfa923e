"""Slices behave like the whole where what is multiplied shares nothing, and two of them tell where it does."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import lab
from lab.experiment.simulate import SliceWarning
from lab.theory import mm1
from lab.theory.intervals import Interval, mean_interval

pytestmark = pytest.mark.slow

LEVEL = 0.999
SERVICE_S, UTILISATION, REPLICAS = 0.05, 0.5, 400
_STEPS = [{"kind": "wait", "time": {"kind": "exponential", "mean": "50ms"}}]


def _fleet(edge: dict[str, Any], *more: dict[str, Any], **parts: Any) -> lab.Scenario:
    return lab.Scenario.model_validate(
        {
            "name": "fleet",
            "workload": {
                "kind": "open",
                "arrival_rate": f"{REPLICAS * UTILISATION / SERVICE_S}/s",
                "endpoints": {"get": "100%"},
            },
            "entry": "edge",
            "components": {
                "edge": {"kind": "load_balancer", "targets": "api", "max_connections_per_server": 10_000} | edge,
                "api": {
                    "kind": "service",
                    "replicas": REPLICAS,
                    "concurrency": 1,
                    "endpoints": {"get": [*_STEPS, *more]},
                },
                **parts,
            },
            "scale": {
                "slice": "10%",
                "of": ["workload.arrival_rate", "components.api.replicas"],
                "because": "each replica works on its own requests",
            },
            "run": {"duration": "12s", "warm_up": "2s", "replications": 10},
        }
    )


def _interval(run: lab.Run, metric: str, subject: str = "all") -> Interval:
    return mean_interval(run.per_replication(metric, subject), LEVEL)


@pytest.mark.parametrize("edge", [{"algorithm": "leastconn"}, {"algorithm": "random", "draws": 1}], ids=str)
def test_slices_of_a_fleet_that_shares_nothing_agree(edge: dict[str, Any]) -> None:
    """A tenth and a twentieth of 400 replicas at half their capacity: the same sojourn times, 40 replicas or 20."""
    whole = _fleet(edge)
    with warnings.catch_warnings():
        warnings.simplefilter("error", SliceWarning)
        tenth, twentieth = (lab.simulate(whole.with_({"scale.slice": s}), progress=False) for s in ("10%", "5%"))
    assert [run.scenario["components"]["api"]["replicas"] for run in (tenth, twentieth)] == [40, 20]
    for metric in ("sojourn_time_s_mean", "sojourn_time_s_p95"):
        assert _interval(tenth, metric).overlaps(_interval(twentieth, metric)), metric
    halved = twentieth.value("goodput_per_s") / tenth.value("goodput_per_s")
    assert halved == pytest.approx(0.5, abs=0.02)


def test_a_slice_under_random_balancing_is_what_theory_says_of_the_whole() -> None:
    """Each replica is an M/M/1 of its own, however many there are."""
    run = lab.simulate(_fleet({"algorithm": "random", "draws": 1}), progress=False)
    rate_per_s = UTILISATION / SERVICE_S
    expected_s = mm1.sojourn_time_s_mean(arrival_rate_per_s=rate_per_s, service_time_s=SERVICE_S)
    assert _interval(run, "sojourn_time_s_mean").contains(expected_s)


def test_a_shared_part_that_is_left_out_tells_in_the_arithmetic_and_in_two_slices() -> None:
    """One core is 80 % busy in the whole, 8 % in a tenth, 4 % in a twentieth: waits there differ between slices."""
    query = {"kind": "query", "database": "main", "query": "one"}
    main = {
        "kind": "database",
        "cores": 1,
        "round_trip": "0s",
        "pool": {"size": 1},
        "queries": {"one": {"kind": "exponential", "mean": "200us"}},
    }
    whole = _fleet({"algorithm": "leastconn"}, query, main=main)
    with pytest.warns(SliceWarning, match=r"main/.* is 80\.0% busy at the peak of the whole, and 8\.0% in the slice"):
        tenth = lab.simulate(whole, progress=False)
    with pytest.warns(SliceWarning, match=r"and 4\.0% in the slice"):
        twentieth = lab.simulate(whole.with_({"scale.slice": "5%"}), progress=False)
    waits = [_interval(run, "waiting_time_s_mean", "main.server") for run in (tenth, twentieth)]
    assert not waits[0].overlaps(waits[1])
    assert tenth.provenance["unlike_the_whole"]
