"""Threads beside the event loop: tokens, blocking, and turns at the interpreter, on schedules worked out by hand."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from lab.scenario.arithmetic import arithmetic
from lab.scenario.scenario import Scenario
from lab.simulation.autoscaling.metrics import InterpreterTimes
from lab.simulation.build import World
from lab.simulation.request import Request
from tests.unit.backends import observe, scenario, service, waiting


def _cpu(time: str) -> dict[str, Any]:
    return {"kind": "cpu", "time": time}


def _thread(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "thread", "steps": list(steps)}


def _ends_s(visits: pd.DataFrame) -> list[float]:
    """When each thread was done; its answer then waits for the event loop, which needs the interpreter too."""
    return list(_rows(visits, "api.thread_pool").sort_values("request")["departure_s"])


def _rows(visits: pd.DataFrame, component: str) -> pd.DataFrame:
    return visits[visits["component"] == component]


def test_a_hundred_sleeps_of_200_ms_go_through_forty_tokens_in_three_waves() -> None:
    """As measured of anyio's default limiter: 40 end at 0.2 s, 40 at 0.4 s, 20 at 0.6 s."""
    requests, visits = observe(scenario({"api": service(_thread(waiting("200ms")))}), [0.0] * 100)
    waves = requests["end_s"].round(9).value_counts().sort_index()
    assert waves.to_dict() == {0.2: 40, 0.4: 40, 0.6: 20}
    pool = _rows(visits, "api.thread_pool")
    assert pool["waiting_time_s"].round(9).value_counts().sort_index().to_dict() == {0.0: 40, 0.2: 40, 0.4: 20}
    assert pool["service_time_s"].tolist() == pytest.approx([0.2] * 100)


def test_tokens_are_given_first_come_first_served() -> None:
    """One thread, three who come one after another."""
    requests, _ = observe(scenario({"api": service(_thread(waiting("100ms")), threads=1)}), [0.0, 0.01, 0.02])
    assert requests["end_s"].tolist() == pytest.approx([0.1, 0.2, 0.3])


def test_each_worker_has_threads_of_its_own() -> None:
    """Many requests on two workers with one thread each: two at once, never more."""
    requests, visits = observe(scenario({"api": service(_thread(waiting("100ms")), threads=1, workers=2)}), [0.0] * 8)
    assert requests["end_s"].round(9).value_counts().max() == 2
    assert set(_rows(visits, "api.thread_pool")["replica"]) == {0, 1}


def _two(get: list[dict[str, Any]], other: list[dict[str, Any]], **others: Any) -> Scenario:
    return scenario({"api": {"kind": "service", "endpoints": {"get": get, "other": other}, **others}})


def test_computing_threads_take_turns_of_the_switch_interval() -> None:
    """After 10 ms A needs 12 and B 8 ms: A 10-15, B 15-20, A 20-25, B 25-28 and ends, A 28-30 and ends.

    The loop wants to answer B at 28 and gets the interpreter at 30.
    """
    described = _two([_thread(waiting("10ms"), _cpu("12ms"))], [_thread(waiting("10ms"), _cpu("8ms"))])
    requests, visits = observe(described, [0.0, 0.0], endpoints=["get", "other"])
    assert _ends_s(visits) == pytest.approx([0.030, 0.028])
    assert requests["end_s"].tolist() == pytest.approx([0.030, 0.030])
    waits = _rows(visits, "api.gil").sort_values("admitted_s", kind="stable")["waiting_time_s"]
    assert waits.tolist() == pytest.approx([0.0, 0.005, 0.005, 0.005, 0.003, 0.002])
    assert _rows(visits, "api.thread_pool")["service_time_s"].tolist() == pytest.approx([0.022, 0.018])


def test_the_interval_counts_from_when_somebody_waits() -> None:
    """A computes 20 ms alone from 0; B wants 1 ms at 11 ms: A goes on until 16 ms, B until 17 ms, A until 21 ms."""
    described = _two([_thread(_cpu("20ms"))], [_thread(waiting("11ms"), _cpu("1ms"))])
    _, visits = observe(described, [0.0, 0.0], endpoints=["other", "get"])
    assert _ends_s(visits) == pytest.approx([0.017, 0.021])


def test_another_interval_means_other_turns() -> None:
    """At 1 ms, two threads of 2 ms from 10 ms on end at 13 and 14 ms."""
    thread = [_thread(waiting("10ms"), _cpu("2ms"))]
    _, visits = observe(_two(thread, thread, switch_interval="1ms"), [0.0, 0.0])
    assert _ends_s(visits) == pytest.approx([0.013, 0.014])


def test_the_event_loop_competes_with_the_threads() -> None:
    """A thread computes 12 ms from 0; a coroutine comes at 1 ms, is read at 6 and computes until 9 ms."""
    described = _two([_thread(_cpu("12ms"))], [_cpu("3ms")])
    requests, visits = observe(described, [0.0, 0.001], endpoints=["get", "other"])
    assert requests["end_s"].tolist() == pytest.approx([0.015, 0.009])
    waits = _rows(visits, "api.gil").groupby("request")["waiting_time_s"].sum()
    assert waits.tolist() == pytest.approx([0.003, 0.005])
    (read,) = visits[visits["operation"] == "resume"].itertuples()
    assert (read.arrival_s, read.departure_s) == (pytest.approx(0.001), pytest.approx(0.006))


