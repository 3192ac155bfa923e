"""Disciplines of the backlog, the price of a rejection, and several workers: each rule worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from lab.randomness import Stream
from lab.scenario.arithmetic import arithmetic
from lab.scenario.scenario import Scenario
from lab.scenario.topology import mermaid
from tests.unit.backends import observe, scenario, service, waiting

_TURN = waiting("100ms")
_ONE_AFTER_ANOTHER = [0.0, 0.01, 0.02, 0.03]


def _one_slot(**others: Any) -> Scenario:
    return scenario({"api": service(_TURN, concurrency=1, **others)})


def test_first_in_first_out() -> None:
    """One slot, 100 ms each, four who come one after another: they are served in that order."""
    requests, _ = observe(_one_slot(), _ONE_AFTER_ANOTHER)
    assert requests["end_s"].tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4])


def test_last_in_first_out() -> None:
    """The same four: after the first the newest is served first."""
    requests, visits = observe(_one_slot(discipline="lifo"), _ONE_AFTER_ANOTHER)
    assert requests["end_s"].tolist() == pytest.approx([0.1, 0.4, 0.3, 0.2])
    assert visits["waiting_time_s"].tolist() == pytest.approx([0.0, 0.29, 0.18, 0.07])


def test_a_full_stack_turns_the_newcomer_away() -> None:
    """Two may wait: the fourth is refused, not one of those who wait."""
    requests, _ = observe(_one_slot(discipline="lifo", backlog=2), _ONE_AFTER_ANOTHER)
    assert requests["outcome"].tolist() == ["ok", "ok", "ok", "rejected"]
    assert requests["end_s"].tolist() == pytest.approx([0.1, 0.3, 0.2, 0.03])


def test_the_urgent_go_first_and_interrupt_nobody() -> None:
    """Two of class 2, then two of class 1, then one of class 0: after the first, by class, within it by arrival."""
    endpoints = {"bulk": [_TURN], "pay": [_TURN], "health": [_TURN]}
    api = {
        "kind": "service",
        "concurrency": 1,
        "discipline": "priority",
        "priorities": {"pay": 1, "bulk": 2, "health": 0},
        "endpoints": endpoints,
    }
    described = scenario(
        {"api": api}, workload={"kind": "open", "arrival_rate": "1/s", "endpoints": {"bulk": "50%", "pay": "50%"}}
    )
    mix = ["bulk", "bulk", "pay", "pay", "health"]
    requests, _ = observe(described, [*_ONE_AFTER_ANOTHER, 0.04], endpoints=mix)
    assert requests["end_s"].tolist() == pytest.approx([0.1, 0.5, 0.3, 0.4, 0.2])


def test_a_rejection_costs_cpu_time() -> None:
    """The slot is taken from 0 to 100 ms; two are turned away, 5 ms each, one after the other on the event loop."""
    described = _one_slot(backlog=0, overhead="1ms", rejection_overhead="5ms")
    requests, visits = observe(described, [0.0, 0.05, 0.052])
    assert requests["outcome"].tolist() == ["ok", "rejected", "rejected"]
    assert requests["end_s"].tolist() == pytest.approx([0.101, 0.055, 0.06])
    computed = visits[visits["operation"] == "rejection"]
    assert computed["service_time_s"].tolist() == pytest.approx([0.005, 0.005])
    assert visits[(visits["component"] == "api")]["waiting_time_s"].tolist() == pytest.approx([0.0] * 3)


def test_a_rejection_delays_what_is_admitted() -> None:
    """An answer that is there at 102 ms waits for the loop, which turns somebody away until 105 ms."""
    requests, _ = observe(_one_slot(backlog=0, overhead="2ms", rejection_overhead="5ms"), [0.0, 0.1])
    assert requests["end_s"].tolist() == pytest.approx([0.105, 0.105])


def _overheads_s(step: dict[str, Any], **others: Any) -> list[float]:
    """Return what the framework takes for three that come at 0, 10 and 100 ms; it is 6 ms for who finds it idle."""
    described = scenario({"api": service(step, overhead="6ms", **others)})
    requests, visits = observe(described, [0.0, 0.01, 0.1])
    assert set(requests["outcome"]) == {"ok"}
    computed = visits[visits["operation"].isin(["overhead", "busy_overhead"])].sort_values("request")
    return [float(each) for each in computed["service_time_s"]]


_COMPUTING = {"kind": "cpu", "time": "30ms"}


@pytest.mark.parametrize(
    ("step", "others"),
    [
        (_COMPUTING, {}),
        (_COMPUTING, {"runtime": "processes", "schedulers": 2}),
        ({"kind": "thread", "steps": [_COMPUTING]}, {}),
    ],
)
def test_a_busy_process_needs_less_for_a_request(step: dict[str, Any], others: dict[str, Any]) -> None:
    """Computing takes 30 ms, so the second of three finds the process at work."""
    assert _overheads_s(step, busy_overhead="1ms", **others) == pytest.approx([0.006, 0.001, 0.006])
    assert _overheads_s(step, **others) == pytest.approx([0.006, 0.006, 0.006])


def test_a_busy_process_may_need_nothing() -> None:
    """As 0 s is not the same as leaving it out: the second is done 30 ms after the first."""
    described = scenario({"api": service(_COMPUTING, overhead="6ms", busy_overhead="0s")})
    requests, _ = observe(described, [0.0, 0.01, 0.1])
    assert requests["end_s"].tolist() == pytest.approx([0.036, 0.066, 0.136])


def test_a_process_that_only_waits_is_idle() -> None:
    """The first waits for something for 30 ms, so the second finds nothing computing."""
    assert _overheads_s(waiting("30ms"), busy_overhead="1ms") == pytest.approx([0.006] * 3)


def _of_each_worker(count: int, workers: int, *, replicas_index: int = 0) -> list[int]:
    choices = Stream(seed=1, replication=0, name="api/worker")
    return [int(choices.uniform(number, 0, 0) * workers) + replicas_index for number in range(count)]


def test_each_worker_has_a_loop_of_its_own_and_is_chosen_at_random() -> None:
    """Nine requests of 20 ms CPU at once on two workers: each worker does its own, one after the other."""
    requests, visits = observe(scenario({"api": service({"kind": "cpu", "time": "20ms"}, workers=2)}), [0.0] * 9)
    chosen = _of_each_worker(9, 2)
    assert set(chosen) == {0, 1}
    turns = [1 + chosen[:number].count(worker) for number, worker in enumerate(chosen)]
    assert requests["end_s"].tolist() == pytest.approx([0.02 * turn for turn in turns])
    computed = visits[visits["operation"] == "cpu"].sort_values("request")
    assert computed["replica"].tolist() == chosen
    assert set(visits[visits["component"] == "api"]["replica"]) == {0}


def test_slots_and_backlog_are_each_workers_own() -> None:
    """One slot and no backlog in each of two workers: of nine at once, one a worker is served."""
    requests, _ = observe(scenario({"api": service(_TURN, workers=2, concurrency=1, backlog=0)}), [0.0] * 9)
    chosen = _of_each_worker(9, 2)
    firsts = {chosen.index(worker) for worker in (0, 1)}
    expected = ["ok" if number in firsts else "rejected" for number in range(9)]
    assert requests["outcome"].tolist() == expected


def test_each_worker_has_a_pool_of_its_own() -> None:
    """Two replicas with two workers each keep four pools of one connection."""
    query = {"kind": "query", "database": "main", "query": "get"}
    described = scenario(
        {
            "edge": {"kind": "load_balancer", "targets": "api"},
            "api": service(query, replicas=2, workers=2),
            "main": {"kind": "database", "pool": {"size": 1}, "round_trip": "0s", "queries": {"get": "100ms"}},
        },
        entry="edge",
    )
    _, visits = observe(described, [0.0] * 20)
    pools = visits[visits["component"] == "main"]
    assert set(pools["replica"]) == {0, 1, 2, 3}
    assert (pools.groupby("replica")["departure_s"].diff().dropna() > 0.0999).all()
    assert set(visits[visits["component"] == "api"]["replica"]) == {0, 1}


def test_the_arithmetic_counts_workers() -> None:
    """Two replicas of three workers: six event loops, and six times the slots and connections of one."""
    steps = [{"kind": "cpu", "time": "10ms"}, {"kind": "query", "database": "main", "query": "get"}]
    described = scenario(
        {
            "edge": {"kind": "load_balancer", "targets": "api"},
            "api": service(*steps, replicas=2, workers=3, concurrency=4, discipline="lifo"),
            "main": {"kind": "database", "pool": {"size": 5}, "round_trip": "0s", "queries": {"get": "100ms"}},
        },
        entry="edge",
    )
    sums = arithmetic(described)
    assert sums.row("api", "event_loop").servers == 6
    assert sums.row("api", "slots").servers == 24
    assert sums.row("main", "connections").servers == 30
    assert "3 workers each" in mermaid(described)
    assert "lifo" in mermaid(described)
