"""Synchronous replication: what a commit waits for, and what a failover cannot lose then, worked out by hand."""

from __future__ import annotations

from typing import Any, cast

import pytest

from lab.simulation.clock import Clock
from lab.simulation.database.replication import Replication
from lab.simulation.request import Outcome, Request
from lab.simulation.variate import Variate
from tests.unit.backends import observe, scenario, service
from tests.unit.test_simulation_replication import _database, _observe

_CHANGE = {"kind": "query", "database": "main", "query": "put"}
_QUERIES = {"get": "10ms", "put": {"statement": "update", "time": "50ms"}}


def _synchronous(**others: Any) -> dict[str, Any]:
    return _database(synchronous_replicas=1, **others)


def test_a_commit_is_answered_when_the_replica_has_it() -> None:
    """50 ms of work and 1 s of lag; the wait is a row of its own, and takes no core."""
    rows, _ = _observe(_synchronous(cores=1), [(0.0, "put", 1), (0.1, "put", 2)])
    waits = rows[rows["component"] == "main.replication"].sort_values("request")
    assert waits["service_time_s"].tolist() == pytest.approx([1.0, 1.0])
    assert waits["waiting_time_s"].tolist() == [0.0, 0.0]
    assert rows[rows["component"] == "main"]["departure_s"].tolist() == pytest.approx([1.05, 1.15])


def test_what_is_not_answered_is_not_visible_yet() -> None:
    """Committed at 50 ms, answered at 1.05 s: no read before that misses it, and none after it is stale."""
    sent = [(0.0, "put", 1), (0.5, "get", 1), (1.04, "get", 1), (1.06, "get", 1)]
    rows, _ = _observe(_synchronous(), sent)
    reads = rows[(rows["component"] == "main.server") & (rows["operation"] == "get")]
    assert reads["stale"].tolist() == [False, False, False]


def test_any_of_the_replicas_will_do() -> None:
    """Of two replicas, 0.1 s and 5 s behind, one is enough: 0.1 s; both: 5 s."""
    answered_s = []
    for enough in (1, 2):
        replication = Replication(
            clock=Clock(),
            lags=tuple({"put": cast("Variate", lambda _, lag_s=lag_s: lag_s)} for lag_s in (0.0, 0.1, 5.0)),
            synchronous=enough,
        )
        commit = replication.commit(Request(0, 0, "put", 1, 0), 1, 0)
        answered_s.append(replication.there_s(commit, [1, 2]))
        assert replication.there_s(commit, [2]) == 5.0  # as many as are left
        assert replication.there_s(commit, []) == 0.0
    assert answered_s == [0.1, 5.0]


def test_locks_are_held_until_the_replica_has_the_commit() -> None:
    """The price of no loss is paid by whoever waits for the row: 1.05 s each."""
    described = scenario({"api": service(_CHANGE), "main": _synchronous(queries=_QUERIES)})
    requests, visits = observe(described, [0.0, 0.0])
    assert requests["end_s"].tolist() == pytest.approx([1.05, 2.1])
    waits = visits[visits["component"] == "main.lock"]["waiting_time_s"]
    assert waits.tolist() == pytest.approx([0.0, 1.05])


def test_a_failover_loses_nothing_that_was_answered() -> None:
    """Lost at 3 s with one commit under way to the replica: its client saw an error, and nothing else is gone."""
    sent = [(0.0, "put", 0), (1.0, "put", 1), (2.5, "put", 2)]
    rows, events = _observe(_synchronous(failover_time="10s"), sent, faults=[(3.0, "fail_over")])
    held = rows[rows["component"] == "main"].sort_values("request")
    assert held["outcome"].tolist() == [Outcome.OK, Outcome.OK, Outcome.ERROR]
    assert held["departure_s"].tolist()[2] == 3.0
    assert events[-1] == (13.0, "promoted", {"primary": 1, "lost_commits": 0})
    assert rows[rows["component"] == "main.replication"]["outcome"].tolist() == ["ok", "ok", "error"]


def test_a_commit_in_doubt_is_there_after_a_restart() -> None:
    """The client saw an error at 0.5 s; the row was added all the same, and the replica is stale until it has it."""
    sent = [(0.0, "put", 1), (0.9, "get", 1), (1.1, "get", 1)]
    rows, _ = _observe(_synchronous(), sent, faults=[(0.5, "crash"), (0.6, "restart")])
    held = rows[rows["component"] == "main"]
    assert held["outcome"].tolist() == [Outcome.ERROR]
    reads = rows[(rows["component"] == "main.server") & (rows["operation"] == "get")].sort_values("request")
    assert reads["stale"].tolist() == [True, False]


def test_a_promoted_primary_waits_for_as_many_as_are_left() -> None:
    """No replica is left behind it: a commit is answered at once, as Patroni has it unless its mode is strict."""
    sent = [(0.0, "put", 0), (20.0, "put", 1)]
    rows, _ = _observe(_synchronous(failover_time="10s"), sent, faults=[(3.0, "fail_over")])
    last = rows[rows["request"] == 1]
    assert last["outcome"].tolist() == ["ok"] * len(last)
    assert last["departure_s"].max() == pytest.approx(20.05)


def test_a_frozen_primary_answers_when_it_moves_again() -> None:
    """The replica has the commit at 1.05 s, but the primary stands still from 0.5 s to 2 s."""
    rows, _ = _observe(_synchronous(), [(0.0, "put", 1)], faults=[(0.5, "freeze"), (2.0, "thaw")])
    assert rows[rows["component"] == "main"]["departure_s"].tolist() == pytest.approx([2.0])
