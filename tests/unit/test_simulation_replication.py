"""Replicas of a database: where reads go, what they miss, what a failover loses, on schedules worked out by hand."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, cast

import pandas as pd
import pytest

import lab
from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.database import Cluster
from lab.simulation.database.replication import Replication
from lab.simulation.request import Handling, Outcome, Request
from lab.simulation.variate import Variate
from tests.unit.backends import scenario, service
from tests.unit.test_simulation_database import world_with

_READ = {"kind": "query", "database": "main", "query": "get"}
_WRITE = {"kind": "query", "database": "main", "query": "put"}


def _database(**others: Any) -> dict[str, Any]:
    return {
        "kind": "database",
        "pool": {"size": 10},
        "round_trip": "0s",
        "queries": {"get": "10ms", "put": {"statement": "insert", "time": "50ms"}},
        "replicas": 1,
        "replication_lag": "1s",
        "read_policy": "replicas",
        **others,
    }


Sent = tuple[float, str, int]  # when, which query, of which key


def _observe(
    database: dict[str, Any], sent: list[Sent], *, faults: list[tuple[float, str]] | None = None
) -> tuple[pd.DataFrame, list[tuple[float, str, dict[str, object]]]]:
    """Return the rows and events of statements that one process sends, under faults."""
    described = scenario({"api": service(_READ, _WRITE), "main": database})
    world = world_with(described, failing={"main"} if faults else set(), requests=len(sent))
    part, cluster = world.database_of("main", "api", 0), world.database_server("main")

    def send(number: int, start_s: float, query: str, key: int) -> Handling:
        yield Timer(world.clock, start_s, Order.ARRIVAL)
        return (yield from part.handle(Request(number, 0, query, key, 0)))

    for number, each in enumerate(sent):
        world.clock.process(send(number, *each))
    for time_s, fault in faults or []:
        Timer(world.clock, time_s, Order.COMPLETION, lambda _, fault=fault: getattr(cluster, fault)())
    world.clock.run(until=90.0)
    rows = [{name: getattr(visit, name) for name in type(visit).__slots__} for visit in world.log.visits]
    events = [(time_s, kind, json.loads(detail)) for time_s, _, kind, detail in world.log.events]
    return pd.DataFrame(rows), events


def _server(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["component"] == "main.server"].sort_values("request")


def test_reads_go_to_the_replica_and_writes_to_the_primary() -> None:
    """Each server has a pool of its own, whose rows tell the server."""
    rows, _ = _observe(_database(), [(0.0, "put", 1), (2.0, "get", 1)])
    assert _server(rows)["replica"].tolist() == [0, 1]
    assert rows[rows["component"] != "main.server"]["component"].tolist() == ["main", "main.replica_1"]


def test_a_read_is_stale_until_the_replica_has_the_last_write() -> None:
    """Committed at 50 ms, there at 1.05 s: a read before the commit misses nothing; the next do, the last does not."""
    sent = [(0.0, "put", 1), (0.04, "get", 1), (0.06, "get", 1), (0.06, "get", 2), (1.04, "get", 1), (1.05, "get", 1)]
    rows, _ = _observe(_database(), sent)
    assert _server(rows)["stale"].tolist() == [None, False, True, False, True, False]


def test_a_write_that_was_not_answered_yet_is_missed_by_nobody() -> None:
    """Committed at 60 ms and answered at 70 ms, over 10 ms each way: only a read sent after that can be stale."""
    sent = [(0.0, "put", 1), (0.069, "get", 1), (0.071, "get", 1)]
    rows, _ = _observe(_database(round_trip="20ms"), sent)
    assert _server(rows)["stale"].tolist() == [None, False, True]


def test_reads_from_the_primary_are_never_stale() -> None:
    """With read_policy: primary the replica only stands by."""
    rows, _ = _observe(_database(read_policy="primary"), [(0.0, "put", 1), (0.06, "get", 1)])
    assert _server(rows)["stale"].tolist() == [None, False]
    assert _server(rows)["replica"].tolist() == [0, 0]


def test_a_written_key_is_read_from_the_primary_while_it_is_pinned() -> None:
    """Written at 0.05 s and pinned for 2 s: read from the primary until 2.05 s, other keys from the replica."""
    sent = [(0.0, "put", 1), (0.06, "get", 1), (0.06, "get", 2), (2.04, "get", 1), (2.06, "get", 1)]
    rows, _ = _observe(_database(read_policy="read_your_writes", pin="2s"), sent)
    assert _server(rows)["replica"].tolist() == [0, 0, 1, 0, 1]
    assert _server(rows)["stale"].tolist() == [None, False, False, False, False]


def test_a_pin_shorter_than_the_lag_lets_stale_reads_through() -> None:
    """Pinned until 0.55 s, replicated at 1.05 s: between them reads are stale."""
    sent = [(0.0, "put", 1), (0.5, "get", 1), (0.6, "get", 1)]
    rows, _ = _observe(_database(read_policy="read_your_writes", pin="500ms"), sent)
    assert _server(rows)["stale"].tolist() == [None, False, True]


def test_any_server_is_as_likely_as_the_other() -> None:
    """900 reads over a primary and two replicas: 300 each, give or take four standard deviations (57)."""
    rows, _ = _observe(_database(replicas=2, read_policy="any"), [(0.05 * n, "get", 1) for n in range(900)])
    counts = Counter(_server(rows)["replica"])
    assert set(counts) == {0, 1, 2}
    assert all(abs(count - 300) < 57 for count in counts.values())


def test_replicas_apply_in_the_order_of_commits() -> None:
    """A lag of 5 s and then one of 1 s: the second commit is not there before the first."""
    clock, lags_s = Clock(), {0: 5.0, 1: 1.0}
    lag = cast("Variate", lambda request: lags_s[request.number])
    replication = Replication(clock=clock, lags=({"put": lag}, {"put": lag}))
    for number, at_s in enumerate((0.0, 1.0)):
        clock.run(until=at_s + 1e-9)
        replication.commit(Request(number, 0, "put", number, 0), 1, 0)
    clock.run(until=4.9)
    assert (replication.is_stale(1, 1, clock.now), replication.is_stale(1, 0, clock.now)) == (True, False)
    assert (replication.applied(0), replication.applied(1)) == (2, 0)
    clock.run(until=5.1)
    assert not replication.is_stale(1, 1, clock.now)
    assert replication.applied(1) == 2


def test_a_transaction_reads_from_a_replica_unless_it_writes() -> None:
    """One of two reads goes to the replica as a whole, one with an insert to the primary, its read included."""
    transaction = {"kind": "transaction", "database": "main"}
    parts = {
        "api": service(transaction | {"steps": [_READ, _READ]}, transaction | {"steps": [_READ, _WRITE]}),
        "main": _database(),
    }
    world = world_with(scenario(parts), failing=set())
    handling = world.fleet("api").members[0].handle(Request(0, 0, "get", 1, 0))
    world.clock.process(handling)
    world.clock.run(until=9.0)
    rows = [visit for visit in world.log.visits if visit.component == "main.server"]
    assert [(row.operation, row.replica) for row in rows] == [
        ("get", 1), ("get", 1), ("commit", 1), ("get", 0), ("put", 0), ("commit", 0),
    ]  # fmt: skip
    assert [row.stale for row in rows] == [False, False, None, False, None, None]


def test_while_the_primary_is_down_replicas_are_read_and_nothing_is_written() -> None:
    """A crash of the primary is not noticed by those who read from replicas."""
    sent = [(0.0, "get", 1), (1.0, "put", 1), (1.0, "get", 1), (3.0, "put", 1)]
    rows, _ = _observe(_database(), sent, faults=[(0.5, "crash"), (2.0, "restart")])
    held = rows[rows["component"] != "main.server"].sort_values("request")
    assert held["outcome"].tolist() == [Outcome.OK, Outcome.ERROR, Outcome.OK, Outcome.OK]


def test_a_failover_loses_what_the_promoted_replica_did_not_have() -> None:
    """Lag 1 s, primary lost at 3 s: commits of 2.05 and 2.55 s are lost, those of 0.05 and 1.05 are there."""
    writes: list[Sent] = [(start_s, "put", key) for key, start_s in enumerate((0.0, 1.0, 2.0, 2.5))]
    later: list[Sent] = [(5.0, "put", 9), (14.0, "put", 9), (14.1, "get", 9), (14.1, "get", 3)]
    database = _database(failover_time="10s")
    rows, events = _observe(database, writes + later, faults=[(3.0, "fail_over"), (4.0, "restart")])
    assert events == [
        (3.0, "fail_over", {"primary": 0}),
        (13.0, "promoted", {"primary": 1, "lost_commits": 2}),
    ]
    held = rows[rows["component"] != "main.server"].sort_values("request")
    assert held["outcome"].tolist() == [Outcome.OK] * 4 + [Outcome.ERROR] + [Outcome.OK] * 3
    # No replica is left, so reads and writes share the promoted one; what was lost is not missed any more.
    assert held["component"].tolist()[-3:] == ["main.replica_1"] * 3
    assert _server(rows)["stale"].tolist()[-2:] == [False, False]


def test_a_failover_promotes_the_replica_that_has_most() -> None:
    """Replica 2 is quicker: it has everything, so nothing is lost, and replica 1 follows it."""
    world = world_with(scenario({"api": service(_READ, _WRITE), "main": _database(replicas=2)}), failing={"main"})
    cluster, clock = world.database_server("main"), world.clock
    slow, quick = (cast("Variate", lambda _, lag_s=lag_s: lag_s) for lag_s in (5.0, 0.1))
    cluster.replication = Replication(clock=clock, lags=({"put": slow}, {"put": slow}, {"put": quick}))
    cluster.commit(Request(0, 0, "put", 1, 0), 1)
    clock.run(until=1.0)
    cluster.fail_over()
    clock.run(until=40.0)
    assert (cluster.primary, cluster.replicas) == (2, [1])
    assert json.loads(world.log.events[-1][3]) == {"lost_commits": 0, "primary": 2}


def test_lost_rows_are_gone_from_the_table() -> None:
    """Ten rows and three inserts, of which the replica has one."""
    scan = {"time": "0s", "plan": {"kind": "scan", "time_per_row": "1ms"}}
    queries = {"get": scan, "put": {"statement": "insert", "time": "50ms"}}
    sent: list[Sent] = [(0.0, "put", 1), (2.0, "put", 1), (2.1, "put", 1), (2.5, "get", 1), (20.0, "get", 1)]
    database = _database(queries=queries, rows=10, failover_time="10s")
    rows, _ = _observe(database, sent, faults=[(3.0, "fail_over")])
    reads = _server(rows)[_server(rows)["operation"] == "get"]
    assert reads["service_time_s"].tolist() == pytest.approx([0.013, 0.011])


def test_without_a_replica_there_is_nothing_to_fail_over_to() -> None:
    """The primary stays, and stays up."""
    rows, events = _observe(
        _database(replicas=0, replication_lag="0s", read_policy="primary"),
        [(1.0, "put", 1)],
        faults=[(0.5, "fail_over")],
    )
    assert events == []
    assert rows["outcome"].tolist() == [Outcome.OK, Outcome.OK]


def test_faults_act_on_the_promoted_server_after_a_failover() -> None:
    """The replica took over; a crash then hits it."""
    world = world_with(scenario({"api": service(_READ, _WRITE), "main": _database()}), failing={"main"})
    cluster: Cluster = world.database_server("main")
    cluster.fail_over()
    world.clock.run(until=31.0)
    cluster.crash()
    assert [server.up for server in cluster.servers] == [False, False]
    cluster.restart()
    assert [server.up for server in cluster.servers] == [False, True]


def test_the_share_of_stale_reads_is_a_figure_of_the_run() -> None:
    """Over the reads at the servers, whether the visits are kept or added up; nothing else has the figure."""
    described = scenario({"api": service(_READ, _WRITE), "main": _database(replication_lag="50ms")}).with_(
        {"workload.arrival_rate": "50/s", "workload.keys.count": 5, "run.duration": "10s", "run.replications": 1}
    )
    run = lab.simulate(described, progress=False)
    reads = run.visits[run.visits["stale"].notna()]
    assert set(reads["component"]) == {"main.server"}
    assert set(reads["operation"]) == {"get"}
    share = run.value("stale_ratio", "main.server")
    assert share == pytest.approx(reads["stale"].astype(bool).mean())
    assert 0.2 < share < 0.6
    assert lab.simulate(described, progress=False, keep="summary").value("stale_ratio", "main.server") == share
