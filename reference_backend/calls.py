"""Calls from one service to another, by real HTTP over kept-alive connections."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import httpx

from reference_backend.circuit_breaker import CircuitBreaker
from reference_backend.deployment import CallStep, Deployment
from reference_backend.ports import LOOPBACK
from reference_backend.spans import Trace

# When (monotonic), what kind of change, and its details.
Change = tuple[float, str, dict[str, object]]


class CallFailed(Exception):
    """Another service did not answer with success; the request answers 502."""


class _Breakers:
    """The circuit breakers of one process, one for each step that has one."""

    def __init__(self) -> None:
        self._by_step: dict[int, CircuitBreaker] = {}
        self._changes: list[Change] = []

    def of(self, step: CallStep) -> CircuitBreaker | None:
        """Return a step's breaker; steps live as long as the process, so they are told apart by identity."""
        if step.circuit_breaker is None:
            return None
        if id(step) not in self._by_step:
            self._by_step[id(step)] = CircuitBreaker(step.circuit_breaker, now=time.monotonic, tell=self._note)
        return self._by_step[id(step)]

    def forget(self) -> list[Change]:
        """Begin anew; return what has happened."""
        changes, self._changes = self._changes, []
        self._by_step.clear()
        return changes

    def _note(self, kind: str, detail: dict[str, object]) -> None:
        self._changes.append((time.monotonic(), kind, detail))


class Caller:
    """A pool of connections to the services that this one calls; it has no limit of its own."""

    def __init__(self, *, deployment: Deployment, ports: Mapping[str, int]) -> None:
        self._methods = {
            (name, endpoint): spec.method
            for name in (*deployment.services(), *deployment.proxies(), *deployment.rate_limiters())
            for endpoint, spec in deployment.service_behind(name).endpoints.items()
        }
        self._ports = ports
        self._breakers = _Breakers()
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=3600.0)
        # None of its own: each counts a whole call, while the library's count its parts.
        self._client = httpx.AsyncClient(limits=limits, timeout=None, trust_env=False)  # noqa: S113

    async def call(self, step: CallStep, *, key: int, demands: str, trace: Trace) -> None:
        """Call another service's endpoint on behalf of a request.

        Raises:
            CallFailed: it answered with anything but success, not in time, or not at all; or a circuit breaker is open.
        """
        breaker = self._breakers.of(step) if trace.request >= 0 else None  # it learns nothing from the warm-up
        if breaker is None:
            await self._ask(step, key=key, demands=demands, trace=trace)
            return
        if not breaker.permits():
            raise CallFailed(f"{step.target}/{step.endpoint}: the circuit breaker is {breaker.state}")
        try:
            await self._ask(step, key=key, demands=demands, trace=trace)
        except CallFailed:
            breaker.note(failed=True)
            raise
        breaker.note(failed=False)

    def forget(self) -> list[Change]:
        """Have every circuit breaker be as at the start; return how their states have changed until now."""
        return self._breakers.forget()

    async def _ask(self, step: CallStep, *, key: int, demands: str, trace: Trace) -> None:
        target, endpoint = step.target, step.endpoint
        url = f"http://{LOOPBACK}:{self._ports[target]}/{endpoint}?key={key}"
        headers = {"X-Request": str(trace.request), "X-Attempt": str(trace.attempt), "X-Demands": demands}
        if trace.background:
            headers["X-Background"] = "1"
        try:
            # Warm-up requests open the first connections, which takes longer than any call later.
            async with asyncio.timeout(step.timeout_s if trace.request >= 0 else None):
                answer = await self._client.request(self._methods[target, endpoint], url, headers=headers)
        except TimeoutError as error:
            raise CallFailed(f"{target}/{endpoint} did not answer within {step.timeout_s:g} s") from error
        except httpx.HTTPError as error:
            raise CallFailed(f"{target}/{endpoint}: {error!r}") from error
        if not answer.is_success:
            raise CallFailed(f"{target}/{endpoint} answered {answer.status_code}")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
