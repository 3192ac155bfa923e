"""CPU work that takes what it takes: what a login does, on the event loop or in a thread beside it.

In the spans, each such step is a row of its own: component ``SERVICE.work``, operation ``ENDPOINT.PATH`` with the path
of the step in the endpoint (``login.0``, ``login.1.steps.0``), service time its CPU time. A thread has a row of
``SERVICE.thread_pool``: its wait for a token, of which there are as many as threads, and then its CPU time and waits.

    >>> from reference_backend.deployment import CpuStep, Service, Endpoint
    >>> login = Endpoint(demands=1, steps=(CpuStep(kind="cpu", demand=0, work="jwt"),))
    >>> list(places_of_work(Service(kind="service", endpoints={"login": login})).values())
    ['login.0']
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Literal, assert_never

import jwt
from argon2 import PasswordHasher, Type

from reference_backend.deployment import CpuStep, Service, ThreadStep
from reference_backend.references import walk
from reference_backend.spans import Row, Trace
from reference_backend.work import burn

Work = Literal["argon2id", "jwt", "json"]

# The first of OWASP's recommendations: 19 MiB, two passes, one lane; about 25 ms here.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, hash_len=32, salt_len=16, type=Type.ID)
_PASSWORD = "correct horse battery staple"  # noqa: S105  # nobody's: every login of the backend uses it
_SECRET = "a secret of the 32 bytes that HS256 wants"  # noqa: S105  # signs tokens that nobody else accepts
_ENTRIES = 700  # of a document of about 60 kB, whose reading and writing take about a millisecond


@cache
def _hashed() -> str:
    return _HASHER.hash(_PASSWORD)


@cache
def _document() -> str:
    return json.dumps([{"id": number, "name": f"item {number}", "price": number * 0.25} for number in range(_ENTRIES)])


def work(kind: Work) -> None:
    """Do a piece of real work once.

    Argon2 lets go of the interpreter's lock, so that in a thread it runs beside the event loop; the others do not.
    """
    match kind:
        case "argon2id":
            _HASHER.verify(_hashed(), _PASSWORD)
        case "jwt":
            claims = {"sub": "42", "iat": 1_700_000_000, "scope": "read write"}
            jwt.decode(jwt.encode(claims, _SECRET, algorithm="HS256"), _SECRET, algorithms=["HS256"])
        case "json":
            json.dumps(json.loads(_document()))
        case _ as never:
            assert_never(never)


def places_of_work(service: Service) -> Mapping[int, str]:
    """Return for each real-work step of a service, by identity, its endpoint and its path there.

    By identity, because two equal steps are two places.
    """
    return {
        id(step): path.replace("[", ".").replace("]", "")
        for name, endpoint in service.endpoints.items()
        for path, step in walk(endpoint.steps, name)
        if step.kind == "cpu" and step.work is not None
    }


class Computing:
    """Does the CPU steps of one replica, and those of its threads."""

    def __init__(self, *, name: str, service: Service) -> None:
        self._name = name
        self._places = places_of_work(service)
        self._tokens = asyncio.Semaphore(service.threads)
        # Threads are made when first needed: a service without thread steps has none.
        self._threads = ThreadPoolExecutor(max_workers=service.threads, thread_name_prefix="step")
        if self._places:  # the password's hash and the document are made before the first request needs them
            _hashed()
            _document()

    def compute(self, step: CpuStep, demand_s: float, trace: Trace) -> None:
        """Do a CPU step on the thread that asks."""
        if step.work is None:
            burn(demand_s)
            return
        since_s, used_s = time.monotonic(), time.thread_time()
        work(step.work)
        used_s = time.thread_time() - used_s
        row: Row = (
            f"{self._name}.work", trace.replica, self._places[id(step)], since_s, since_s, time.monotonic(), 0.0,
            used_s, "ok", None,
        )  # fmt: skip
        trace.rows.append(row)

    async def in_thread(
        self, step: ThreadStep, demands_s: Sequence[float], factors: Mapping[str, float], trace: Trace
    ) -> None:
        """Do steps in a thread, while the event loop serves others; who finds no thread free waits.

        ``factors``: how many times as long the demands of ``cpu`` and ``wait`` steps take just now.
        """

        def do() -> float:
            waited_s, used_s = 0.0, time.thread_time()
            for inner in step.steps:
                demand_s = demands_s[inner.demand] * factors[inner.kind]
                if inner.kind == "cpu":
                    self.compute(inner, demand_s, trace)
                else:
                    time.sleep(demand_s)
                    waited_s += demand_s
            return waited_s + time.thread_time() - used_s

        arrival_s = time.monotonic()
        async with self._tokens:
            admitted_s = time.monotonic()
            own_s = await asyncio.get_running_loop().run_in_executor(self._threads, do)
        row: Row = (
            f"{self._name}.thread_pool", trace.replica, "thread", arrival_s, admitted_s, time.monotonic(),
            admitted_s - arrival_s, own_s, "ok", None,
        )  # fmt: skip
        trace.rows.append(row)

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown()
