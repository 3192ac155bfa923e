"""Servers come, go and fail: what the balancer is told, what it finds out, and what becomes of the requests."""

from __future__ import annotations

from lab.simulation.request import Outcome
from tests.unit.balancing import Rig


def test_a_new_process_is_a_new_server() -> None:
    """It takes its turn once it is ready, and not while it boots."""
    rig = Rig(replicas=1)
    rig.at(1.0, lambda: rig.fleet.start(2.0))
    rig.send(1.5, 2.5, 3.5, 4.5)
    assert [answer.replica for answer in rig.run()] == [0, 0, 1, 0]
    assert rig.events() == [(3.0, "server_added", 1)]


def test_a_new_server_relieves_the_queue_at_once() -> None:
    """Who waits for whichever is free goes to the new one first."""
    rig = Rig(replicas=1, time="1s", edge={"max_connections_per_server": 1, "queue_timeout": "10s"})
    rig.at(0.5, rig.fleet.start)
    rig.send(0.0, 0.1, 0.2)
    assert [(answer.end_s, answer.replica) for answer in rig.run()] == [(1.0, 0), (1.5, 1), (2.0, 0)]


def test_a_draining_server_gets_nothing_new_and_finishes() -> None:
    """What is under way ends well; the server is forgotten when it is done."""
    rig = Rig(time="1s")
    rig.send(0.0, 0.1, 0.5, 0.6)
    rig.at(0.3, lambda: rig.fleet.drain(rig.members[1]))
    answers = rig.run()
    assert [(answer.end_s, answer.replica) for answer in answers] == [(1.0, 0), (1.1, 1), (1.5, 0), (1.6, 0)]
    assert {answer.outcome for answer in answers} == {Outcome.OK}
    assert rig.events() == [(0.3, "server_draining", 1), (1.1, "server_removed", 1)]
    assert [server.slot for server in rig.servers] == [0]


def test_draining_waits_for_a_request_that_is_on_its_way() -> None:
    """The connection is open while the request travels, so the process does not end before it comes."""
    rig = Rig(edge={"forward_time": "200ms"})
    rig.send(0.0)
    rig.at(0.1, lambda: rig.fleet.drain(rig.members[0]))
    (answer,) = rig.run()
    assert (answer.end_s, answer.outcome, answer.replica) == (0.3, Outcome.OK, 0)
    assert rig.events("server_removed") == [(0.3, "server_removed", 0)]


def test_a_restarted_process_takes_its_server_over() -> None:
    """The server keeps its turn; without checks nobody told the balancer that the process was gone."""
    rig = Rig()
    rig.at(1.0, lambda: rig.fleet.crash(rig.members[0]))
    rig.at(2.0, lambda: rig.fleet.start(3.0, replaces=rig.members[0]))
    rig.send(0.0, 6.0, 7.0, 8.0)
    assert [answer.replica for answer in rig.run()] == [0, 1, 2, 1]
    assert rig.events() == [(5.0, "server_replaced", 0)]


def test_a_restart_of_a_restart_that_failed_takes_the_server_over() -> None:
    """The second process died while it booted; the third has the address of the first."""
    rig = Rig(replicas=1)
    rig.at(1.0, lambda: rig.fleet.crash(rig.members[0]))
    rig.at(2.0, lambda: rig.fleet.start(3.0, replaces=rig.members[0]))
    rig.at(3.0, lambda: rig.fleet.crash(rig.members[1]))
    rig.at(4.0, lambda: rig.fleet.start(1.0, replaces=rig.members[1]))
    rig.send(6.0)
    (answer,) = rig.run()
    assert (answer.outcome, answer.replica) == (Outcome.OK, 2)
    assert len(rig.servers) == 1


def test_work_under_way_on_a_dying_server_ends_as_bad_gateway() -> None:
    """The connection is reset: an error at that very time, not tried again."""
    rig = Rig(time="1s")
    rig.send(0.0)
    rig.at(0.4, lambda: rig.fleet.crash(rig.members[0]))
    (answer,) = rig.run()
    assert (answer.end_s, answer.outcome, answer.replica) == (0.4, Outcome.ERROR, 0)
    assert rig.servers[0].served == 0


def test_a_dead_server_stays_in_turn_and_is_tried_four_times() -> None:
    """Refused at 10, 11, 12 and 13 s, then 503; every other request fails so, for ever, as nobody checks."""
    rig = Rig()
    rig.at(5.0, lambda: rig.fleet.crash(rig.members[0]))
    rig.send(10.0, 10.1, 50.0, 50.1)
    answers = rig.run()
    assert [(answer.end_s, answer.outcome, answer.replica) for answer in answers] == [
        (13.0, Outcome.REJECTED, -1),
        (10.2, Outcome.OK, 1),
        (53.0, Outcome.REJECTED, -1),
        (50.2, Outcome.OK, 1),
    ]
    assert rig.servers[0].served == 0


def test_a_process_that_is_back_in_time_is_reached_by_a_further_attempt() -> None:
    """Refused at 10 and 11 s; at 12 s the restarted process listens. The pauses are waiting, as the queue is."""
    rig = Rig(replicas=1)
    rig.at(5.0, lambda: rig.fleet.crash(rig.members[0]))
    rig.at(5.0, lambda: rig.fleet.start(6.5, replaces=rig.members[0]))
    rig.send(10.0)
    (answer,) = rig.run()
    assert (answer.end_s, answer.outcome, answer.replica) == (12.1, Outcome.OK, 1)
    (row,) = (visit for visit in rig.log.visits if visit.component == "edge")
    assert row.waiting_time_s == 2.0


def test_a_request_that_pauses_keeps_its_slot() -> None:
    """One slot: the second request waits in the queue until the first has failed at 13 s, then fails itself."""
    rig = Rig(replicas=1, edge={"max_connections_per_server": 1, "queue_timeout": "10s"})
    rig.at(5.0, lambda: rig.fleet.crash(rig.members[0]))
    rig.send(10.0, 10.0)
    assert [(answer.end_s, answer.outcome) for answer in rig.run()] == [
        (13.0, Outcome.REJECTED),
        (16.0, Outcome.REJECTED),
    ]


def test_nothing_waits_when_the_last_server_drains() -> None:
    """Nobody may be chosen: who waits is refused at that time, and who comes later at once."""
    rig = Rig(replicas=1, time="1s", edge={"max_connections_per_server": 1, "queue_timeout": "10s"})
    rig.send(0.0, 0.1, 0.8)
    rig.at(0.5, lambda: rig.fleet.drain(rig.members[0]))
    assert [(answer.end_s, answer.outcome) for answer in rig.run()] == [
        (1.0, Outcome.OK),
        (0.5, Outcome.REJECTED),
        (0.8, Outcome.REJECTED),
    ]
