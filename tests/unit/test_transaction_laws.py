"""The laws of transactions: kept by the lab's own database, and broken by one that locks or commits wrongly."""

from __future__ import annotations

import pandas as pd
import pytest

import lab
from lab.scenario.components import Database
from lab.scenario.scenario import Scenario
from lab.validation.transaction_laws import broken_commit_laws, broken_lock_laws


def _transactions(isolation: str, retries: int) -> lab.Run:
    """Return a run of transactions on three rows."""
    steps = [{"kind": "query", "database": "main", "query": each} for each in ("read", "change")]
    scenario = lab.Scenario.model_validate(
        {
            "name": "laws",
            "workload": {
                "kind": "open",
                "arrival_rate": "60/s",
                "endpoints": {"get": "100%"},
                "keys": {"kind": "uniform", "count": 3},
            },
            "entry": "api",
            "components": {
                "api": {
                    "kind": "service",
                    "endpoints": {
                        "get": [{"kind": "transaction", "database": "main", "steps": steps, "retries": retries}],
                    },
                },
                "main": {
                    "kind": "database",
                    "pool": {"size": 20},
                    "isolation": isolation,
                    "queries": {
                        "read": {"kind": "exponential", "mean": "5ms"},
                        "change": {"statement": "update", "time": {"kind": "exponential", "mean": "15ms"}},
                    },
                },
            },
            "run": {"duration": "5s", "replications": 2},
        }
    )
    return lab.simulate(scenario, progress=False)


@pytest.fixture(scope="module")
def run() -> lab.Run:
    """Transactions that conflict now and then."""
    return _transactions("repeatable_read", 3)


@pytest.fixture(scope="module")
def locked() -> lab.Run:
    """Transactions that wait for each other."""
    return _transactions("read_committed", 0)


def _scenario(run: lab.Run) -> Scenario:
    return Scenario.model_validate(run.scenario)


def _main(run: lab.Run) -> Database:
    database = _scenario(run).components["main"]
    assert isinstance(database, Database)
    return database


def _locks(run: lab.Run, visits: pd.DataFrame) -> str:
    return "; ".join(broken_lock_laws(_main(run), "main", run.requests, visits))


def _commits(run: lab.Run, visits: pd.DataFrame) -> str:
    return "; ".join(broken_commit_laws(_scenario(run), "main", visits, run.events))


def test_the_labs_own_database_keeps_them(run: lab.Run, locked: lab.Run) -> None:
    """Some waited, some conflicted, and nothing is broken."""
    locks = [each.visits[each.visits["component"] == "main.lock"] for each in (run, locked)]
    assert (locks[0]["outcome"] == "rejected").sum() > 20
    assert (locks[1]["waiting_time_s"] > 0).sum() > 20
    for each in (run, locked):
        assert _locks(each, each.visits) == _commits(each, each.visits) == ""


def test_a_row_given_to_two_is_caught(locked: lab.Run) -> None:
    """As if locks were held for 50 ms longer than the database knew."""
    is_lock = locked.visits["component"] == "main.lock"
    longer = locked.visits["departure_s"].where(~is_lock, locked.visits["departure_s"] + 0.05)
    assert "while another one held it" in _locks(locked, locked.visits.assign(departure_s=longer))


def test_waiting_for_a_free_row_is_caught(locked: lab.Run) -> None:
    """As if locks had been given back 1 ms before anybody got them."""
    is_lock = locked.visits["component"] == "main.lock"
    earlier = locked.visits["departure_s"].where(~is_lock, locked.visits["departure_s"] - 0.001)
    assert "that nobody held" in _locks(locked, locked.visits.assign(departure_s=earlier))


def test_overtaking_is_caught(locked: lab.Run) -> None:
    """As if each had come later the sooner it was served."""
    is_lock = locked.visits["component"] == "main.lock"
    turned = locked.visits["arrival_s"].where(~is_lock, -locked.visits["arrival_s"])
    assert "to who came later" in _locks(locked, locked.visits.assign(arrival_s=turned))


def test_a_commit_that_was_never_made_is_caught(run: lab.Run) -> None:
    """One row of a commit is taken away."""
    commit = run.visits.index[(run.visits["operation"] == "commit") & (run.visits["outcome"] == "ok")][0]
    assert "no transaction lost: 1 requests were told" in _commits(run, run.visits.drop(index=commit))


def test_a_second_commit_is_caught(run: lab.Run) -> None:
    """One commit is made twice; where answers may be lost it is in doubt, and no law broken."""
    commit = run.visits[(run.visits["operation"] == "commit") & (run.visits["outcome"] == "ok")].iloc[:1]
    doubled = pd.concat([run.visits, commit])
    assert "no transaction twice: 1 requests had more commits" in _commits(run, doubled)
    crash = {"kind": "crash", "component": "main", "at": "4s", "restart_after": "0s"}
    faulty = _scenario(run).with_({"faults": [crash]})
    assert list(broken_commit_laws(faulty, "main", doubled, run.events)) == []


def test_a_lost_commit_that_a_replica_had_to_have_is_caught(run: lab.Run) -> None:
    """An event says that a failover lost two; asynchronously it may."""
    event = {"replication": 0, "time_s": 1.0, "component": "main", "kind": "promoted", "detail": '{"lost_commits":2}'}
    events = pd.DataFrame([event])
    replicated = _scenario(run).with_({"components.main.replicas": 1})
    assert list(broken_commit_laws(replicated, "main", run.visits, events)) == []
    synchronous = replicated.with_({"components.main.synchronous_replicas": 1})
    (said,) = broken_commit_laws(synchronous, "main", run.visits, events)
    assert "lost 2 that were answered" in said
