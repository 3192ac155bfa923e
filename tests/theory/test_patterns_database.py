"""What the lessons of the database show, by variants on common random numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import lab

PATTERNS = Path(__file__).parents[2] / "scenarios" / "patterns"


def _run(name: str, **changes: Any) -> lab.Run:
    scenario = lab.read_scenario(PATTERNS / f"{name}.yaml").with_(changes)
    return lab.simulate(scenario, progress=False, allow_unstable=True)


@pytest.mark.slow
def test_a_larger_pool_moves_the_wait_and_an_overflow_pays_for_it() -> None:
    """Two connections a replica wait for each other; twenty wait for the cores; overflow is opened anew each time."""
    pool = "components.main.pool.{}".format
    few = _run("connection_pool", **{pool("size"): 2, pool("overflow"): 0})
    fitting = _run("connection_pool", **{pool("size"): 5, pool("overflow"): 0})
    many = _run("connection_pool", **{pool("size"): 20, pool("overflow"): 0})
    waits = {
        run: [run.value("waiting_time_s_mean", part) for part in ("main", "main.server")]
        for run in (few, fitting, many)
    }
    assert waits[few][0] > 5 * waits[fitting][0] > 5 * waits[many][0]
    assert waits[few][1] < waits[fitting][1] < waits[many][1]
    # Beyond what the cores need a connection gains nothing: the waits together are the same.
    assert sum(waits[many]) == pytest.approx(sum(waits[fitting]), rel=0.15)
    overflowing = _run("connection_pool", **{pool("size"): 2, pool("overflow"): 13})
    opened = overflowing.visits[overflowing.visits["component"] == "main"]["service_time_s"] > 0.005
    assert opened.mean() > 0.1
    assert overflowing.value("sojourn_time_s_mean") > fitting.value("sojourn_time_s_mean")


@pytest.mark.slow
def test_fifty_one_round_trips_cost_fifty_one_times_the_way() -> None:
    """51 x 1.036 ms against 1.036 + 1.95: the distance decides; on loopback the page would take 4.4 ms."""
    batch = {
        "components.api.endpoints.order.1.repeat": 1,
        "components.api.endpoints.order.1.query": "items_of_order",
    }
    assert _run("n_plus_one").value("sojourn_time_s_p50") == pytest.approx(51 * 1.036e-3, rel=0.01)
    assert _run("n_plus_one", **batch).value("sojourn_time_s_p50") == pytest.approx(2.986e-3, rel=0.01)
    near = _run("n_plus_one", **{"components.main.round_trip": "50us"})
    assert near.value("sojourn_time_s_p50") == pytest.approx(4.4e-3, rel=0.01)
    assert not all(result.met for result in _run("n_plus_one").objectives())


@pytest.mark.slow
def test_replicas_carry_the_reads_and_miss_some_writes() -> None:
    """The primary alone is overloaded; three servers are not; fewest reads are stale where fresh keys are pinned."""
    policy = "components.main.read_policy"
    alone, spread = _run("read_replicas", **{policy: "primary"}), _run("read_replicas")
    assert alone.value("goodput_per_s") < 230
    assert spread.value("goodput_per_s") > 290
    assert all(result.met for result in spread.objectives())
    replicas = _run("read_replicas", **{policy: "replicas"})
    pinned = _run("read_replicas", **{policy: "read_your_writes", "components.main.pin": "500ms"})
    stale = [run.value("stale_ratio", "main.server") for run in (alone, pinned, spread, replicas)]
    assert stale[0] == 0
    assert stale == sorted(stale)
    assert stale[1] < stale[2] / 10
    assert 0.002 < stale[3] < 0.1


@pytest.mark.slow
def test_a_scan_grows_until_the_database_is_full() -> None:
    """4 cores / (60/s x 90 % x 55 ns) = 1.35 million rows, 46 s into the import; with an index nothing happens."""
    scan, index = (
        _run("missing_index"),
        _run("missing_index", **{"components.main.queries.search.plan": {"kind": "index"}}),
    )
    timeline = scan.timeline(5.0)
    waiting = timeline[(timeline["metric"] == "number_waiting_mean") & (timeline["subject"] == "main.server")]
    by_time = waiting.groupby("time_s")["value"].mean()
    assert by_time[by_time.index < 30].max() < 1
    assert by_time[by_time.index >= 55].min() > 5
    assert scan.value("sojourn_time_s_p95") > 0.1 > 10 * index.value("sojourn_time_s_p99")
