"""What the lessons of the database show, by variants on common random numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import lab
from lab.validation.laws import broken_laws

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


_HOT = "hot_account"
_BALANCE = "components.main.queries.balance.statement"
_TRANSFER = "components.api.endpoints.transfer.0.{}".format
_AGAIN = {"kind": "exponential", "base": "5ms", "cap": "100ms"}
_RETRIED = {
    **{_BALANCE: "select", "components.main.isolation": "serializable"},
    **{_TRANSFER("retries"): 10, _TRANSFER("backoff"): _AGAIN},
}


def _transfers(**changes: Any) -> lab.Run:
    return _run(_HOT, **{"run.replications": 1, "run.duration": "15s"}, **changes)


def _bystanders_s(run: lab.Run) -> float:
    """The p99 of the transfers between other accounts while the one is hot."""
    requests = run.requests
    other = (requests["key"] > 9) & requests["intended_start_s"].between(5, 15) & (requests["outcome"] == "ok")
    return float(requests["sojourn_time_s"][other].quantile(0.99))


@pytest.mark.slow
def test_a_hot_row_takes_the_pool_and_with_it_everybody() -> None:
    """150/s x 8 ms on one row: 120 %. Those who wait hold connections, so that transfers elsewhere wait too."""
    locked, spread = _transfers(), _transfers(**{"workload.keys.hot": []})
    row = lab.arithmetic(lab.read_scenario(PATTERNS / f"{_HOT}.yaml").with_({"workload.keys.hot.0.at": "0s"}))
    assert row.row("main", "hottest_row", level="base").utilisation == pytest.approx(1.2, rel=0.01)
    assert locked.value("waiting_time_s_mean", "main") > 0.2
    assert spread.value("waiting_time_s_mean", "main") < 0.001
    assert _bystanders_s(locked) > 1.0
    assert _bystanders_s(spread) < 0.05
    brief = _transfers(**{"components.main.lock_timeout": "50ms"})  # protects the others, at the cost of the one
    assert _bystanders_s(brief) < 0.05
    assert brief.value("error_ratio") > 0.03


@pytest.mark.slow
def test_what_carries_a_hot_account() -> None:
    """Ten rows for each account, or asking before locking: both carry it; serialisable retries waste most attempts."""
    for change in ({"workload.keys.keys_per_cell": 10}, {_BALANCE: "select"}):
        assert all(result.met for result in _transfers(**change).objectives())
    retried = _transfers(**_RETRIED)
    locks = retried.visits[retried.visits["component"] == "main.lock"]["outcome"].value_counts()
    assert locks["rejected"] > locks["ok"]
    assert retried.value("error_ratio") > 0.01
    assert _bystanders_s(retried) < 0.05
    split = _transfers(**_RETRIED, **{"workload.keys.keys_per_cell": 10})
    assert split.value("error_ratio") == 0
    # No transfer twice, none lost: as many commits as answers, whatever it took.
    for run in (retried, split):
        assert broken_laws(run) == []


@pytest.mark.slow
def test_more_shards_do_not_split_a_cell() -> None:
    """The cell alone is 125 % of a core, whatever the number of shards; by key it is spread; one key never is."""
    changes = {
        "four": {},
        "sixteen": {"components.main.shards": 16},
        "by key": {"components.main.shard_by": "key"},
        "one key": {
            **{"components.main.shard_by": "key", "workload.keys.keys_per_cell": 1},
            "workload.keys.cells": 10_000,
        },
    }
    errors = {
        name: _run("hot_shard", **{"run.replications": 1}, **change).value("error_ratio")
        for name, change in changes.items()
    }
    assert min(errors[name] for name in ("four", "sixteen", "one key")) > 0.05
    assert errors["by key"] == 0
    hot = lab.read_scenario(PATTERNS / "hot_shard.yaml").with_({"workload.keys.hot.0.at": "0s"})
    for shards in (4, 16):
        row = lab.arithmetic(hot.with_({"components.main.shards": shards})).row("main", "cores", level="base")
        assert row.utilisation is not None
        assert row.utilisation > 1.25


@pytest.mark.slow
def test_polling_makes_a_tail_that_a_queue_does_not_have() -> None:
    """The same writes, a third of the time busy: those of one row of a server queue; the slowest of a file poll on."""
    queued = {
        **{"components.file.engine": "postgresql", "components.file.round_trip": "0s"},
        "workload.keys": {"kind": "uniform", "count": 1},
    }
    runs = [_run("sqlite_writers", **{"run.replications": 1}, **change) for change in ({}, queued)]
    polls, queues = (run.requests[run.requests["endpoint"] == "note"]["sojourn_time_s"].dropna() for run in runs)
    assert polls.median() == pytest.approx(queues.median(), rel=0.1)
    assert polls.quantile(0.99) > 2.5 * queues.quantile(0.99)
    assert polls.max() > 3 * queues.max()
    for run in runs:
        reads = run.requests[run.requests["endpoint"] == "list"]["sojourn_time_s"].dropna()
        assert reads.max() < 0.02  # nobody blocks a reader
    # With twice the writes the file is free for a third of the time, and yet somebody looks in vain for a second.
    fuller = _run("sqlite_writers", **{"run.replications": 1, "workload.arrival_rate": "400/s"})
    assert fuller.requests["sojourn_time_s"].max() > 0.5


@pytest.mark.slow
def test_a_failover_loses_what_was_answered_in_the_last_lag_or_costs_a_lag_a_commit() -> None:
    """100/s x 50 ms: five answered transfers are gone each time; waiting for a replica none is, 50 ms later each."""
    runs = [
        _run("failover_window", **{"components.main.synchronous_replicas": replicas, "run.replications": 2})
        for replicas in (0, 1)
    ]
    lost = [
        [json.loads(detail)["lost_commits"] for detail in run.events.loc[run.events["kind"] == "promoted", "detail"]]
        for run in runs
    ]
    assert all(0 < count < 15 for count in lost[0])
    assert lost[1] == [0, 0]
    price_s = [run.value("sojourn_time_s_p50", "transfer") for run in runs]
    assert price_s[1] - price_s[0] == pytest.approx(0.05, abs=0.001)
    assert [all(result.met for result in run.objectives()) for run in runs] == [True, False]
    for run in runs:  # meanwhile nobody writes, and nearly everybody reads
        window = run.requests[run.requests["intended_start_s"].between(8, 13)]
        answered = (window["outcome"] == "ok").groupby(window["endpoint"], observed=True).mean()
        assert answered["transfer"] < 0.05
        assert answered["balance"] > 0.95
        assert broken_laws(run) == []


@pytest.mark.slow
def test_impatient_apps_book_twice_unless_each_transfer_has_a_key() -> None:
    """With keys each transfer is booked once, though many apps never learn of it; without, one in four is booked again.

    Booking again is work too: without keys more fail.
    """
    once, often = (
        _run("double_transfer", **{"run.replications": 1, _TRANSFER("idempotent"): idempotent})
        for idempotent in (True, False)
    )
    booked = []
    for run in (once, often):
        rows = run.visits[(run.visits["component"] == "main.server") & (run.visits["operation"] == "commit")]
        booked.append(rows[rows["outcome"] == "ok"].groupby("request").size())
        answered = run.requests.loc[run.requests["outcome"] == "ok", "request"]
        assert answered.isin(booked[-1].index).all()  # none lost
        assert broken_laws(run) == []
    assert (booked[0] == 1).all()
    assert (booked[1] > 1).mean() > 0.2
    assert often.value("error_ratio") > 2 * once.value("error_ratio")
    assert [run.objectives()[0].met for run in (once, often)] == [True, False]