def test_even_who_only_awaits_needs_the_interpreter_in_between() -> None:
    """A thread computes 30 ms; a wait of 2 ms that comes at 1 ms is read at 6, is over at 8, and is answered at 13."""
    described = _two([_thread(_cpu("30ms"))], [waiting("2ms")])
    requests, _ = observe(described, [0.0, 0.001], endpoints=["get", "other"])
    assert requests["end_s"].tolist() == pytest.approx([0.030, 0.013])


def test_a_thread_that_waits_lets_the_others_compute() -> None:
    """Two threads of wait 10 ms and CPU 4 ms: they wait together and compute one after the other."""
    thread = [_thread(waiting("10ms"), _cpu("4ms"))]
    _, visits = observe(_two(thread, thread), [0.0, 0.0])
    assert _ends_s(visits) == pytest.approx([0.014, 0.018])


def test_the_stretches_of_one_turn_are_one() -> None:
    """A coroutine's overhead (2-4 ms) and CPU (4-6 ms) are one turn: a thread that wants 1 ms at 3 ms gets it at 6."""
    described = _two([_thread(waiting("1ms"), _cpu("1ms"))], [_cpu("2ms")], overhead="2ms")
    _, visits = observe(described, [0.0, 0.0], endpoints=["get", "other"])
    assert _ends_s(visits) == pytest.approx([0.007])


def test_queries_look_ups_and_calls_hold_the_thread_and_not_the_loop() -> None:
    """One thread: two requests look up, query 100 ms and call 40 ms, one after the other; a third one computes."""
    steps = [
        {"kind": "cached", "cache": "items", "miss": [{"kind": "query", "database": "main", "query": "get"}]},
        {"kind": "call", "target": "inner", "endpoint": "get"},
    ]
    parts = {
        "api": {"kind": "service", "threads": 1, "endpoints": {"get": [_thread(*steps)], "other": [_cpu("5ms")]}},
        "items": {"kind": "cache", "access_time": "5ms"},
        "main": {"kind": "database", "pool": {"size": 1}, "round_trip": "0s", "queries": {"get": "100ms"}},
        "inner": service(waiting("40ms")),
    }
    requests, visits = observe(scenario(parts), [0.0, 0.0, 0.0], keys=[1, 2, 3], endpoints=["get", "get", "other"])
    assert requests["end_s"].tolist() == pytest.approx([0.15, 0.3, 0.005])
    assert _rows(visits, "api.thread_pool")["service_time_s"].tolist() == pytest.approx([0.0, 0.0])


def test_a_failure_in_a_thread_fails_the_request_and_gives_the_token_back() -> None:
    """The second call is turned away at once; the third request finds one of two threads free."""
    call = {"kind": "call", "target": "inner", "endpoint": "get"}
    parts = {"api": service(_thread(call), threads=2), "inner": service(waiting("1s"), concurrency=1, backlog=0)}
    requests, visits = observe(scenario(parts), [0.0, 0.1, 0.2])
    assert requests["outcome"].tolist() == ["ok", "error", "error"]
    assert requests["end_s"].tolist() == pytest.approx([1.0, 0.1, 0.2])
    assert _rows(visits, "api.thread_pool")["waiting_time_s"].tolist() == pytest.approx([0.0] * 3)


def test_twenty_computations_block_the_event_loop_and_threads_share_the_interpreter() -> None:
    """20 requests of 20 ms CPU: on the loop they end at 20, 40, ... 400 ms; in threads the last one does."""
    on_the_loop, _ = observe(scenario({"api": service(_cpu("20ms"))}), [0.0] * 20)
    assert on_the_loop["end_s"].tolist() == pytest.approx([0.02 * (number + 1) for number in range(20)])
    _, in_threads = observe(scenario({"api": service(_thread(_cpu("20ms")))}), [0.0] * 20)
    assert max(_ends_s(in_threads)) == pytest.approx(0.4)
    held = _rows(in_threads, "api.gil")
    assert (held["departure_s"] - held["admitted_s"]).sum() == pytest.approx(0.4)


def test_the_arithmetic_counts_tokens_and_the_interpreter() -> None:
    """A thread that computes 10 ms and waits 30 ms, and 5 ms of overhead on the loop."""
    described = scenario({"api": service(_thread(_cpu("10ms"), waiting("30ms")), overhead="5ms", threads=8, workers=2)})
    sums = arithmetic(described)
    threads, gil, loop = (sums.row("api", resource) for resource in ("threads", "gil", "event_loop"))
    assert (threads.servers, threads.holding_time_s) == (16, pytest.approx(0.04))
    assert (gil.servers, gil.holding_time_s) == (2, pytest.approx(0.015))
    assert (loop.servers, loop.holding_time_s) == (2, pytest.approx(0.005))


def test_the_cpu_time_of_a_process_counts_its_threads_and_what_is_under_way() -> None:
    """A thread computes 12 ms, a coroutine 3 ms: 15 ms in all, of which 5 ms are done at 5 ms."""
    described = _two([_thread(_cpu("12ms"))], [_cpu("3ms")])
    world = World(scenario=described, seed=1, replication=0, requests=2, own={})
    fleet = world.fleet("api")
    times = InterpreterTimes(fleet)
    for number, endpoint in enumerate(("get", "other")):
        world.clock.process(fleet.members[0].handle(Request(number, 0, endpoint, 0, 0)))
    world.clock.run(until=0.005)
    assert times.read(0.005) == {0: pytest.approx(0.005)}
    world.clock.run(until=1)
    assert times.read(1.0) == {0: pytest.approx(0.015)}
