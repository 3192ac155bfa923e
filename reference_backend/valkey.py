"""Valkey: a server for each cache, and how much memory so many entries take."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from reference_backend.binaries import Binary
from reference_backend.caching import Cache
from reference_backend.entries import Values, entry_name
from reference_backend.ports import LOOPBACK
from reference_backend.problems import PartFailed
from reference_backend.processes import Command

_ROUNDS = 10
_COUNTS = 6
_AT_ONCE = 4
_GOOD_RATIO = 0.003
_BAD_RATIO = 0.01
_GOOD_ENTRIES = 0.5
_SMALL_BUFFER = 2048
_FITS_A_SMALL_BUFFER = 900
_SETTLED_WITHIN_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The memory limit that was found for a capacity, and how many entries it held on average."""

    maxmemory_bytes: int
    entries_held: float


def command(*, part: str, binary: Binary, port: int, folder: Path) -> Command:
    """Return how to start a Valkey server that keeps nothing on disk and listens on the loopback alone."""
    folder.mkdir(exist_ok=True)
    arguments: list[str | Path] = [
        binary.path, "--bind", LOOPBACK, "--port", str(port), "--save", "", "--appendonly", "no", "--dir", folder,
        "--daemonize", "no", "--protected-mode", "yes",
    ]  # fmt: skip
    return Command(part=part, arguments=arguments, log=folder / "log")


