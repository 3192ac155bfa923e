"""A rate limiter as it is described: what it counts, for whom, and how much it lets pass."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lab.distributions import Constant, Distribution
from lab.quantities import Count, CountOrZero, PositiveDuration, Spec
from lab.scenario.names import Name

_NO_TIME = Constant(mean="0s")  # type: ignore[arg-type]  # text in, seconds inside


class RateLimiter(Spec):
    """Turns requests beyond a limit away at once (429), and passes the others on.

    Only what is let pass counts against the limit.
    """

    kind: Literal["rate_limiter"] = "rate_limiter"
    targets: str = Field(description="Name of the component that it guards: another front, or a service.")
    algorithm: Literal["token_bucket", "gcra", "fixed_window", "sliding_window_log", "sliding_window_counter"] = Field(
        default="token_bucket",
        description="token_bucket: a token each, refilled steadily; gcra: the same by one time stamp (redis-cell); "
        "fixed_window: a count that starts anew with each window, so up to twice the limit around its edge; "
        "sliding_window_log: those let pass in the window before now; sliding_window_counter: the count of this fixed "
        "window, and the part of the one before that a sliding window would still cover, as if they had come evenly.",
    )
    limit: Count = Field(description="Requests let pass in each window; for a bucket, tokens that it gains meanwhile.")
    window: PositiveDuration = Field(
        default="1s", validate_default=True, description="The window that the limit is for."
    )
    windows: Literal["by_clock", "first_request"] = Field(
        default="by_clock",
        description="When windows that are counted begin. by_clock: at 0s, and one after the other; first_request: "
        "those of each whom it counts apart with its first request, and again with the first one after a pause, as "
        "with INCR and EXPIRE in Redis (limits 5.x) or HAProxy's stick tables.",
    )
    burst: CountOrZero | None = Field(
        default=None,
        description="token_bucket: tokens in the full bucket, which it is at the start; gcra: how many more than one "
        "may come at once (redis-cell's max_burst), so one less than the tokens of an equal bucket. None: as many as "
        "let the whole limit come at once.",
    )
    scope: Literal["shared", "per_key", "per_client"] = Field(
        default="shared",
        description="For whom it counts: all together, each key apart (an account, an address), or each client apart "
        "(a user of a closed workload, a session).",
    )
    endpoints: Annotated[tuple[Name, ...], Field(min_length=1)] | None = Field(
        default=None, description="Which endpoints it guards; all others pass uncounted and unchecked. None: all."
    )
    check_time: Distribution = Field(
        default=_NO_TIME,
        description="From the arrival of a guarded request, when it is counted, to when it is passed on or turned "
        "away: the round trip to the shared counters.",
    )

    @property
    def rate_per_s(self) -> float:
        """How many pass per second in the long run, of each that it counts apart."""
        return self.limit / self.window

    @property
    def at_once(self) -> int:
        """How many a full bucket lets pass at one moment."""
        if self.burst is None:
            return self.limit
        return self.burst + 1 if self.algorithm == "gcra" else self.burst

    def guards(self, endpoint: str) -> bool:
        """Return whether requests to an endpoint are counted."""
        return self.endpoints is None or endpoint in self.endpoints
