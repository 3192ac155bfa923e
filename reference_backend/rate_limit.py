"""A limit on the rate of requests, checked by each replica before anything else and counted in one Valkey server.

::

    guarded? --no--------------------------------------------> passed on
       | yes
    asks the counters --> within the limit? --yes--> passed on
                                `--no--> rejected (429)
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import assert_never
from urllib.parse import parse_qs

from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import (
    FixedWindowRateLimiter,
    MovingWindowRateLimiter,
    SlidingWindowCounterRateLimiter,
)
from limits.aio.strategies import (
    RateLimiter as LibraryLimiter,
)
from redis.asyncio import ConnectionPool, Redis
from redis.exceptions import RedisError

from reference_backend.limit import OWN_PATHS, Application, Message, Receive, Send
from reference_backend.limiting import RateLimiter
from reference_backend.ports import LOOPBACK
from reference_backend.spans import Outcome, Row, SpanWriter

_CONNECTIONS = 16  # opened ahead; more when needed
_SHARED = "all"

# The clock is the server's, one for all replicas. Numbers are kept with all their digits.
_BUCKET = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local size, rate = tonumber(ARGV[1]), tonumber(ARGV[2])
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'since')
local tokens = math.min(size, (tonumber(kept[1] or size)) + (now - tonumber(kept[2] or now)) * rate)
local passes = tokens >= 1
if passes then tokens = tokens - 1 end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.17g', tokens), 'since', string.format('%.17g', now))
return passes and 1 or 0
"""
_GCRA = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local size, interval = tonumber(ARGV[1]), 1 / tonumber(ARGV[2])
local next = math.max(now, tonumber(redis.call('GET', KEYS[1]) or now)) + interval
if now < next - interval * size then return 0 end
redis.call('SET', KEYS[1], string.format('%.17g', next))
return 1
"""


class Counters:
    """The counts of all subjects in Valkey, by the limiter's algorithm.

    ``limits`` begins a subject's windows with its first request, and the next one after a pause (INCR and EXPIRE).
    """

    def __init__(self, *, limiter: RateLimiter, port: int) -> None:
        self._limiter = limiter
        self._pool = ConnectionPool(host=LOOPBACK, port=port, socket_connect_timeout=5.0)
        self._redis = Redis(connection_pool=self._pool)
        self._hit = self._algorithm(port)

    def _algorithm(self, port: int) -> Callable[[str], Awaitable[bool]]:
        match self._limiter.algorithm:
            case "token_bucket":
                return self._scripted(_BUCKET)
            case "gcra":
                return self._scripted(_GCRA)
            case "fixed_window":
                return self._by_the_library(FixedWindowRateLimiter, port)
            case "sliding_window_log":
                return self._by_the_library(MovingWindowRateLimiter, port)
            case "sliding_window_counter":
                return self._by_the_library(SlidingWindowCounterRateLimiter, port)
            case _ as never:
                assert_never(never)

    def _scripted(self, text: str) -> Callable[[str], Awaitable[bool]]:
        script = self._redis.register_script(text)
        given = [self._limiter.burst, repr(self._limiter.limit / self._limiter.window_s)]

        async def hit(subject: str) -> bool:
            return bool(await script(keys=[f"bucket:{subject}"], args=given))

        return hit

    def _by_the_library(self, strategy: type[LibraryLimiter], port: int) -> Callable[[str], Awaitable[bool]]:
        storage = RedisStorage(f"async+redis://{LOOPBACK}:{port}", implementation="redispy", connection_pool=self._pool)
        limiter, item = strategy(storage), RateLimitItemPerSecond(self._limiter.limit, self._limiter.window_s)

        async def hit(subject: str) -> bool:
            return await limiter.hit(item, subject)

        return hit

    async def open(self) -> None:
        """Open connections ahead, so that no request pays for one."""
        opened = [await self._pool.get_connection() for _ in range(_CONNECTIONS)]
        for connection in opened:
            await self._pool.release(connection)

    async def admit(self, subject: str) -> bool:
        """Return whether one more of this subject may pass now, and count it if so."""
        return await self._hit(subject)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
        await self._pool.aclose()


class Guard:
    """ASGI middleware that turns requests beyond the limit away; those of the warm-up (request -1) always pass."""

    def __init__(
        self, application: Application, *, name: str, limiter: RateLimiter, counters: Counters, writer: SpanWriter
    ) -> None:
        self._application = application
        self._name = name
        self._limiter = limiter
        self._counters = counters
        self._writer = writer

    async def open(self) -> None:
        """Connect to the counters."""
        await self._counters.open()

    async def close(self) -> None:
        """Leave the counters."""
        await self._counters.close()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 429; 500 when the counters do not answer."""
        if scope["type"] != "http" or scope["path"] in OWN_PATHS or not self._guards(scope["path"][1:]):
            await self._application(scope, receive, send)
            return
        arrival_s = time.monotonic()
        request = int(dict(scope["headers"]).get(b"x-request", b"-1"))
        try:
            passes = await self._counters.admit(self._subject(scope)) or request < 0
        except (RedisError, OSError):
            self._note(scope, arrival_s, "error")
            await _answer(send, 500, b"error")
            return
        self._note(scope, arrival_s, "ok" if passes else "rejected")
        if passes:
            await self._application(scope, receive, send)
        else:
            await _answer(send, 429, b"rejected")

    def _guards(self, endpoint: str) -> bool:
        return self._limiter.endpoints is None or endpoint in self._limiter.endpoints

    def _subject(self, scope: Message) -> str:
        if self._limiter.scope == "shared":
            return _SHARED
        return parse_qs(scope["query_string"].decode()).get("key", [""])[0]

    def _note(self, scope: Message, arrival_s: float, outcome: Outcome) -> None:
        headers = dict(scope["headers"])
        now_s = time.monotonic()
        row: Row = (
            self._name, 0, scope["path"][1:], arrival_s, arrival_s if outcome == "ok" else None, now_s, 0.0,
            now_s - arrival_s, outcome, None,
        )  # fmt: skip
        self._writer.write_row(int(headers.get(b"x-request", b"-1")), int(headers.get(b"x-attempt", b"0")), row)


def guard_of(
    limiter: tuple[str, RateLimiter], application: Application, *, ports: Mapping[str, int], writer: SpanWriter
) -> Guard | None:
    """Return the guard before a replica's application; None where HAProxy counts.

    Args:
        limiter: its name, and what it lets pass.
        application: what it guards.
        ports: the port of each part; that of the counters is found under ``counters_of(name)``.
        writer: takes the rows.
    """
    name, spec = limiter
    if spec.in_haproxy:
        return None
    counters = Counters(limiter=spec, port=ports[counters_of(name)])
    return Guard(application, name=name, limiter=spec, counters=counters, writer=writer)


def counters_of(limiter: str) -> str:
    """Return the name of the Valkey server of a rate limiter; no part can have it."""
    return f"{limiter}.counters"


async def _answer(send: Send, status: int, outcome: bytes) -> None:
    body = b'{"outcome":"%s"}' % outcome
    headers = [
        (b"x-outcome", outcome),
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
