"""Refused connections, health checks, slow starts: HAProxy 2.8.25's rules, each worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from lab.simulation.request import Outcome
from tests.unit.balancing import Rig

CHECK = {"interval": "2s", "fall": 3, "rise": 2}


def _ends(rig: Rig) -> list[tuple[float, str, int]]:
    return [(answer.end_s, answer.outcome.value, answer.replica) for answer in rig.run()]


@pytest.mark.parametrize("algorithm", ["roundrobin", "leastconn", "random", "first"])
def test_redispatch_goes_to_another_server_at_once(algorithm: str) -> None:
    """Measured: where the algorithm wants no certain server, no time is lost on a dead one."""
    rig = Rig(edge={"algorithm": algorithm, "redispatch": True, "draws": 2})
    rig.at(1.0, lambda: rig.fleet.crash(rig.members[0]))
    rig.send(*(2.0 + number for number in range(6)))
    assert _ends(rig) == [(pytest.approx(2.1 + number), "ok", 1) for number in range(6)]


@pytest.mark.parametrize(("connect_timeout", "failed_s"), [("1s", 2.0), ("300ms", 0.6)])
def test_a_table_of_hashes_never_gets_away_from_a_dead_server(connect_timeout: str, failed_s: float) -> None:
    """Measured: two pauses, then the last attempt is redispatched at once, to the same server: 503 after 2 (0.6) s."""
    rig = Rig(edge={"algorithm": "uri", "redispatch": True, "connect_timeout": connect_timeout})
    rig.at(1.0, lambda: rig.fleet.crash(rig.members[0]))
    rig.send(*[10.0] * 8, keys=list(range(8)))
    ends = _ends(rig)
    assert {end[1:] for end in ends} == {("ok", 1), ("rejected", -1)}
    assert {end[0] for end in ends if end[1] == "rejected"} == {10.0 + failed_s}


def test_a_ring_of_hashes_gets_away_with_the_last_attempt() -> None:
    """Measured: after two pauses the next server along the ring is asked: 200 after 2 s."""
    rig = Rig(edge={"algorithm": "uri", "hash_type": "consistent", "redispatch": True})
    rig.at(1.0, lambda: rig.fleet.crash(rig.members[0]))
    rig.send(*[10.0] * 40, keys=list(range(40)))
    assert set(_ends(rig)) == {(10.1, "ok", 1), (12.1, "ok", 1)}


def test_retries_and_the_connect_timeout_bound_the_attempts() -> None:
    """One retry after 250 ms, then 503."""
    rig = Rig(replicas=1, edge={"retries": 1, "connect_timeout": "250ms"})
    rig.at(1.0, lambda: rig.fleet.crash(rig.members[0]))
    rig.send(2.0)
    assert _ends(rig) == [(2.25, "rejected", -1)]


def test_a_killed_server_fails_slowly_until_checks_take_it_down() -> None:
    """Checks at 0, 2, 4 ... s: dead at 5 s, down at 10 s; then 503 at once. One alone and redispatch, as measured.

    A request of 9.5 s is refused then and at 10.5 s, when the server is down: redispatched after one more pause, it
    finds no server at 11.5 s.
    """
    rig = Rig(replicas=1, edge={"health_check": CHECK, "redispatch": True})
    rig.at(5.0, lambda: rig.fleet.crash(rig.members[0]))
    rig.send(6.0, 9.5, 12.0)
    assert _ends(rig) == [(9.0, "rejected", -1), (11.5, "rejected", -1), (12.0, "rejected", -1)]
    assert rig.events() == [(10.0, "server_down", 0)]


def test_fast_interval_speeds_up_the_decision_and_down_interval_slows_the_return() -> None:
    """Checks at 0, 2, 4, 6 (fails), 6.5, 7 -> down; then every 5 s: 12 fails, 17 passes, 17.5 passes -> up."""
    check = CHECK | {"fast_interval": "500ms", "down_interval": "5s"}
    rig = Rig(replicas=1, edge={"health_check": check})
    rig.at(5.0, lambda: rig.fleet.crash(rig.members[0]))
    rig.at(13.0, lambda: rig.fleet.start(replaces=rig.members[0]))
    rig.send(18.0)
    assert _ends(rig) == [(18.1, "ok", 1)]
    assert rig.events() == [(7.0, "server_down", 0), (13.0, "server_replaced", 0), (17.5, "server_up", 0)]


def test_one_good_check_begins_the_count_anew() -> None:
    """Two of three failures, then a success: up it stays, and three more are needed."""
    rig = Rig(replicas=1, edge={"health_check": CHECK})
    rig.at(1.0, lambda: rig.fleet.crash(rig.members[0]))  # checks of 2 and 4 s fail
    rig.at(5.0, lambda: rig.fleet.start(replaces=rig.members[0]))  # that of 6 s passes
    rig.at(7.0, lambda: rig.fleet.crash(rig.members[1]))  # those of 8, 10 and 12 s fail
    rig.run()
    assert rig.events("server_down") == [(12.0, "server_down", 0)]


def test_one_bad_check_on_the_way_up_begins_the_count_anew() -> None:
    """Down at 6 s; passes at 10, fails at 12, passes at 14 and 16 s."""
    rig = Rig(replicas=1, edge={"health_check": CHECK})
    rig.at(1.0, lambda: rig.fleet.crash(rig.members[0]))
    rig.at(9.0, lambda: rig.fleet.start(replaces=rig.members[0]))
    rig.at(11.0, lambda: rig.fleet.crash(rig.members[1]))
    rig.at(13.0, lambda: rig.fleet.start(replaces=rig.members[1]))
    rig.run()
    assert rig.events("server_down", "server_up") == [(6.0, "server_down", 0), (16.0, "server_up", 0)]


def test_checks_of_several_servers_are_spread_over_the_interval() -> None:
    """Four servers, all dead at 1.9 s: the first three checks of each after that come half a second apart."""
    rig = Rig(replicas=4, edge={"health_check": CHECK})
    for number in range(4):
        rig.at(1.9, lambda number=number: rig.fleet.crash(rig.members[number]))
    rig.run()
    assert rig.events("server_down") == [(6.0 + 0.5 * slot, "server_down", slot) for slot in range(4)]


def test_the_time_until_a_death_is_noticed_is_even_over_one_interval() -> None:
    """50 servers that die at once: up to one interval until the first check, then two more, a fast interval apart."""
    rig = Rig(replicas=50, edge={"health_check": CHECK | {"fast_interval": "300ms"}})
    for member in rig.members:
        rig.at(4.99, lambda member=member: rig.fleet.crash(member))
    rig.run()
    noticed_s = sorted(time_s - 4.99 - 2 * 0.3 for time_s, *_ in rig.events("server_down"))
    assert noticed_s == pytest.approx([0.01 + 0.04 * number for number in range(50)])


def test_a_process_that_hangs_lets_the_checks_time_out() -> None:
    """Frozen at 1 s: nobody answers the checks of 2, 5 and 8 s within 1 s, so down at 9 s; thawed at 9.5 s: the checks
    of 11 and 13 s pass.
    """
    rig = Rig(replicas=1, edge={"health_check": CHECK | {"timeout": "1s"}}, faulty=True)
    rig.at(1.0, rig.members[0].freeze)
    rig.at(9.5, rig.members[0].thaw)
    rig.run()
    assert rig.events() == [(9.0, "server_down", 0), (13.0, "server_up", 0)]


def test_a_process_that_goes_on_in_time_answers_the_check() -> None:
    """Frozen for half a second: the check waits for it."""
    rig = Rig(replicas=1, edge={"health_check": CHECK | {"timeout": "1s", "fall": 1}}, faulty=True)
    rig.at(1.9, rig.members[0].freeze)
    rig.at(2.4, rig.members[0].thaw)
    rig.run()
    assert rig.events() == []


def _both_die(**edge: Any) -> Rig:
    """Two servers of one slot each, requests of 3 s; both hang from 1.2 to 2.6 s and are down at 2.001 and 1.501 s."""
    check = {"interval": "1s", "fall": 1, "timeout": "1ms"} | edge.pop("check", {})
    rig = Rig(
        time="3s",
        edge={"health_check": check, "max_connections_per_server": 1, "queue_timeout": "20s"} | edge,
        faulty=True,
    )
    for member in rig.members:
        rig.at(1.2, member.freeze)
        rig.at(2.6, member.thaw)
    rig.send(0.1, 0.15, 0.2, 0.25, keys=[1, 1, 1, 1])
    return rig


def test_who_waits_for_any_server_goes_with_the_last_one() -> None:
    """Measured: the work under way ends well, those in the queue of all are refused when the last server goes down."""
    rig = _both_die()
    ends = _ends(rig)
    down_s = [time_s for time_s, *_ in rig.events("server_down")]
    assert down_s == [1.501, 2.001]
    assert [end[:2] for end in ends] == [(3.1, "ok"), (3.15, "ok"), (2.001, "rejected"), (2.001, "rejected")]


def test_who_waits_for_a_server_that_is_down_still_waits_for_it() -> None:
    """Measured: with uri and without redispatch they stay in its queue, and get its slot when it is free."""
    rig = _both_die(algorithm="uri")
    assert [end[:2] for end in _ends(rig)] == [(3.1, "ok"), (6.1, "ok"), (9.1, "ok"), (12.1, "ok")]


def test_who_waits_for_a_server_that_is_down_chooses_anew_with_redispatch() -> None:
    """Server 1 goes down at 1.501 s: one gets server 0, and is answered 3 s after that is thawed; two wait until it too
    is down.
    """
    rig = _both_die(algorithm="uri", redispatch=True)
    assert [end[:2] for end in _ends(rig)] == [(3.1, "ok"), (5.6, "ok"), (2.001, "rejected"), (2.001, "rejected")]


def test_shutting_sessions_down_ends_the_work_under_way() -> None:
    """Measured: 502 when the server is taken down; the replica works on for nobody."""
    rig = _both_die(check={"on_marked_down": "shutdown_sessions"})
    assert [end[:2] for end in _ends(rig)] == [
        (2.001, "error"),
        (1.501, "error"),
        (2.001, "rejected"),
        (2.001, "rejected"),
    ]
    api = [visit for visit in rig.log.visits if visit.component == "api"]
    assert [round(visit.departure_s, 3) for visit in api] == [3.1, 3.15]


def test_slow_start_gives_a_new_server_its_weight_second_by_second() -> None:
    """Measured over 40 s: 1/16 of the weight at once, 2/16 after 3 s, 3/16 after 5 s, 4/16 after 8 s; then all."""
    rig = Rig(replicas=1, edge={"slow_start": "40s", "weights": [100]})
    rig.at(10.0, rig.fleet.start)
    steps: dict[float, int] = {}
    for second in range(9, 55):
        rig.at(second + 0.5, lambda second=second: steps.update({second: rig.servers[-1].weight // 16}))
    rig.run()
    assert steps[9] == 100
    assert [steps[10 + after] for after in (0, 2, 3, 4, 5, 7, 8, 39, 40)] == [
        weight * 100 // 16 for weight in (1, 1, 2, 2, 3, 3, 4, 16, 16)
    ]


def test_slow_start_gives_a_returning_server_its_connections_second_by_second() -> None:
    """Limit 20 over 10 s: one at first, then 2, 4, 6 ... a second; not at the start of the balancer."""
    check = {"interval": "1s", "fall": 1, "rise": 1}
    rig = Rig(replicas=1, edge={"slow_start": "10s", "health_check": check, "max_connections_per_server": 20})
    assert rig.servers[0].limit == 20
    rig.at(4.5, lambda: rig.fleet.crash(rig.members[0]))
    rig.at(9.5, lambda: rig.fleet.start(replaces=rig.members[0]))
    limits: list[float] = []
    for second in range(10, 22):
        rig.at(second + 0.5, lambda: limits.append(rig.servers[0].limit))
    rig.run()
    assert rig.events("server_up") == [(10.0, "server_up", 0)]
    assert limits == [1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 20]


def test_a_slow_start_shifts_the_turns_to_the_others() -> None:
    """Beside a full server, one of 1/16 of the weight has one turn in 17."""
    rig = Rig(replicas=1, time="1ms", edge={"slow_start": "1000s"})
    rig.at(0.5, rig.fleet.start)
    rig.send(*(1.0 + 0.01 * number for number in range(340)))
    assert [answer.replica for answer in rig.run()].count(1) == 20


def test_a_slow_start_that_is_cut_short_begins_anew() -> None:
    """Down again after 3 s of 10: the old steps are over, and the next start begins at the least."""
    check = {"interval": "1s", "fall": 1, "rise": 1}
    rig = Rig(replicas=1, edge={"slow_start": "10s", "health_check": check, "max_connections_per_server": 20})
    rig.at(0.5, lambda: rig.fleet.crash(rig.members[0]))
    rig.at(1.5, lambda: rig.fleet.start(replaces=rig.members[0]))
    rig.at(4.5, lambda: rig.fleet.crash(rig.members[1]))
    rig.at(6.5, lambda: rig.fleet.start(replaces=rig.members[1]))
    limits: list[float] = []
    for second in (3, 4, 7, 8, 9):
        rig.at(second + 0.5, lambda: limits.append(rig.servers[0].limit))
    rig.run()
    assert limits == [2, 4, 1, 2, 4]


def test_a_refused_request_is_rejected_in_the_callers_eyes() -> None:
    """503 of the balancer: the row is all waiting."""
    rig = Rig(replicas=1)
    rig.at(1.0, lambda: rig.fleet.crash(rig.members[0]))
    rig.send(2.0)
    (answer,) = rig.run()
    assert answer.outcome is Outcome.REJECTED
    (row,) = (visit for visit in rig.log.visits if visit.component == "edge")
    assert (row.waiting_time_s, row.service_time_s, row.outcome) == (3.0, 0.0, Outcome.REJECTED)


def test_checks_of_a_balancer_that_has_been_there_for_long_begin_anywhere() -> None:
    """Checks at whole seconds with ``phase: from_start``; with ``phase: random`` somewhere between them, as drawn."""
    noticed_s = {}
    for phase in ("from_start", "random"):
        rig = Rig(replicas=1, edge={"health_check": {"interval": "1s", "fall": 1, "phase": phase}})
        rig.at(1.5, lambda rig=rig: rig.fleet.crash(rig.members[0]))
        rig.run()
        ((noticed_s[phase], *_),) = rig.events("server_down")
    assert noticed_s["from_start"] == 2.0
    assert 1.5 <= noticed_s["random"] < 2.5
    assert noticed_s["random"] != 2.0
