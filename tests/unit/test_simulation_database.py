"""The database behind its pools: connection cost, cores and faults, each rule on a schedule worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from lab.scenario.scenario import Scenario
from lab.simulation.build import World
from lab.simulation.clock import Order, Timer
from lab.simulation.database import Cluster
from lab.simulation.request import Handling, Part, Request
from tests.unit.backends import observe, scenario, service

_QUERY = {"kind": "query", "database": "main", "query": "get"}
_WORST_CASE = 90.0


def _database(*, size: int = 10, pool: dict[str, Any] | None = None, **others: Any) -> dict[str, Any]:
    return {
        "kind": "database",
        "pool": {"size": size, **(pool or {})},
        "round_trip": "0s",
        "queries": {"get": "100ms"},
        **others,
    }


def _of(visits: pd.DataFrame, component: str) -> pd.DataFrame:
    return visits[visits["component"] == component].reset_index(drop=True)


def _opened(log: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(pytest.approx(time_s), value) for time_s, value in log]


def world_with(described: Scenario, *, failing: set[str], requests: int = 1) -> World:
    """Return a world in which these components may fail."""
    return World(scenario=described, seed=1, replication=0, requests=requests, own={}, failing=frozenset(failing))


def faulty(
    database: dict[str, Any], starts_s: list[float], faults: list[tuple[float, Callable[[Cluster], None]]]
) -> tuple[World, pd.DataFrame]:
    """Return the world and the visits of statements that one process sends at these times, under faults."""
    described = scenario({"api": service(_QUERY), "main": database})
    world = world_with(described, failing={"main"}, requests=len(starts_s))
    part, cluster = world.database_of("main", "api", 0), world.database_server("main")

    def send(number: int, start_s: float, part: Part = part) -> Handling:
        yield Timer(world.clock, start_s, Order.ARRIVAL)
        return (yield from part.handle(Request(number, 0, "get", 0, 0)))

    for number, start_s in enumerate(starts_s):
        world.clock.process(send(number, start_s))
    for time_s, fault in faults:
        Timer(world.clock, time_s, Order.COMPLETION, lambda _, fault=fault: fault(cluster))
    world.clock.run(until=_WORST_CASE)
    rows = [{name: getattr(visit, name) for name in type(visit).__slots__} for visit in world.log.visits]
    return world, pd.DataFrame(rows)


def test_statements_queue_for_the_cores_of_the_server() -> None:
    """Two cores, three statements at once from two pools: the third waits 100 ms at the server, not in its pool."""
    described = scenario(
        {
            "edge": {"kind": "load_balancer", "targets": "api"},
            "api": service(_QUERY, replicas=2),
            "main": _database(cores=2),
        },
        entry="edge",
    )
    requests, visits = observe(described, [0.0, 0.0, 0.0])
    assert requests["end_s"].tolist() == pytest.approx([0.1, 0.1, 0.2])
    assert _of(visits, "main")["waiting_time_s"].tolist() == [0.0, 0.0, 0.0]
    server = _of(visits, "main.server")
    assert server["waiting_time_s"].tolist() == pytest.approx([0.0, 0.0, 0.1])
    assert server["service_time_s"].tolist() == pytest.approx([0.1] * 3)
    assert server["replica"].tolist() == [0, 0, 0]


def test_the_round_trip_holds_a_connection_but_no_core() -> None:
    """One core, 40 ms of network a statement: two at once end at 140 and 240 ms, their ways there and back overlap."""
    described = scenario({"api": service(_QUERY), "main": _database(cores=1, round_trip="40ms")})
    requests, visits = observe(described, [0.0, 0.0])
    assert requests["end_s"].tolist() == pytest.approx([0.14, 0.24])
    assert _of(visits, "main")["service_time_s"].tolist() == pytest.approx([0.04, 0.04])
    assert _of(visits, "main.server")["arrival_s"].tolist() == pytest.approx([0.02, 0.02])


def test_who_first_needs_a_connection_pays_for_opening_it() -> None:
    """Opening takes 30 ms: the first of a pool pays, the next finds it open, two at once need a second one."""
    described = scenario({"api": service(_QUERY), "main": _database(connect_time="30ms")})
    requests, visits = observe(described, [0.0, 1.0, 1.0, 2.0])
    assert requests["sojourn_time_s"].tolist() == pytest.approx([0.13, 0.1, 0.13, 0.1])
    assert _of(visits, "main")["service_time_s"].tolist() == pytest.approx([0.03, 0.0, 0.03, 0.0])


def test_a_prefilled_pool_has_its_connections_open() -> None:
    """Size 1 is open from the start; the overflow connection is paid for each time that it is needed."""
    pool = {"overflow": 1, "prefill": True}
    described = scenario({"api": service(_QUERY), "main": _database(size=1, pool=pool, connect_time="30ms")})
    requests, _ = observe(described, [0.0, 0.01, 1.0, 1.01])
    assert requests["sojourn_time_s"].tolist() == pytest.approx([0.1, 0.13, 0.1, 0.13])


def test_an_overflow_connection_is_closed_when_size_others_are_idle() -> None:
    """Size 1, overflow 1: of two in use the first back stays, the second is closed, whichever was opened first."""
    database = _database(size=1, pool={"overflow": 1}, connect_time="30ms")
    world, _ = faulty(database, [0.0, 0.05, 1.0], [])
    opened = [(0.0, 1), (0.05, 2), (0.18, 1)]
    assert world.log.gauges["main", 0, "connections_open"] == _opened(opened)


def test_a_waiter_takes_over_the_open_connection() -> None:
    """Three at once on size 1, overflow 1: the third gets the first one's connection and opens none."""
    described = scenario({"api": service(_QUERY), "main": _database(size=1, pool={"overflow": 1}, connect_time="30ms")})
    requests, _ = observe(described, [0.0, 0.01, 0.02])
    assert requests["end_s"].tolist() == pytest.approx([0.13, 0.14, 0.23])


