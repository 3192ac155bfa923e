"""Real work: that it is done, and which rows it leaves, on the event loop and in threads."""

from __future__ import annotations

import asyncio
import time

import pytest

from reference_backend import placement
from reference_backend.computing import Computing, Work, work
from reference_backend.deployment import Service
from reference_backend.placement import choose_cores
from reference_backend.problems import BadInput
from reference_backend.spans import Trace

_LOGIN = {
    "demands": 4,
    "steps": [
        {"kind": "cpu", "demand": 0, "work": "jwt"},
        {"kind": "thread", "steps": [{"kind": "wait", "demand": 1}, {"kind": "cpu", "demand": 2, "work": "jwt"}]},
        {"kind": "cpu", "demand": 3},
    ],
}
_FACTORS = {"cpu": 1.0, "wait": 1.0}


def _trace() -> Trace:
    return Trace(request=1, attempt=0, operation="login", arrival_s=time.monotonic(), replica=0)


@pytest.mark.parametrize("kind", ["argon2id", "jwt", "json"])
def test_real_work_takes_cpu_time(kind: Work) -> None:
    """Each kind can be done again and again, and computes."""
    work(kind)
    used_s = time.thread_time()
    work(kind)
    assert time.thread_time() > used_s


def test_rows_tell_which_step_it_was() -> None:
    """By endpoint and path, nested ones too; a drawn step leaves no row of its own."""
    service = Service.model_validate({"kind": "service", "endpoints": {"login": _LOGIN}})
    steps, trace = service.endpoints["login"].steps, _trace()

    async def story() -> None:
        computing = Computing(name="api", service=service)
        first, second, third = steps
        assert first.kind == third.kind == "cpu"
        assert second.kind == "thread"
        computing.compute(first, 0.0, trace)
        await computing.in_thread(second, (0.0, 0.002, 0.0, 0.0), _FACTORS, trace)
        computing.compute(third, 0.0, trace)
        computing.close()

    asyncio.run(story())
    assert [row[:3] for row in trace.rows] == [
        ("api.work", 0, "login.0"),
        ("api.work", 0, "login.1.steps.1"),
        ("api.thread_pool", 0, "thread"),
    ]
    inner, thread = trace.rows[1], trace.rows[2]
    assert inner[7] is not None
    assert thread[7] is not None
    assert inner[7] > 0
    assert thread[7] >= 0.002 + inner[7]  # the wait, and the CPU time


def test_a_thread_waits_for_a_token() -> None:
    """With one thread, the second step waits for as long as the first one works."""
    service = Service.model_validate({"kind": "service", "threads": 1, "endpoints": {"login": _LOGIN}})
    step, traces = service.endpoints["login"].steps[1], [_trace(), _trace()]
    assert step.kind == "thread"

    async def story() -> None:
        computing = Computing(name="api", service=service)
        await asyncio.gather(*(computing.in_thread(step, (0.0, 0.005, 0.0, 0.0), _FACTORS, trace) for trace in traces))
        computing.close()

    asyncio.run(story())
    waits = [trace.rows[-1][6] for trace in traces]
    assert waits[0] is not None
    assert waits[1] is not None
    assert waits[0] < 0.005 <= waits[1]


def test_a_backend_is_given_the_cores_that_it_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of four, and the last for the generator; more than there are beside that one are refused."""
    pinned: list[set[int]] = []
    monkeypatch.setattr(placement.os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    monkeypatch.setattr(placement.os, "sched_setaffinity", lambda _, cores: pinned.append(set(cores)))
    cores = choose_cores(pin=True, wanted=1)
    assert (cores.backend, cores.generator, pinned) == (frozenset({0}), frozenset({3}), [{0}])
    assert choose_cores(pin=True).backend == frozenset({0, 1, 2})
    with pytest.raises(BadInput, match="4 cores"):
        choose_cores(pin=True, wanted=4)
    with pytest.raises(BadInput, match="nothing is to be pinned"):
        choose_cores(pin=False, wanted=1)
