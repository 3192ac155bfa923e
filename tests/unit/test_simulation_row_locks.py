"""Row locks, conflicts and retries: each rule on a schedule worked out by hand."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from lab.scenario.scenario import Scenario
from lab.simulation.clock import Order, Timer
from lab.simulation.request import Request
from tests.unit.backends import observe, scenario, service, waiting
from tests.unit.test_simulation_database import world_with

_CHANGE = {"kind": "query", "database": "main", "query": "change"}
_READ = {"kind": "query", "database": "main", "query": "read"}
_HOLD = {"kind": "query", "database": "main", "query": "hold"}
_TIMES = {
    "change": {"statement": "update", "time": "100ms"},
    "hold": {"statement": "select_for_update", "time": "100ms"},
    "read": "10ms",
}


def _transaction(*steps: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {"kind": "transaction", "database": "main", "steps": list(steps), **others}


def _described(*steps: dict[str, Any], api: dict[str, Any] | None = None, **others: Any) -> Scenario:
    database = {"kind": "database", "pool": {"size": 10}, "round_trip": "0s", "queries": _TIMES}
    return scenario({"api": service(*steps, **(api or {})), "main": database | others})


def _locks(visits: pd.DataFrame) -> pd.DataFrame:
    return visits[visits["component"] == "main.lock"].sort_values("request").reset_index(drop=True)


def test_one_row_is_changed_by_one_at_a_time() -> None:
    """Three changes of row 0 at once take turns of 100 ms; one of row 1 does not wait; each has its core at once."""
    requests, visits = observe(_described(_CHANGE), [0.0, 0.0, 0.0, 0.0], keys=[0, 0, 1, 0])
    assert requests["end_s"].tolist() == pytest.approx([0.1, 0.2, 0.1, 0.3])
    assert _locks(visits)["waiting_time_s"].tolist() == pytest.approx([0.0, 0.1, 0.0, 0.2])
    assert (visits[visits["component"] == "main.server"]["waiting_time_s"] == 0).all()


def test_a_lock_is_held_to_the_end_of_the_transaction() -> None:
    """50 ms of reading elsewhere after the change: held for 150 ms; the wait is on a connection, not on the core."""
    requests, visits = observe(_described(_transaction(_CHANGE, waiting("50ms")), cores=1), [0.0, 0.0])
    assert requests["end_s"].tolist() == pytest.approx([0.15, 0.3])
    assert _locks(visits)["waiting_time_s"].tolist() == pytest.approx([0.0, 0.15])
    assert (visits[visits["component"] == "main.server"]["waiting_time_s"] == 0).all()


def test_readers_do_not_wait_for_writers() -> None:
    """A plain select takes no lock; one for update does."""
    both = {"read": [_READ], "hold": [_HOLD], "change": [_CHANGE]}
    parts = {"api": service() | {"endpoints": both}, "main": _described(_CHANGE).to_document()["components"]["main"]}
    workload = {"kind": "open", "arrival_rate": "1/s", "endpoints": dict.fromkeys(both, "33.333333333%")}
    described = scenario(parts, workload=workload | {"endpoints": {"read": "50%", "hold": "25%", "change": "25%"}})
    requests, _ = observe(described, [0.0, 0.01, 0.02], endpoints=["change", "read", "hold"])
    assert requests["end_s"].tolist() == pytest.approx([0.1, 0.02, 0.2])


def test_a_lock_that_is_not_given_in_time_is_an_error() -> None:
    """Held for 100 ms; the next waits for 30 ms and gives up; the third comes later and has it in time."""
    requests, visits = observe(_described(_CHANGE, lock_timeout="30ms"), [0.0, 0.0, 0.08])
    assert requests["outcome"].tolist() == ["ok", "error", "ok"]
    assert requests["end_s"].tolist() == pytest.approx([0.1, 0.03, 0.2])
    assert _locks(visits)["outcome"].tolist() == ["ok", "timeout", "ok"]


def test_under_read_committed_the_second_changes_what_the_first_left() -> None:
    """Both have begun before the first commits: no conflict."""
    steps = _transaction(_READ, _CHANGE)
    requests, _ = observe(_described(steps), [0.0, 0.0])
    assert requests["outcome"].tolist() == ["ok", "ok"]
    assert requests["end_s"].tolist() == pytest.approx([0.11, 0.21])


@pytest.mark.parametrize("isolation", ["repeatable_read", "serializable"])
def test_with_a_snapshot_the_second_fails_when_the_first_commits(isolation: str) -> None:
    """The first updater wins: the others learn it as the lock comes free, all of them, at once."""
    requests, visits = observe(_described(_transaction(_READ, _CHANGE), isolation=isolation), [0.0, 0.0, 0.05])
    assert requests["outcome"].tolist() == ["ok", "error", "error"]
    assert requests["end_s"].tolist() == pytest.approx([0.11, 0.11, 0.11])
    assert _locks(visits)["outcome"].tolist() == ["ok", "rejected", "rejected"]


def test_a_snapshot_is_taken_by_the_first_statement() -> None:
    """Who begins after the commit sees it, however long it then takes; who read before it does not."""
    steps = _transaction(_READ, waiting("200ms"), _CHANGE)
    requests, _ = observe(_described(steps, isolation="repeatable_read"), [0.0, 0.25, 0.32])
    assert requests["outcome"].tolist() == ["ok", "error", "ok"]  # committed at 310 ms; the snapshots: 250 and 320 ms
    assert requests["end_s"].tolist() == pytest.approx([0.31, 0.46, 0.63])


def test_a_failed_change_is_no_conflict_for_the_others() -> None:
    """The first rolls back, as its pool of the second database is not to be had; the next one's change stands."""
    broken = {"kind": "query", "database": "side", "query": "get"}
    side = {"kind": "database", "pool": {"size": 1, "timeout": "1ms"}, "round_trip": "0s", "queries": {"get": "1s"}}
    parts = {
        "api": service() | {"endpoints": {"get": [_transaction(_READ, _CHANGE, broken)], "hog": [broken]}},
        "main": _described(_CHANGE, isolation="repeatable_read").to_document()["components"]["main"],
        "side": side,
    }
    workload = {"kind": "open", "arrival_rate": "1/s", "endpoints": {"get": "50%", "hog": "50%"}}
    described = scenario(parts, workload=workload)
    requests, visits = observe(described, [0.0, 0.0, 0.95], endpoints=["hog", "get", "get"])
    assert requests["outcome"].tolist() == ["ok", "error", "ok"]
    assert _locks(visits)["outcome"].tolist() == ["error", "ok"]