class CacheControl:
    """The supervisor's own connection to a cache.

    Its replies are short, always: a connection that was sent a long one holds more memory for a while, and memory is
    what limits the cache.
    """

    def __init__(self, *, part: str, port: int, spec: Cache) -> None:
        self._part = part
        self._port = port
        self._spec = spec
        self._redis = redis.Redis(host=LOOPBACK, port=port, socket_timeout=5.0, socket_connect_timeout=1.0)

    def answers_as(self, pid: int) -> bool:
        """Return whether the server that listens there is that process, and not one that took the port before it."""
        try:
            return int(self._told("server")["process_id"]) == pid
        except redis.RedisError:
            return False  # not up yet: the caller asks again until its deadline

    def empty(self) -> None:
        """Forget every entry."""
        self._redis.flushall()

    def reset(self, check: Callable[[], object]) -> None:
        """Hold what a repeat begins with: nothing, or the first keys."""
        self.empty()
        if self._spec.warm_entries is not None:
            self._fill(0, self._spec.warm_entries, check)

    def entries(self) -> int:
        """Return how many entries it holds."""
        return int(self._redis.dbsize())

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()

    def configure(self, pause: Callable[[float], object]) -> Limit | None:
        """Set the eviction, and the memory limit if there is a capacity. Must run after the replicas have connected.

        Args:
            pause: waits for so many seconds.

        Raises:
            PartFailed: no limit gave the wanted number of entries.
        """
        spec = self._spec
        self._redis.config_set("maxmemory-samples", spec.samples)
        # Without eviction nothing could be stored beyond the limit to see what stays; the memory is the same.
        self._redis.config_set("maxmemory-policy", "allkeys-lru" if spec.eviction == "noeviction" else spec.eviction)
        if spec.capacity_entries is None:
            return None
        self._settle(pause)
        limit = self._limit(spec.capacity_entries, lambda: pause(0))
        self._redis.config_set("maxmemory", limit.maxmemory_bytes)
        self._redis.config_set("maxmemory-policy", spec.eviction)
        self._redis.flushall()
        return limit

    def _settle(self, pause: Callable[[float], object]) -> None:
        """Wait until the connections' reply buffers are as small as they will be during a run.

        A new connection has one of 16 kB, which Valkey shrinks to 1 kB after some idle seconds: room for entries, that
        the limit must not count on. With values that do not fit into 1 kB the buffers keep their size.
        """
        if self._spec.value_bytes > _FITS_A_SMALL_BUFFER:
            return
        deadline = time.monotonic() + _SETTLED_WITHIN_S
        while self._large_buffers():
            if time.monotonic() > deadline:
                raise PartFailed(
                    self._part,
                    f"{self._large_buffers()} connections still have large buffers after {_SETTLED_WITHIN_S:g} s",
                    why="memory is what limits the cache, so it would come to hold more entries during the run",
                    do="look whether the machine is overloaded, and run again",
                )
            pause(0.2)

    def _large_buffers(self) -> int:
        with self._aside() as connection:
            own = connection.client_id()
            clients = connection.client_list(_type="normal")
        return sum(int(each["rbs"]) > _SMALL_BUFFER for each in clients if int(each["id"]) != own)

    def _limit(self, wanted: int, check: Callable[[], object]) -> Limit:
        """Return the ``maxmemory`` with which the cache holds so many entries on average.

        Valkey limits bytes, not entries, and the bytes of an entry depend on its build, its allocator and the
        connections that are open. So: fill in that many entries, read the memory in use, set it as the limit; then
        store others from empty, count what stays, and correct.
        """
        self._redis.config_set("maxmemory", 0)
        self._redis.flushall()
        self._fill(0, wanted, check)
        entry_bytes = self._redis.memory_usage(entry_name(0)) or self._spec.value_bytes
        limit_bytes = int(self._told("memory")["used_memory"])
        best: Limit | None = None
        for _ in range(_ROUNDS):
            self._redis.config_set("maxmemory", limit_bytes)
            held = self._entries_held(wanted, check)
            if best is None or abs(held - wanted) < abs(best.entries_held - wanted):
                best = Limit(maxmemory_bytes=limit_bytes, entries_held=held)
            if abs(best.entries_held - wanted) <= wanted * _GOOD_RATIO:
                return best
            limit_bytes = max(1, round(limit_bytes + (wanted - held) * entry_bytes))
        if best is None or abs(best.entries_held - wanted) > max(_GOOD_ENTRIES, wanted * _BAD_RATIO):
            raise PartFailed(
                self._part,
                f"no memory limit makes it hold {wanted} entries of {self._spec.value_bytes} bytes (nearest: {best})",
                why="the hit ratio depends on the capacity, so the run would test another cache than the deployment's",
                do="choose a larger capacity_entries, or a value_bytes below 900: larger values need other buffers",
            )
        return best

    def _entries_held(self, wanted: int, check: Callable[[], object]) -> float:
        """Return the mean number of entries while others are stored beyond the limit, one by one as in a run.

        Several at once would need room for the query that holds them, which in a run is room for another entry.
        """
        self._redis.flushall()
        step = max(10, wanted // 4)
        counts = []
        try:
            self._fill(0, 2 * wanted + 2 * step, check)
            for number in range(2, 2 + _COUNTS):
                self._fill(2 * wanted + number * step, 2 * wanted + (number + 1) * step, check, at_once=1)
                counts.append(self.entries())
        except redis.exceptions.OutOfMemoryError:
            return 0.0  # the limit is below what the server needs for itself
        return sum(counts) / len(counts)

    def _fill(self, first: int, end: int, check: Callable[[], object], *, at_once: int = _AT_ONCE) -> None:
        """Store entries that look as the replicas' do, time to live included; few at once: answers need memory too."""
        value = Values(self._spec).made(expiry_s=math.inf, recomputed_s=0.0)
        ttl_ms = None if self._spec.ttl_s is None else 3_600_000
        for start in range(first, end, at_once):
            check()
            pipeline = self._redis.pipeline(transaction=False)
            for key in range(start, min(end, start + at_once)):
                pipeline.set(entry_name(key), value, px=ttl_ms)
            pipeline.execute()

    def _told(self, section: str) -> dict[str, Any]:
        """Return a section of what the server tells of itself."""
        with self._aside() as connection:
            return dict(connection.info(section))

    def _aside(self) -> redis.Redis:
        """Return a connection of its own, for what has a long reply; to be closed at once."""
        return redis.Redis(
            host=LOOPBACK,
            port=self._port,
            socket_timeout=5.0,
            socket_connect_timeout=1.0,
            single_connection_client=True,
        )
