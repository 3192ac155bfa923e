"""Calls from one service to another: what a callee that does not answer in time leads to."""

from __future__ import annotations

import asyncio

import pytest

from reference_backend.calls import Caller, CallFailed, Change
from reference_backend.deployment import CallStep, Deployment
from reference_backend.spans import Trace

DEPLOYMENT = Deployment.model_validate(
    {
        "schema_version": 1,
        "name": "two",
        "entry": "inner",
        "parts": {
            "inner": {"kind": "service", "endpoints": {"get": {"demands": 1, "steps": [{"kind": "wait", "demand": 0}]}}}
        },
    }
)


async def call_silent_server(timeout_s: float | None, patience_s: float) -> None:
    """Call a server that reads and never answers, and see to it that the caller has hung up."""
    hung_up = asyncio.Event()

    async def read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            pass
        hung_up.set()
        writer.close()

    server = await asyncio.start_server(read, "127.0.0.1", 0)
    caller = Caller(deployment=DEPLOYMENT, ports={"inner": server.sockets[0].getsockname()[1]})
    trace = Trace(request=1, attempt=0, operation="page", arrival_s=0.0, replica=0)
    step = CallStep(kind="call", target="inner", endpoint="get", demands=1, timeout_s=timeout_s)
    try:
        async with asyncio.timeout(patience_s):
            await caller.call(step, key=1, demands="0.1", trace=trace)
    finally:
        async with asyncio.timeout(5.0):
            await caller.close()
            await hung_up.wait()
        server.close()


def test_a_late_answer_fails_the_call_and_hangs_up() -> None:
    """The callee learns of it by the closed connection alone; the caller's own error says how long it waited."""
    with pytest.raises(CallFailed, match=r"inner/get did not answer within 0.02 s"):
        asyncio.run(call_silent_server(0.02, 5.0))


def test_without_a_timeout_it_waits_on() -> None:
    """Only the test's own patience ends it."""
    with pytest.raises(TimeoutError):
        asyncio.run(call_silent_server(None, 0.05))


def test_a_breaker_on_a_call_refuses_what_would_fail_and_can_be_made_to_forget() -> None:
    """Nobody listens: after two failures the third call is not tried; the warm-up teaches it nothing."""
    breaker = {"window": 2, "minimum": 2, "failure_ratio": 0.5, "open_for_s": 60.0, "half_open": 1}
    step = CallStep(kind="call", target="inner", endpoint="get", demands=1, circuit_breaker=breaker)
    said: list[str] = []

    async def call(caller: Caller, request: int) -> None:
        trace = Trace(request=request, attempt=0, operation="page", arrival_s=0.0, replica=0)
        try:
            await caller.call(step, key=1, demands="0.1", trace=trace)
        except CallFailed as failed:
            said.append("refused" if "circuit breaker is open" in str(failed) else "failed")

    async def play() -> list[Change]:
        caller = Caller(deployment=DEPLOYMENT, ports={"inner": 1})
        for request in (-1, -1, -1, 1, 2, 3):
            await call(caller, request)
        changes = caller.forget()
        await call(caller, 4)
        await caller.close()
        return changes

    changes = asyncio.run(play())
    assert said == ["failed"] * 5 + ["refused", "failed"]
    assert [(kind, detail["to"]) for _, kind, detail in changes] == [("circuit_breaker", "open")]
