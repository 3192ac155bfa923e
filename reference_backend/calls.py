"""Calls from one service to another, by real HTTP over kept-alive connections."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx

from reference_backend.deployment import CallStep, Deployment
from reference_backend.ports import LOOPBACK
from reference_backend.spans import Trace


class CallFailed(Exception):
    """Another service did not answer with success; the request answers 502."""


class Caller:
    """A pool of connections to the services that this one calls; it has no limit of its own."""

    def __init__(self, *, deployment: Deployment, ports: Mapping[str, int]) -> None:
        self._methods = {
            (name, endpoint): spec.method
            for name in (*deployment.services(), *deployment.proxies(), *deployment.rate_limiters())
            for endpoint, spec in deployment.service_behind(name).endpoints.items()
        }
        self._ports = ports
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=3600.0)
        # None of its own: each counts a whole call, while the library's count its parts.
        self._client = httpx.AsyncClient(limits=limits, timeout=None, trust_env=False)  # noqa: S113

    async def call(self, step: CallStep, *, key: int, demands: str, trace: Trace) -> None:
        """Call another service's endpoint on behalf of a request.

        Raises:
            CallFailed: it answered with anything but success, not in time, or not at all.
        """
        target, endpoint = step.target, step.endpoint
        url = f"http://{LOOPBACK}:{self._ports[target]}/{endpoint}?key={key}"
        headers = {"X-Request": str(trace.request), "X-Attempt": str(trace.attempt), "X-Demands": demands}
        if trace.background:
            headers["X-Background"] = "1"
        try:
            async with asyncio.timeout(step.timeout_s):
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
