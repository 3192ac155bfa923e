"""Transactions, repeated queries and plans: each rule on a schedule worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from lab.errors import ScenarioError, Unsupported
from lab.scenario.components import Service
from lab.scenario.demands import demand_slots
from lab.simulation.build import Context
from lab.simulation.build.service import make_replica
from lab.simulation.clock import Order, Timer
from lab.simulation.fleet import Fleet
from lab.simulation.request import Handling, Outcome, Part, Request
from tests.unit.backends import observe, scenario, service, waiting
from tests.unit.test_simulation_database import world_with

_GET = {"kind": "query", "database": "main", "query": "get"}
_PUT = {"kind": "query", "database": "main", "query": "put"}


def _transaction(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "transaction", "database": "main", "steps": list(steps)}


def _database(size: int = 1, **others: Any) -> dict[str, Any]:
    return {
        "kind": "database",
        "pool": {"size": size},
        "round_trip": "0s",
        "queries": {"get": "100ms", "put": {"statement": "insert", "time": "50ms"}},
        **others,
    }


def test_n_plus_one_queries_cost_as_many_round_trips() -> None:
    """51 lookups of 36 us with a round trip of 50 us take 4.4 ms, one query of 950 us takes 1.0 (loopback)."""
    queries = {"lookup": "36us", "batch": "950us"}
    took_s = []
    for step in ({"query": "lookup", "repeat": 51}, {"query": "batch"}):
        parts = {"api": service(_GET | step), "main": _database(queries=queries, round_trip="50us")}
        requests, visits = observe(scenario(parts), [0.0])
        took_s.append(float(requests["sojourn_time_s"].iloc[0]))
        assert (visits["component"] == "main").sum() == step.get("repeat", 1)
    assert took_s == pytest.approx([51 * 86e-6, 1e-3])


def test_repeated_queries_take_a_connection_each() -> None:
    """One connection: two requests of two queries each take turns on it, and both end late."""
    requests, _ = observe(scenario({"api": service(_GET | {"repeat": 2}), "main": _database()}), [0.0, 0.01])
    assert requests["end_s"].tolist() == pytest.approx([0.3, 0.4])


def test_repeated_queries_are_drawn_apart() -> None:
    """Each is a slot of its own."""
    times = {"get": {"kind": "exponential", "mean": "100ms"}}
    _, visits = observe(scenario({"api": service(_GET | {"repeat": 3}), "main": _database(queries=times)}), [0.0])
    assert visits[visits["component"] == "main"]["service_time_s"].nunique() == 3


def test_a_transaction_keeps_its_connection_while_it_waits_for_something_else() -> None:
    """Query, 300 ms elsewhere, query: the connection is held for 500 ms, so the second request waits that long."""
    steps = _transaction(_GET, waiting("300ms"), _GET)
    requests, visits = observe(scenario({"api": service(steps), "main": _database()}), [0.0, 0.0])
    assert requests["end_s"].tolist() == pytest.approx([0.5, 1.0])
    held = visits[visits["component"] == "main"]
    assert held["operation"].tolist() == ["transaction", "transaction"]
    assert held["waiting_time_s"].tolist() == pytest.approx([0.0, 0.5])
    assert held["service_time_s"].tolist() == [0.0, 0.0]
    server = visits[visits["component"] == "main.server"]
    assert server["operation"].tolist() == ["get", "get", "commit"] * 2


def test_commit_is_a_round_trip_of_its_own() -> None:
    """20 ms of network for the query, 20 for the commit: 140 ms, of which 40 are the row of the connection."""
    parts = {"api": service(_transaction(_GET)), "main": _database(round_trip="20ms")}
    requests, visits = observe(scenario(parts), [0.0])
    assert requests["sojourn_time_s"].tolist() == pytest.approx([0.14])
    assert visits[visits["component"] == "main"]["service_time_s"].tolist() == pytest.approx([0.04])


def test_a_transaction_is_rolled_back_when_a_step_fails() -> None:
    """The call inside is turned away: rollback, an error, and the connection is free again."""
    call = {"kind": "call", "target": "inner", "endpoint": "get"}
    parts = {
        "api": service(_transaction(_PUT, call)),
        "inner": service(waiting("1s"), concurrency=1, backlog=0),
        "main": _database(size=2),
    }
    requests, visits = observe(scenario(parts), [0.0, 0.2, 2.0])
    assert requests["outcome"].tolist() == ["ok", "error", "ok"]
    server = visits[visits["component"] == "main.server"]
    assert server["operation"].tolist() == ["put", "put", "rollback", "commit", "put", "commit"]
    assert visits[visits["component"] == "main"]["outcome"].tolist() == ["ok", "error", "ok"]


def test_a_crash_in_a_transaction_fails_its_next_statement() -> None:
    """It crashes while the transaction waits elsewhere, and is up again: the connection is broken all the same."""
    described = scenario({"api": service(_transaction(_GET, waiting("1s"), _GET)), "main": _database()})
    world = world_with(described, failing={"main"})
    part = world.fleet("api").members[0]
    ended: list[tuple[float, Outcome]] = []

    def send() -> Handling:
        ended.append((0.0, (yield from part.handle(Request(0, 0, "get", 0, 0)))))
        ended[-1] = (world.clock.now, ended[-1][1])
        return Outcome.OK

    cluster = world.database_server("main")
    world.clock.process(send())
    Timer(world.clock, 0.5, Order.COMPLETION, lambda _: cluster.crash())
    Timer(world.clock, 0.6, Order.COMPLETION, lambda _: cluster.restart())
    world.clock.run(until=9.0)
    assert ended == [(pytest.approx(1.1), Outcome.ERROR)]
    assert [visit.outcome for visit in world.log.visits if visit.component == "main"] == [Outcome.ERROR]


def test_a_scan_grows_with_the_rows_and_an_index_hardly() -> None:
    """1000 rows at 100 us: 100 ms. Two inserts and 10 rows/s by others: at 2 s 1022 rows, 102.2 ms."""
    scan = {"time": "0s", "plan": {"kind": "scan", "time_per_row": "100us"}}
    index = {"time": "0s", "plan": {"kind": "index", "time_per_comparison": "1ms"}}
    queries = {"scan": scan, "index": index, "put": {"statement": "insert", "time": "1ms"}}
    parts = {
        "api": service(
            _PUT, _PUT, {"kind": "wait", "time": "1998ms"}, _GET | {"query": "scan"}, _GET | {"query": "index"}
        ),
        "main": _database(queries=queries, rows=1000, row_growth="10/s"),
    }
    _, visits = observe(scenario(parts), [0.0])
    server = visits[visits["component"] == "main.server"].set_index("operation")["service_time_s"]
    assert server["scan"] == pytest.approx(0.1022)
    assert server["index"] == pytest.approx(0.0099986, abs=1e-6)  # log2(1023.0)


def test_what_is_rolled_back_adds_no_row() -> None:
    """The insert counts when it is committed, so a failed transaction leaves the scan as it was."""
    scan = {"time": "0s", "plan": {"kind": "scan", "time_per_row": "1ms"}}
    queries = {"get": scan, "put": {"statement": "insert", "time": "1ms"}}
    call = {"kind": "call", "target": "inner", "endpoint": "get"}
    parts = {
        "api": service(_GET, _transaction(_PUT, call)),
        "inner": service(waiting("1s"), concurrency=1, backlog=0),
        "main": _database(size=5, queries=queries, rows=10),
    }
    _, visits = observe(scenario(parts), [0.0, 0.1, 5.0])
    scans = visits[(visits["component"] == "main.server") & (visits["operation"] == "get")]
    assert scans["service_time_s"].tolist() == pytest.approx([0.01, 0.01, 0.011])


def test_an_own_component_cannot_stand_for_a_database_in_a_transaction() -> None:
    """It has one verb, and no connections to hold."""

    class Own:
        def __init__(self, context: Context) -> None:
            self._context = context

        def handle(self, request: Request) -> Handling:
            yield self._context.clock.timeout(0.0)
            return Outcome.OK

    def make(context: Context) -> Part:
        return Own(context)

    described = scenario({"api": service(_transaction(_GET)), "main": _database()})
    with pytest.raises(Unsupported, match="has no connections to hold in a transaction"):
        observe(described, [0.0], own={"main": make})


def test_a_refresh_in_the_background_cannot_use_the_connection_of_a_transaction() -> None:
    """It may go on when the transaction has ended."""
    look_up = {"kind": "cached", "cache": "items", "miss": [_GET]}
    cache = {"kind": "cache", "ttl": "1s", "stampede_protection": {"kind": "stale_while_revalidate"}}
    parts = {"api": service(_transaction(_PUT, look_up)), "main": _database(), "items": cache}
    with pytest.raises(ScenarioError, match="looks into 'items', which refreshes entries in the background"):
        scenario(parts)


def test_demands_of_repeats_and_transactions() -> None:
    """Three slots for the repeated query, one inside the transaction, which goes on counting."""
    described = scenario({"api": service(_GET | {"repeat": 3}, _transaction(_GET, _PUT)), "main": _database()})
    slots = demand_slots(described, "get")
    assert [slot.operation for slot in slots] == ["get"] * 4 + ["put"]
    assert len({(slot.stream, slot.visit) for slot in slots}) == 5


def test_a_process_that_dies_in_a_transaction_lets_go_of_its_connections() -> None:
    """Two connections are open, one of them in a transaction; at 0.25 s the process dies, and the server has none."""
    described = scenario({"api": service(_transaction(_GET, waiting("1s"), _PUT)), "main": _database(size=2)})
    world = world_with(described, failing={"main"})
    spec = described.components["api"]
    assert isinstance(spec, Service)
    fleet = Fleet(clock=world.clock, make=lambda index: make_replica(world, "api", spec, index), mortal=True)
    world._fleets["api"] = fleet  # the world's own fleets end only where the scenario says how
    member = fleet.start()
    ended: list[tuple[float, Outcome]] = []

    def send(number: int, start_s: float) -> Handling:
        yield Timer(world.clock, start_s, Order.ARRIVAL)
        outcome = yield from member.handle(Request(number, 0, "get", 0, 0))
        ended.append((world.clock.now, outcome))
        return outcome

    for number, start_s in enumerate((0.0, 0.2, 0.21)):
        world.clock.process(send(number, start_s))
    Timer(world.clock, 0.25, Order.COMPLETION, lambda _: fleet.crash(member))
    world.clock.run(until=9.0)
    assert ended == [(pytest.approx(0.25), Outcome.ERROR)] * 3
    # The first waits elsewhere, the second's statement is still executed at the server, the third had no connection.
    opened = [(pytest.approx(0.0), 1), (pytest.approx(0.2), 2), (pytest.approx(0.25), 0)]
    assert world.log.gauges["main", 0, "connections_open"] == opened
    rows = [visit for visit in world.log.visits if visit.component == "main"]
    assert [(visit.departure_s, visit.outcome) for visit in rows] == [(pytest.approx(0.25), Outcome.ERROR)] * 3
    assert [visit.operation for visit in world.log.visits if visit.component == "main.server"] == ["get", "get"]