def test_a_conflict_is_tried_again_after_the_backoff() -> None:
    """Committed at 110 ms; the other waits 40 ms and needs 110 ms more; its connection is given back meanwhile."""
    steps = _transaction(_READ, _CHANGE, retries=1, backoff={"kind": "constant", "delay": "40ms"})
    requests, visits = observe(_described(steps, isolation="serializable"), [0.0, 0.0])
    assert requests["outcome"].tolist() == ["ok", "ok"]
    assert requests["end_s"].tolist() == pytest.approx([0.11, 0.26])
    held = visits[visits["component"] == "main"].sort_values("arrival_s")
    assert held["outcome"].tolist() == ["ok", "error", "ok"]
    assert held["departure_s"].tolist() == pytest.approx([0.11, 0.11, 0.26])
    assert visits[visits["component"] == "api"]["service_time_s"].tolist() == pytest.approx([0.0, 0.04])


def test_retries_end() -> None:
    """Three at once, one retry each: the third loses twice."""
    steps = _transaction(_READ, _CHANGE, retries=1)
    requests, visits = observe(_described(steps, isolation="serializable"), [0.0, 0.0, 0.0])
    assert requests["outcome"].tolist() == ["ok", "ok", "error"]
    assert (visits["operation"] == "commit").sum() == 2
    assert (visits["operation"] == "rollback").sum() == 3


