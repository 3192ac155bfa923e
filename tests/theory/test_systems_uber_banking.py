"""What the systems Uber and mobile banking show: what one hot cell, one hot account and one lost primary do to all."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import lab
from lab.measurement.render import deployment
from lab.validation.case import read_cases
from lab.validation.laws import broken_laws

SCENARIOS = Path(__file__).parents[2] / "scenarios"
_CALM = {"workload.arrival_rate": "12000/s", "workload.keys.hot": [], "run.duration": "12s"}


@cache
def _system(name: str) -> lab.Scenario:
    return lab.read_scenario(SCENARIOS / "systems" / f"{name}.yaml")


def _simulated(scenario: lab.Scenario, replications: int = 3) -> lab.Run:
    return lab.simulate(scenario, replications=replications, progress=False, allow_unstable=True)


@cache
def _design(system: str, name: str) -> lab.Run:
    return _simulated(_system(system).design(name))


def _failed(run: lab.Run, *, hot: bool, endpoint: str | None = None) -> float:
    """Return the share that failed of the requests that were due while the stadium's line was long."""
    asked = run.requests[run.requests["intended_start_s"].between(4, 9)]
    asked = asked[(asked["key"] // 16 == 7) == hot]
    if endpoint is not None:
        asked = asked[asked["endpoint"] == endpoint]
    return float((asked["outcome"] != "ok").mean())


@pytest.mark.slow
def test_a_hot_cell_stops_all_cities_through_the_slots() -> None:
    """Three shards are half idle, and yet requests of their cells fail; more processes and more shards do not help."""
    was = _design("uber", "as it was")
    assert _failed(was, hot=True) > 0.4
    assert _failed(was, hot=False) > 0.15
    waits_s = [was.value("waiting_time_s_mean", f"index.shard_{shard}.server") for shard in range(4)]
    assert max(waits_s) > 5 * sorted(waits_s)[-2]
    for name in ("twice the processes", "twice the shards", "a budget for retries"):
        assert _design("uber", name).value("error_ratio") > 0.1
    brief, small = _design("uber", "short waits for the index"), _design("uber", "smaller cells")
    assert _failed(brief, hot=False) < 0.5 * _failed(was, hot=False)
    assert _failed(brief, hot=True) > 0.15
    assert small.value("error_ratio") < 0.01


@pytest.mark.slow
def test_together_the_fixes_hold_what_none_holds_alone() -> None:
    """Small cells keep the errors away, but rides need the first eight of ten as well."""
    small, together = _design("uber", "smaller cells"), _design("uber", "all together")
    assert together.value("error_ratio") < 0.01
    assert together.value("sojourn_time_s_p95", "ride") < 0.75 * small.value("sojourn_time_s_p95", "ride")


@pytest.mark.slow
def test_half_a_percent_fails_as_one_percent_does() -> None:
    """Errors within eight points, twice the goodput; short waits are longer in the smaller slice."""
    for name in ("as it was", "all together"):
        small, large = _design("uber", name), _simulated(_system("uber").design(name).sliced("1%"))
        assert large.value("error_ratio") == pytest.approx(small.value("error_ratio"), abs=0.08)
        assert large.value("goodput_per_s") == pytest.approx(2 * small.value("goodput_per_s"), rel=0.12)
    assert large.value("sojourn_time_s_p95") < small.value("sojourn_time_s_p95")


def _event_loops(scenario: lab.Scenario) -> float:
    frame = lab.arithmetic(scenario.with_(_CALM).sliced()).to_frame()
    busy = frame.query("resource == 'event_loop' and level == 'peak' and cache == 'warm'")
    return float(busy["offered_load"].sum())


@pytest.mark.slow
def test_hops_cost_a_quarter_more_cpu_and_some_tens_of_ms() -> None:
    """Reading each batch once more: 10 ms of 40; a ride, which is no batch, hardly notices."""
    one, five = _system("uber"), _system("uber_microservices")
    assert _event_loops(five) / _event_loops(one) == pytest.approx(1.27, abs=0.03)
    alone, hopping = (_simulated(each.with_(_CALM)) for each in (one, five))
    more_s = lab.difference(alone, hopping).query("metric == 'sojourn_time_s_p50'").set_index("subject")
    assert more_s.loc["near_me", "low"] > 0.015
    assert more_s.loc["near_me", "high"] < 0.06
    assert more_s.loc["ride", "high"] < 0.01
    tails_s = [
        _simulated(five.design(name).with_(_CALM)).value("sojourn_time_s_p95", "ride")
        for name in ("hedged estimates", "the first 8 of 10")
    ]
    assert max(tails_s) < 0.85 * hopping.value("sojourn_time_s_p95", "ride")


@pytest.mark.slow
def test_scaling_a_caller_apart_stops_its_neighbours() -> None:
    """Slots of their own keep reports of other cities better; more searches make the line longer that all share."""
    one, five, more = (
        _design("uber", "as it was"),
        _design("uber_microservices", "five services"),
        _design("uber_microservices", "more searches"),
    )
    assert _failed(five, hot=False, endpoint="locations") < _failed(one, hot=False, endpoint="locations")
    assert _failed(more, hot=False, endpoint="near_me") < _failed(five, hot=False, endpoint="near_me")
    assert _failed(more, hot=False, endpoint="ride") > 2 * _failed(five, hot=False, endpoint="ride")
    assert _design("uber_microservices", "all together").value("error_ratio") < 0.02


_BANK = "mobile_banking"


def _booked(run: lab.Run) -> tuple[int, int]:
    """Return how many answered commits a failover lost, and how many transfers were made twice.

    With synchronous replicas those commits count that were answered; what no replica had is made again.
    """
    commits = run.visits[(run.visits["operation"] == "commit") & (run.visits["outcome"] == "ok")]
    told = commits[commits["component"] == "ledger.replication"]
    made = commits[commits["component"] == "ledger.server"] if told.empty else told
    each = made.groupby(["replication", "request"]).size()
    promoted = run.events.loc[run.events["kind"] == "promoted", "detail"]
    return sum(json.loads(detail)["lost_commits"] for detail in promoted), int((each > 1).sum())


@pytest.mark.slow
def test_one_row_is_too_small_and_no_objective_for_time_is_missed() -> None:
    """139 % of a row, were it locked: transfers take seconds, as Pix's targets allow; asked before, tenths."""
    locked, free = (
        lab.arithmetic(_system(_BANK).design(name).sliced()).row("ledger", "hottest_row", level="peak").utilisation
        for name in ("lock first", "as it was")
    )
    assert locked == pytest.approx(1.39, abs=0.03)
    assert free == pytest.approx(0.044, abs=0.005)  # no arithmetic shows who begins anew
    was, before = _design(_BANK, "as it was"), _design(_BANK, "ask before the transaction")
    assert was.value("sojourn_time_s_p95", "transfer") > 4 * before.value("sojourn_time_s_p95", "transfer")
    for name in ("as it was", "ask before the transaction", "ten rows for an account", "all together"):
        assert [result.met for result in _design(_BANK, name).objectives()[:2]] == [True, True]
    threads = _design(_BANK, "Argon2 in threads")
    assert threads.value("sojourn_time_s_p95", "balance") < 0.1 * was.value("sojourn_time_s_p95", "balance")
    twice = _simulated(_system(_BANK).design("as it was").sliced("8%"), replications=2)
    assert twice.value("goodput_per_s") == pytest.approx(2 * was.value("goodput_per_s"), rel=0.1)
    assert twice.value("sojourn_time_s_p50", "transfer") == pytest.approx(
        was.value("sojourn_time_s_p50", "transfer"), rel=0.4
    )


@pytest.mark.slow
def test_waiting_longer_than_an_app_does_books_twice_unless_there_is_a_key() -> None:
    """Locking first makes a line that is longer than apps wait; what they sent is in it twice."""
    lock = _design(_BANK, "lock first")
    keyed = _simulated(
        _system(_BANK).design("lock first").with_({"components.api.endpoints.transfer.0.idempotent": True})
    )
    assert _booked(lock)[1] > 20
    assert _booked(keyed)[1] == 0
    assert broken_laws(lock) == broken_laws(keyed) == []


@pytest.mark.slow
def test_a_failover_loses_nothing_if_a_replica_has_each_commit() -> None:
    """Asynchronously answered transfers are gone; with a replica and a key none is lost or doubled, which is a law."""
    after = "and the primary is lost"
    was, together = _design(_BANK, f"as it was, {after}"), _design(_BANK, f"all together, {after}")
    assert _booked(was)[0] > 0
    assert _booked(together) == (0, 0)
    assert _booked(_design(_BANK, f"a synchronous replica, {after}"))[0] == 0
    for run in (was, together, _design(_BANK, "all together")):
        assert broken_laws(run) == []
    assert together.value("error_ratio") < 0.25 * was.value("error_ratio")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["uber", "mobile_banking"])
def test_the_twin_can_be_measured(name: str) -> None:
    """Each load has a deployment, and none asks more of this machine than it has."""
    (case,) = read_cases(SCENARIOS / "validation" / "cases", (name,))
    for load in case.loads.values():
        twin = case.base().with_(load.changes)
        document: dict[str, Any] = deployment(twin)
        assert document["entry"] == "edge"
        assert lab.arithmetic(twin).rates_per_s["peak"] <= 150
        assert twin.run.duration <= 20