def test_a_server_without_room_for_another_connection_refuses_it() -> None:
    """Two connections at most: of three at once the third is refused at once; later an open one serves it."""
    described = scenario({"api": service(_QUERY), "main": _database(max_connections=2)})
    requests, visits = observe(described, [0.0, 0.0, 0.0, 1.0])
    assert requests["outcome"].tolist() == ["ok", "ok", "error", "ok"]
    assert requests["end_s"][2] == 0.0
    assert len(_of(visits, "main.server")) == 3


def test_a_crash_ends_everything_and_refuses_newcomers_until_the_restart() -> None:
    """One core. At 0.15 s one executes and one waits: both fail; 0.2 s is refused; after the restart all is well."""
    world, visits = faulty(
        _database(cores=1),
        [0.1, 0.12, 0.2, 1.0],
        [(0.15, Cluster.crash), (0.5, Cluster.restart)],
    )
    pool, server = _of(visits, "main"), _of(visits, "main.server")
    assert pool["outcome"].tolist() == ["error", "error", "error", "ok"]
    assert pool["departure_s"].tolist() == pytest.approx([0.15, 0.15, 0.2, 1.1])
    assert server["outcome"].tolist() == ["error", "error", "ok"]
    assert server["service_time_s"].tolist() == pytest.approx([0.05, 0.0, 0.1])
    assert server["waiting_time_s"].tolist() == pytest.approx([0.0, 0.03, 0.0])
    assert world.log.gauges["main", 0, "connections_open"] == _opened([(0.1, 1), (0.12, 2), (0.15, 0), (1.0, 1)])


def test_the_first_statement_after_a_restart_finds_its_connection_broken() -> None:
    """Two idle connections do not notice the crash. The first statement fails, and the pool then opens both anew."""
    database = _database(size=2, connect_time="30ms")
    _, visits = faulty(database, [0.0, 0.0, 2.0, 3.0, 3.0, 4.0], [(1.0, Cluster.crash), (1.5, Cluster.restart)])
    pool = _of(visits, "main")
    assert pool["outcome"].tolist() == ["ok", "ok", "error", "ok", "ok", "ok"]
    assert (pool["departure_s"] - pool["arrival_s"]).tolist() == pytest.approx([0.13, 0.13, 0.0, 0.13, 0.13, 0.1])


def test_opening_a_connection_is_broken_off_by_a_crash() -> None:
    """The connection would have been open at 30 ms; the server goes at 10."""
    _, visits = faulty(_database(connect_time="30ms"), [0.0], [(0.01, Cluster.crash)])
    assert _of(visits, "main")["departure_s"].tolist() == pytest.approx([0.01])
    assert _of(visits, "main")["outcome"].tolist() == ["error"]
    assert _of(visits, "main.server").empty


def test_a_frozen_server_answers_nobody_and_loses_nothing() -> None:
    """Frozen from 0.05 to 1.05 s: who was at work needs 50 ms more, who came meanwhile is let in only then."""
    _, visits = faulty(_database(cores=1), [0.0, 0.5], [(0.05, Cluster.freeze), (1.05, Cluster.thaw)])
    server = _of(visits, "main.server")
    assert server["departure_s"].tolist() == pytest.approx([1.1, 1.2])
    assert server["service_time_s"].tolist() == pytest.approx([1.1, 0.1])
    assert server["waiting_time_s"].tolist() == pytest.approx([0.0, 0.05])
    assert _of(visits, "main")["service_time_s"].tolist() == pytest.approx([0.0, 0.55])  # to open a connection


def test_a_frozen_server_is_slow_to_open_connections_too() -> None:
    """Opening begins at 0.5 s while it stands still until 1 s, then takes its 30 ms."""
    _, visits = faulty(_database(connect_time="30ms"), [0.5], [(0.1, Cluster.freeze), (1.0, Cluster.thaw)])
    assert _of(visits, "main")["departure_s"].tolist() == pytest.approx([1.13])


def test_a_slow_server_takes_longer_for_what_is_under_way_too() -> None:
    """Four times slower from 0.05 s: the second half takes 200 ms; by 0.35 s a quarter of the next is done."""

    def slow(cluster: Cluster) -> None:
        cluster.slow_down(4.0)

    _, visits = faulty(_database(cores=1), [0.0, 0.0, 1.0], [(0.05, slow), (0.35, Cluster.recover)])
    # 50 ms at full speed + 50 ms at a quarter (200 ms) = 0.25; then 100 ms of it at a quarter = 25 ms done, 75 left.
    assert _of(visits, "main.server")["departure_s"].tolist() == pytest.approx([0.25, 0.425, 1.1])


def test_a_crash_forgets_a_freeze_but_not_the_slowness() -> None:
    """The process is new, its host is not."""

    def slow(cluster: Cluster) -> None:
        cluster.slow_down(2.0)

    faults = [(0.1, slow), (0.2, Cluster.freeze), (0.3, Cluster.crash), (0.4, Cluster.restart)]
    _, visits = faulty(_database(), [0.5], faults)
    assert _of(visits, "main.server")["departure_s"].tolist() == pytest.approx([0.7])


def test_a_database_without_cores_or_faults_has_no_rows_of_its_server() -> None:
    """Then the pool is all there is, and its row holds the whole statement."""
    _, visits = observe(scenario({"api": service(_QUERY), "main": _database()}), [0.0])
    assert set(visits["component"]) == {"api", "main"}
    assert _of(visits, "main")["service_time_s"].tolist() == pytest.approx([0.1])
