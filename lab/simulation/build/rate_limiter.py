"""Makes a rate limiter with the counts that its algorithm keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, assert_never

from lab.scenario.components import RateLimiter as Spec
from lab.scenario.identity import client_of
from lab.simulation.rate_limiter.limiter import Counts, RateLimiter
from lab.simulation.rate_limiter.rules import (
    FixedWindow,
    Gcra,
    Rule,
    SlidingWindowCounter,
    SlidingWindowLog,
    TokenBucket,
)
from lab.simulation.request import Part, Request

if TYPE_CHECKING:
    from lab.simulation.build.world import World


def make_rate_limiter(world: World, name: str, spec: Spec) -> Part:
    """Return the limiter before its target."""
    return RateLimiter(
        place=(world.clock, world.log, name),
        target=world.part(spec.targets),
        guarded=None if spec.endpoints is None else frozenset(spec.endpoints),
        counts=Counts(subject_of=_subject_of(world, spec), new=lambda: new_rule(spec)),
        check_time=world.unless_free(f"{name}/check_time", spec.check_time),
    )


def new_rule(spec: Spec) -> Rule:
    """Return the count of one subject, of which none has passed yet."""
    match spec.algorithm:
        case "token_bucket":
            return TokenBucket(rate_per_s=spec.rate_per_s, size=spec.at_once)
        case "gcra":
            return Gcra(interval_s=spec.window / spec.limit, burst=spec.at_once - 1)
        case "fixed_window":
            return FixedWindow(limit=spec.limit, window_s=spec.window, by_clock=spec.windows == "by_clock")
        case "sliding_window_log":
            return SlidingWindowLog(limit=spec.limit, window_s=spec.window)
        case "sliding_window_counter":
            return SlidingWindowCounter(limit=spec.limit, window_s=spec.window, by_clock=spec.windows == "by_clock")
        case _:
            assert_never(spec.algorithm)


def _subject_of(world: World, spec: Spec) -> Callable[[Request], int]:
    workload = world.scenario.workload
    match spec.scope:
        case "shared":
            return lambda _: 0
        case "per_key":
            return lambda request: request.key
        case "per_client":
            return lambda request: client_of(workload, request.number)
        case _:
            assert_never(spec.scope)
