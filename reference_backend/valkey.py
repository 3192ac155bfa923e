"""Valkey: a server for each cache, and how much memory so many entries take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import redis

from reference_backend.binaries import Binary
from reference_backend.deployment import Cache
from reference_backend.ports import LOOPBACK
from reference_backend.problems import PartFailed
from reference_backend.processes import Command

_ROUNDS = 6
_COUNTS = 6
_AT_ONCE = 10
_GOOD_RATIO = 0.005
_BAD_RATIO = 0.02


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
        "--daemonize", "no", "--maxmemory-samples", "10", "--protected-mode", "yes",
    ]  # fmt: skip
    return Command(part=part, arguments=arguments, log=folder / "log")


class CacheControl:
    """The supervisor's own connection to a cache."""

    def __init__(self, *, part: str, port: int) -> None:
        self._part = part
        self._redis = redis.Redis(host=LOOPBACK, port=port, socket_timeout=5.0, socket_connect_timeout=1.0)

    def answers_as(self, pid: int) -> bool:
        """Return whether the server that listens there is that process, and not one that took the port before it."""
        try:
            return int(self._redis.info("server")["process_id"]) == pid
        except redis.RedisError:
            return False  # not up yet: the caller asks again until its deadline

    def empty(self) -> None:
        """Forget every entry."""
        self._redis.flushall()

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()

    def limit_to(self, spec: Cache, check: Callable[[], None]) -> Limit:
        """Set ``maxmemory`` so that the cache holds ``capacity_entries`` entries on average.

        Valkey limits bytes, not entries, and the bytes of an entry depend on its build, its allocator and the
        connections that are open. So: fill in that many entries, read the memory in use, set it as the limit; then
        store others, count what stays, and correct. Eviction overshoots by some kilobytes, so the count is a mean of
        several. Must run after the replicas have connected.

        Raises:
            PartFailed: no limit gave about the wanted number of entries.
        """
        wanted = spec.capacity_entries
        if wanted is None:
            raise ValueError("the cache has no capacity to be limited to")
        self._redis.config_set("maxmemory", 0)
        self._redis.config_set("maxmemory-policy", "allkeys-lru")
        self._redis.flushall()
        self._fill(spec, 0, wanted, check)
        entry_bytes = self._redis.memory_usage("item:0") or spec.value_bytes
        limit_bytes = int(self._redis.info("memory")["used_memory"])
        best: Limit | None = None
        for _ in range(_ROUNDS):
            self._redis.config_set("maxmemory", limit_bytes)
            held = self._entries_held(spec, wanted, check)
            if best is None or abs(held - wanted) < abs(best.entries_held - wanted):
                best = Limit(maxmemory_bytes=limit_bytes, entries_held=held)
            if abs(best.entries_held - wanted) <= wanted * _GOOD_RATIO:
                break
            limit_bytes = max(1, round(limit_bytes + (wanted - held) * entry_bytes))
        if best is None or abs(best.entries_held - wanted) > max(2.0, wanted * _BAD_RATIO):
            raise PartFailed(
                self._part,
                f"no memory limit makes it hold {wanted} entries of {spec.value_bytes} bytes (the nearest held {best})",
                why="the hit ratio depends on the capacity, so the run would test another cache than the deployment's",
                do="choose a larger capacity_entries or value_bytes: eviction works in steps of some kilobytes",
            )
        self._redis.config_set("maxmemory", best.maxmemory_bytes)
        self._redis.flushall()
        return best

    def _entries_held(self, spec: Cache, wanted: int, check: Callable[[], None]) -> float:
        """Return the mean number of entries while others are stored beyond the limit."""
        step = max(10, wanted // 4)
        self._fill(spec, wanted, wanted + 2 * step, check)
        counts = []
        for number in range(_COUNTS):
            self._fill(spec, wanted + (2 + number) * step, wanted + (3 + number) * step, check)
            counts.append(int(self._redis.dbsize()))
        return sum(counts) / len(counts)

    def _fill(self, spec: Cache, first: int, end: int, check: Callable[[], None]) -> None:
        """Store entries that look as the replicas' do, time to live included; few at once: answers need memory too."""
        value = b"v" * spec.value_bytes
        ttl_ms = None if spec.ttl_s is None else 3_600_000
        for start in range(first, end, _AT_ONCE):
            check()
            pipeline = self._redis.pipeline(transaction=False)
            for key in range(start, min(end, start + _AT_ONCE)):
                pipeline.set(f"item:{key}", value, px=ttl_ms)
            pipeline.execute()