def test_what_is_done_again_is_drawn_again() -> None:
    """The times of the second attempt are not those of the first; other requests have the same either way."""
    drawn = {"change": _TIMES["change"], "read": {"kind": "exponential", "mean": "10ms"}}
    steps = _transaction(_READ, _CHANGE, retries=1)
    _, visits = observe(_described(steps, isolation="serializable", queries=drawn), [0.0, 0.0])
    reads = visits[(visits["component"] == "main.server") & (visits["operation"] == "read")]
    assert len(reads) == 3
    assert reads["service_time_s"].nunique() == 3


def test_a_crash_forgets_the_locks() -> None:
    """The holder and who waits end in errors at 50 ms; after the restart the row is free."""
    described = _described(_CHANGE)
    world = world_with(described, failing={"main"}, requests=3)
    part, cluster = world.database_of("main", "api", 0), world.database_server("main")
    for number, start_s in enumerate((0.0, 0.0, 1.0)):
        Timer(
            world.clock,
            start_s,
            Order.ARRIVAL,
            lambda _, number=number: world.clock.process(part.handle(Request(number, 0, "change", 0, 0))),
        )
    Timer(world.clock, 0.05, Order.EXPIRY, lambda _: cluster.crash())
    Timer(world.clock, 0.5, Order.EXPIRY, lambda _: cluster.restart())
    world.clock.run(until=9.0)
    locks = [visit for visit in world.log.visits if visit.component == "main.lock"]
    assert [lock.outcome for lock in locks] == ["error", "error", "ok"]
    assert [lock.departure_s for lock in locks] == pytest.approx([0.05, 0.05, 1.1])


def test_a_frozen_server_turns_nobody_away() -> None:
    """The wait for the lock ends after 30 ms, but the server tells of it when it moves again, at 400 ms."""
    described = _described(_CHANGE, lock_timeout="30ms")
    world = world_with(described, failing={"main"}, requests=2)
    part, cluster = world.database_of("main", "api", 0), world.database_server("main")
    ends_s = []

    def ask(number: int) -> Any:
        outcome = yield from part.handle(Request(number, 0, "change", 0, 0))
        ends_s.append((outcome, world.clock.now))
        return outcome

    for number in range(2):
        world.clock.process(ask(number))
    Timer(world.clock, 0.01, Order.EXPIRY, lambda _: cluster.freeze())
    Timer(world.clock, 0.4, Order.EXPIRY, lambda _: cluster.thaw())
    world.clock.run(until=9.0)
    assert ends_s == [("error", pytest.approx(0.4)), ("ok", pytest.approx(0.49))]


def test_a_process_that_dies_leaves_no_lock_behind() -> None:
    """It held the row and slept; the database rolls it back, and the next has the row at once."""
    steps = _transaction(_CHANGE, waiting("10s"))
    parts = {
        "edge": {"kind": "load_balancer", "targets": "api", "algorithm": "roundrobin"},
        "api": service(steps, replicas=2),
        "main": _described(_CHANGE).to_document()["components"]["main"],
    }
    faults = [{"kind": "crash", "component": "api", "replica": 0, "at": "1s"}]
    _, visits = observe(scenario(parts, entry="edge", faults=faults), [0.0, 0.5])
    locks = _locks(visits)
    assert locks["outcome"].tolist()[0] == "error"
    assert locks["departure_s"][0] == pytest.approx(1.0)
    assert locks["waiting_time_s"][1] == pytest.approx(0.5)


def test_a_locking_read_goes_to_the_primary() -> None:
    """Replicas have no locks."""
    described = _described(_HOLD, replicas=1, read_policy="replicas")
    _, visits = observe(described, [0.0])
    assert visits[visits["component"] == "main.server"]["replica"].tolist() == [0]
