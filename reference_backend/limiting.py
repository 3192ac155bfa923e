"""Who is turned away before any work: limits of a rate, and of a wait, as a deployment describes them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from reference_backend.spec import Name, Seconds, Spec


class RateLimiter(Spec):
    """Turns requests beyond a limit away (429) before the service or load balancer that it targets.

    Counted in a Valkey server of its own that all replicas ask, before their concurrency limit: ``fixed_window``,
    ``sliding_window_log`` and ``sliding_window_counter`` by the library ``limits``, ``token_bucket`` and ``gcra`` by a
    script. Or, for a ``sliding_window_counter`` before a load balancer, in a stick table of HAProxy.
    ``burst``: how many a full bucket lets pass at once.
    """

    kind: Literal["rate_limiter"]
    targets: Name
    counted_in: Literal["valkey", "haproxy"] = "valkey"
    algorithm: Literal["token_bucket", "gcra", "fixed_window", "sliding_window_log", "sliding_window_counter"]
    limit: Annotated[int, Field(ge=1, le=1_000_000)]
    window_s: Annotated[int, Field(ge=1, le=86_400)] = 1
    burst: Annotated[int, Field(ge=1, le=1_000_000)]
    scope: Literal["shared", "per_key"] = "shared"
    endpoints: tuple[Name, ...] | None = None

    @property
    def in_haproxy(self) -> bool:
        """Whether HAProxy itself counts, and turns away."""
        return self.counted_in == "haproxy"


class Shedding(Spec):
    """Whom of its backlog a replica turns away because they waited too long.

    ``codel``: as RFC 8289 has it for packets; ``server_codel``: Facebook's, impatient while the queue stands.
    """

    kind: Literal["codel", "server_codel"]
    target_s: Seconds
    interval_s: Seconds
