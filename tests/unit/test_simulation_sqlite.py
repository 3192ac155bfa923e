"""SQLite's one writer, who polls: each rule worked out by hand, and asked of the library itself."""

from __future__ import annotations

import heapq
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lab
from lab.errors import ScenarioError
from lab.scenario.arithmetic import arithmetic
from lab.scenario.busy_wait import busy_delays_s
from lab.scenario.components import Database
from lab.scenario.scenario import Scenario
from lab.validation.laws import broken_laws
from lab.validation.transaction_laws import broken_lock_laws
from tests.unit.backends import observe, scenario, service, waiting

_WRITE = {"kind": "query", "database": "file", "query": "put"}
_READ = {"kind": "query", "database": "file", "query": "get"}


def _described(*steps: dict[str, Any], faults: Any = (), **others: Any) -> Scenario:
    queries = {"get": "10ms", "put": {"statement": "insert", "time": "100ms"}}
    file = {"kind": "database", "engine": "sqlite", "pool": {"size": 50}, "queries": queries}
    return scenario({"api": service(*steps), "file": file | others}, faults=list(faults))


def _transaction(*steps: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {"kind": "transaction", "database": "file", "steps": list(steps), **others}


def _locks(visits: pd.DataFrame) -> pd.DataFrame:
    return visits[visits["component"] == "file.lock"].sort_values("request").reset_index(drop=True)


def test_a_writer_looks_again_after_1_2_5_and_more_milliseconds() -> None:
    """Locked for 100 ms: looks after 1, 3, 8, 18, 33, 53, 78 and 103 ms; keys do not matter, there is one lock."""
    requests, visits = observe(_described(_WRITE), [0.0, 0.0], keys=[0, 1])
    assert _locks(visits)["waiting_time_s"].tolist() == pytest.approx([0.0, 0.103])
    assert requests["end_s"].tolist() == pytest.approx([0.1, 0.203])


def test_whoever_comes_when_it_is_free_has_it() -> None:
    """The one of 0 ms sleeps from 78 to 103 ms; one that comes at 101 ms goes before it, and it sleeps on."""
    _, visits = observe(_described(_WRITE), [0.0, 0.0, 0.101])
    assert _locks(visits)["waiting_time_s"].tolist() == pytest.approx([0.0, 0.228, 0.0])


def test_on_a_server_the_same_writes_queue() -> None:
    """With one key for the engine exchanged, three changes of one row are done in the order in which they came."""
    queries = {"put": {"statement": "update", "time": "100ms"}}
    changes = {"engine": "postgresql", "round_trip": "0s", "queries": queries}
    _, visits = observe(_described(_WRITE, **changes), [0.0, 0.0, 0.101])
    assert _locks(visits)["waiting_time_s"].tolist() == pytest.approx([0.0, 0.1, 0.099])


def test_readers_do_not_wait() -> None:
    """Not for a writer, nor the writer for them."""
    requests, _ = observe(_described(_READ, _WRITE, _READ), [0.0, 0.015])
    assert requests["end_s"].tolist() == pytest.approx([0.12, 0.015 + 0.01 + 0.103 + 0.11])


def test_after_the_busy_timeout_it_is_an_error() -> None:
    """It sleeps 1, 2, 5, 10 and the 2 ms that are left of 20, looks once more, and gives up."""
    requests, visits = observe(_described(_WRITE, busy_timeout="20ms"), [0.0, 0.0])
    assert requests["outcome"].tolist() == ["ok", "error"]
    assert requests["end_s"].tolist() == pytest.approx([0.1, 0.02])
    assert _locks(visits)["outcome"].tolist() == ["ok", "timeout"]


def test_a_transaction_that_writes_first_keeps_others_out_to_its_end() -> None:
    """The lock is held for 100 ms of writing and 50 ms of other things: looks at 128 and 178 ms."""
    requests, _ = observe(_described(_transaction(_WRITE, waiting("50ms"))), [0.0, 0.0])
    assert requests["end_s"].tolist() == pytest.approx([0.15, 0.178 + 0.15])


def test_a_transaction_that_has_read_cannot_wait_to_write() -> None:
    """Both have read; the first writes; the second fails at once, as would one that reads before that commit."""
    requests, visits = observe(_described(_transaction(_READ, waiting("20ms"), _WRITE)), [0.0, 0.01, 0.115, 0.2])
    assert requests["outcome"].tolist() == ["ok", "error", "error", "ok"]
    assert requests["end_s"].tolist() == pytest.approx([0.13, 0.04, 0.145, 0.33])
    assert _locks(visits)["outcome"].tolist() == ["ok", "rejected", "rejected", "ok"]


def test_such_a_transaction_can_be_tried_again() -> None:
    """After 120 ms the second reads anew, and has the file for itself."""
    step = _transaction(_READ, _WRITE, retries=1, backoff={"kind": "constant", "delay": "120ms"})
    requests, _ = observe(_described(step), [0.0, 0.0])
    assert requests["end_s"].tolist() == pytest.approx([0.11, 0.01 + 0.12 + 0.11])


def test_the_library_has_these_rules(tmp_path: Path) -> None:
    """SQLite itself: after a read the write fails at once, whatever the timeout, with the codes that are meant."""
    one, other = (sqlite3.connect(tmp_path / "file.db", timeout=30, isolation_level=None) for _ in range(2))
    one.execute("PRAGMA journal_mode=WAL")
    one.execute("CREATE TABLE t (v)")
    for connection in (one, other):
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM t").fetchall()
    one.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(sqlite3.OperationalError) as busy:  # at once: nobody else will ever let go here
        other.execute("INSERT INTO t VALUES (2)")
    one.execute("COMMIT")
    with pytest.raises(sqlite3.OperationalError) as stale:
        other.execute("INSERT INTO t VALUES (2)")
    other.execute("ROLLBACK")
    other.execute("INSERT INTO t VALUES (2)")
    found = [caught.value.sqlite_errorname for caught in (busy, stale)]
    assert found == ["SQLITE_BUSY", "SQLITE_BUSY_SNAPSHOT"]
    one.close()
    other.close()


def polled(arrivals_s: list[float], holds_s: list[float], timeout_s: float) -> list[float | None]:
    """Return how long each writer waits, None for those that give up: the polling rule alone, look by look."""
    waits: list[float | None] = [None] * len(arrivals_s)
    free_at_s = 0.0
    looks = [(at_s, number, 0) for number, at_s in enumerate(arrivals_s)]
    heapq.heapify(looks)
    delays_s = list(busy_delays_s(timeout_s))
    while looks:
        now_s, number, slept = heapq.heappop(looks)
        if now_s >= free_at_s:
            waits[number] = now_s - arrivals_s[number]
            free_at_s = now_s + holds_s[number]
        elif slept < len(delays_s):
            heapq.heappush(looks, (now_s + delays_s[slept], number, slept + 1))
    return waits


def _run(rate: str, **others: Any) -> lab.Run:
    time = {"kind": "lognormal", "mean": "3ms", "scv": 2}
    described = _described(_WRITE, queries={"put": {"statement": "update", "time": time}})
    changes = {"workload.arrival_rate": rate, "run.duration": "20s", "run.seed": 3, "run.replications": 1}
    return lab.simulate(described.with_(changes | others), progress=False, allow_unstable=True)


@pytest.mark.parametrize("timeout", ["5s", "40ms"])
def test_each_wait_is_that_of_a_simulation_of_the_rule_alone(timeout: str) -> None:
    """Thousands of writers, half of whose time the file is locked: every single wait agrees, and every error."""
    run = _run("170/s", **{"components.file.busy_timeout": timeout})
    locks = run.visits[(run.visits["component"] == "file.lock") & (run.visits["replication"] == 0)]
    locks = locks.sort_values("arrival_s")
    holds_s = (locks["departure_s"] - locks["admitted_s"]).fillna(1e9).tolist()
    expected = polled(locks["arrival_s"].tolist(), holds_s, 5.0 if timeout == "5s" else 0.04)
    ended = locks["departure_s"].notna().to_numpy()
    waits = locks["waiting_time_s"].where(locks["outcome"] == "ok").to_numpy()[ended]
    theirs = np.array([np.nan if wait is None else wait for wait in expected])[ended]
    assert len(waits) > 3000
    assert (waits > 0).sum() > 1000
    assert np.isnan(waits).any() == (timeout == "40ms")
    assert waits == pytest.approx(theirs, abs=1e-9, nan_ok=True)
    assert broken_laws(run) == []


def test_the_laws_know_polling() -> None:
    """Two writers at once, and a lock that is got while asleep, are caught."""
    run = _run("100/s")
    (file,) = (part for part in Scenario.model_validate(run.scenario).components.values() if isinstance(part, Database))
    visits, is_lock = run.visits, run.visits["component"] == "file.lock"
    early = visits.assign(waiting_time_s=visits["waiting_time_s"].where(~is_lock, visits["waiting_time_s"] + 0.0004))
    assert "got its lock while they were asleep" in "; ".join(broken_lock_laws(file, "file", run.requests, early))
    longer = visits.assign(departure_s=visits["departure_s"].where(~is_lock, visits["departure_s"] + 0.05))
    assert "while another one held it" in "; ".join(broken_lock_laws(file, "file", run.requests, longer))


def test_the_arithmetic_knows_the_one_writer() -> None:
    """1/s x 150 ms, whatever the keys; no round trip unless it is given."""
    described = _described(_transaction(_WRITE, waiting("50ms")))
    row = arithmetic(described).row("file", "writer")
    assert (row.servers, row.utilisation) == (1, pytest.approx(0.15))
    assert arithmetic(described).row("file", "connections").holding_time_s == pytest.approx(0.15)
    far = _described(_WRITE, round_trip="1ms")
    assert arithmetic(far).row("file", "connections").holding_time_s == pytest.approx(0.101)


@pytest.mark.parametrize("kind", [{"kind": "crash"}, {"kind": "hang", "duration": "1s"}])
def test_a_file_has_no_server_to_fail(kind: dict[str, Any]) -> None:
    """Its service has processes that do; a slow disk is another thing."""
    with pytest.raises(ScenarioError, match="is a file without a server"):
        _described(_WRITE, faults=[kind | {"component": "file", "at": "1s"}])
    slow = {"kind": "slow_down", "component": "file", "at": "0s", "duration": "9s", "factor": 2}
    requests, _ = observe(_described(_WRITE, faults=[slow]), [1.0])
    assert requests["end_s"].tolist() == pytest.approx([1.2])


def test_no_wire_leads_to_a_file() -> None:
    """A partition cannot cut it off."""
    cut = {"kind": "partition", "between": ["api", "file"], "at": "1s", "duration": "1s"}
    with pytest.raises(ScenarioError, match="neither of 'api' and 'file' calls the other over a network"):
        _described(_WRITE, faults=[cut])
