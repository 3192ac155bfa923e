"""Warming a backend up, and bringing it back to the same state before each repeat."""

from __future__ import annotations

from functools import partial

import httpx

from reference_backend import edge_cache, haproxy, haproxy_limit, pools
from reference_backend.backend import Backend
from reference_backend.ports import LOOPBACK
from reference_backend.problems import PartFailed
from reference_backend.watch import Watch

_WARM_UP_REQUESTS = 30


def warm_up(backend: Backend, watch: Watch) -> None:
    """Send each replica some requests of each endpoint, with demands of zero, then some more through the entry.

    Code paths, statements and connections that are used for the first time cost more than they ever will again.

    Raises:
        PartFailed: one of them was not answered with success.
    """
    for service_name in backend.deployment.services():
        for replica in backend.parts.replica_ports[service_name]:
            warm_up_replica(backend, watch, service_name, replica)
    pools.fill(backend)
    if backend.deployment.is_platform(backend.deployment.entry):
        return  # it would have replicas started, and only the supervisor, which waits here, could do that
    entry = backend.deployment.service_behind(backend.deployment.entry)
    with _client() as client:
        for endpoint, spec in entry.endpoints.items():
            _exercise(client, watch, backend.deployment.entry, f"{backend.entry_url}/{endpoint}", spec.method)


def warm_up_replica(backend: Backend, watch: Watch, service: str, replica: int) -> None:
    """Send one replica some requests of each endpoint.

    Raises:
        PartFailed: one of them was not answered with success.
    """
    url = f"http://{LOOPBACK}:{backend.parts.replica_ports[service][replica]}"
    with _client() as client:
        for endpoint, spec in backend.deployment.services()[service].endpoints.items():
            _exercise(client, watch, f"{service}/{replica}", f"{url}/{endpoint}", spec.method)


def _client() -> httpx.Client:
    return httpx.Client(trust_env=False, timeout=10.0)


def _exercise(client: httpx.Client, watch: Watch, part: str, url: str, method: str) -> None:
    """Send one endpoint its warm-up requests; half of the keys repeat, so that hits are exercised as misses are."""
    for number in range(_WARM_UP_REQUESTS):
        watch.check()
        try:
            answer = client.request(method, url, params={"key": number // 2}, headers={"X-Request": "-1"})
        except httpx.HTTPError as error:
            raise _unfit(part, url, repr(error)) from error
        if not answer.is_success:
            raise _unfit(part, url, f"status {answer.status_code}: {answer.text[:200]}")


def _unfit(part: str, url: str, answer: str) -> PartFailed:
    return PartFailed(
        part,
        f"{url.rpartition('/')[2]} did not succeed in the warm-up ({answer})",
        why="an endpoint that fails without any other traffic would fail the whole run",
        do="check the endpoint's steps, and the size of the pools that it needs",
    )


def configure_caches(backend: Backend, watch: Watch) -> None:
    """Give each cache its eviction and, if it has a capacity, the memory for it.

    The replicas' connections, which need memory of the server too, are open by now.
    """
    for name, cache in backend.parts.caches.items():
        limit = cache.configure(watch.pause)
        if limit is not None:
            backend.parts.cache_limits[name] = limit


def reset(backend: Backend, watch: Watch) -> None:
    """Have caches and databases hold what they begin with, queues nothing, and nobody counted, as at the start."""
    haproxy_limit.forget(backend.deployment, partial(haproxy.ask, backend.control))
    for cache in backend.parts.caches.values():
        cache.reset(watch.check)
    for name in backend.deployment.edge_caches():
        edge_cache.flush(name, partial(haproxy.ask, backend.control))
    backend.reset_databases()
    for queue in backend.parts.queues.values():
        queue.empty()
