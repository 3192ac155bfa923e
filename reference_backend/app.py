"""The FastAPI application of one replica, its endpoints built from the deployment."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Literal

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from reference_backend.cache_client import CacheClient
from reference_backend.cached import Cached
from reference_backend.calls import Caller, CallFailed
from reference_backend.computing import Computing
from reference_backend.databases import DatabaseClient
from reference_backend.deployment import Deployment, Endpoint
from reference_backend.draws import Draws
from reference_backend.limit import (
    DISOWN_PATH,
    FORGET_PATH,
    HEALTH_PATH,
    REOPEN_PATH,
    SLOW_DOWN_PATH,
    Application,
    ConcurrencyLimit,
)
from reference_backend.messaging import Messaging
from reference_backend.publishing import PublishFailed
from reference_backend.rate_limit import guard_of
from reference_backend.references import walk
from reference_backend.spans import SpanWriter
from reference_backend.steps import BadDemands, Steps, Visit, read_demands
from reference_backend.stores import StoreFailed
from reference_backend.work import PreciseSleep

# With no concurrency limit there is no number of connections to open ahead; this many are, and more when needed.
_CONNECTIONS_WITHOUT_LIMIT = 16


def build(
    *,
    deployment: Deployment,
    service_name: str,
    replica: int,
    ports: Mapping[str, int],
    writer: SpanWriter,
    ready_at_s: float = 0.0,
) -> Application:
    """Return the ASGI application of one replica of a service; it takes no messages before ``ready_at_s``."""
    service = deployment.services()[service_name]
    used = [step for endpoint in service.endpoints.values() for _, step in walk(endpoint.steps, "")]
    wanted = {step.cache for step in used if step.kind in ("cached", "invalidate")} | {
        step.database for step in used if step.kind == "query"
    }
    caches = {
        name: CacheClient(name=name, spec=spec, port=ports[name], draws=Draws(f"{name} {service_name}/{replica}"))
        for name, spec in deployment.caches().items()
        if name in wanted
    }
    databases = {
        name: DatabaseClient(name=name, spec=spec, ports=ports)
        for name, spec in deployment.databases().items()
        if name in wanted
    }
    messaging = Messaging(deployment=deployment, service_name=service_name, ports=ports, writer=writer)
    running: dict[str, Steps] = {}

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        caller = Caller(deployment=deployment, ports=ports)
        sleep = PreciseSleep()
        sys.setswitchinterval(service.switch_interval_s)
        computing = Computing(name=service_name, service=service)
        for cache in caches.values():
            await cache.open(min(service.concurrency or _CONNECTIONS_WITHOUT_LIMIT, 64))
        for database in databases.values():
            await database.open()
        look_ups = {name: Cached(client=client, sleep=sleep) for name, client in caches.items()}
        if guard is not None:
            await guard.open()
        running["steps"] = Steps(
            sleep=sleep,
            computing=computing,
            caches=look_ups,
            databases=databases,
            caller=caller,
            publishers=messaging.publishers,
        )
        # What exists now lives as long as the process: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        messaging.start(limit, ready_at_s=ready_at_s)
        yield
        await messaging.close()
        await caller.close()
        computing.close()
        if guard is not None:
            await guard.close()
        for cache in caches.values():
            await cache.close()
        for database in databases.values():
            await database.close()
        sleep.close()

    application = FastAPI(openapi_url=None, lifespan=lifespan)
    for name, endpoint in service.endpoints.items():
        application.add_api_route(f"/{name}", _handler(endpoint, running), methods=[endpoint.method])
    limit = ConcurrencyLimit(
        application,
        concurrency=service.concurrency,
        backlog=service.backlog,
        shedding=service.shedding,
        writer=writer,
    )
    limiter = deployment.limiter_before(service_name)
    guard = None if limiter is None else guard_of(limiter, limit, ports=ports, writer=writer)

    @application.get(HEALTH_PATH)
    async def health() -> JSONResponse:
        state = {"service": service_name, "replica": replica, "pid": os.getpid()}
        return JSONResponse({**state, "in_service": limit.in_service, "waiting": limit.waiting})

    @application.post(DISOWN_PATH)
    async def disown(before_s: float) -> JSONResponse:
        return JSONResponse({"disowned": limit.disown(before_s)})

    _add_controls(application, running, databases)
    return limit if guard is None else guard


def _add_controls(application: FastAPI, running: Mapping[str, Steps], databases: Mapping[str, DatabaseClient]) -> None:
    """Let the supervisor have faults happen in this process, and undo what others did to it."""

    @application.post(SLOW_DOWN_PATH)
    async def slow_down(steps: Literal["cpu", "wait"], factor: float) -> JSONResponse:
        running["steps"].slow_down(steps, factor)
        return JSONResponse({steps: factor})

    @application.post(FORGET_PATH)
    async def forget() -> JSONResponse:
        return JSONResponse({"changes": running["steps"].forget()})

    @application.post(REOPEN_PATH)
    async def reopen() -> JSONResponse:
        for database in databases.values():
            await database.close()
            await database.open()
        return JSONResponse({"reopened": list(databases)})


def _handler(endpoint: Endpoint, running: Mapping[str, Steps]) -> Callable[[Request, int], Awaitable[Response]]:
    """Return the handler of one endpoint."""

    async def handle(request: Request, key: int) -> Response:
        try:
            demands = read_demands(request.headers.get("x-demands"), endpoint.demands)
        except BadDemands as error:
            return _failure(400, str(error))
        try:
            await running["steps"].run(endpoint.steps, Visit(key=key, demands_s=demands, trace=request.scope["trace"]))
        except StoreFailed as error:
            return _failure(500, str(error))
        except PublishFailed as error:
            return _failure(500, str(error))
        except CallFailed as error:
            return _failure(502, str(error))
        return JSONResponse({"key": key} if endpoint.answer_bytes is None else _sized(key, endpoint.answer_bytes))

    return handle


def _sized(key: int, answer_bytes: int) -> dict[str, object]:
    """Return an answer whose JSON is so long, whatever the key."""
    return {"key": key, "padding": "x" * (answer_bytes - len(f'{{"key":{key},"padding":""}}'))}


def _failure(status: int, detail: str) -> Response:
    """Return an answer that says that the request failed."""
    return JSONResponse({"outcome": "error", "detail": detail}, status_code=status, headers={"X-Outcome": "error"})
