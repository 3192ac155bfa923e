"""Entries of a cache as they are written in Valkey: names of equal length, and values that know when they expire."""

from __future__ import annotations

import struct

from reference_backend.caching import Cache

_HEAD = struct.Struct("<dd")  # expiry (monotonic time of this machine, s), time that recomputing took (s)


def entry_name(key: int) -> str:
    """Return the name of a key's entry; all names are as long, so that all entries take the same memory.

    >>> entry_name(7)
    'item:0000000007'
    """
    return f"item:{key:010d}"


def lock_name(key: int) -> str:
    """Return the name of a key's lock.

    >>> lock_name(7)
    'lock:0000000007'
    """
    return f"lock:{key:010d}"


def life_ms(spec: Cache, uniform: float) -> int | None:
    """Return how long an entry lives, in whole milliseconds, at least one; None: for ever.

    >>> life_ms(Cache(kind="cache", ttl_s=2.0, ttl_jitter=0.5), 0.75)
    2500
    """
    if spec.ttl_s is None:
        return None
    return max(1, round(spec.ttl_s * (1 - spec.ttl_jitter + 2 * spec.ttl_jitter * uniform) * 1000))


class Values:
    """Makes and reads the values of one cache.

    With early refresh a value begins with its expiry and the time that it took to recompute; else it is but bytes.
    """

    def __init__(self, spec: Cache) -> None:
        self._spec = spec
        self._has_head = spec.stampede_protection.kind == "early_refresh"
        self._filling = b"v" * max(0, spec.value_bytes - (_HEAD.size if self._has_head else 0))

    def made(self, *, expiry_s: float, recomputed_s: float) -> bytes:
        """Return a value.

        Args:
            expiry_s: monotonic time at which it expires, in seconds.
            recomputed_s: how long it took to recompute, in seconds.
        """
        return _HEAD.pack(expiry_s, recomputed_s) + self._filling if self._has_head else self._filling

    def read(self, value: bytes) -> tuple[float, float]:
        """Return the expiry and the time to recompute, in seconds, of a value that has them."""
        expiry_s, recomputed_s = _HEAD.unpack_from(value)
        return float(expiry_s), float(recomputed_s)
