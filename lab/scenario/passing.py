"""What the fronts between clients and their service let pass, on average over a long time."""

from __future__ import annotations

from collections.abc import Mapping

from lab.scenario.components import Component, RateLimiter, WaitingRoom
from lab.scenario.fronts import leads_to
from lab.scenario.mix import request_mix
from lab.scenario.scenario import Scenario


def passed_shares(scenario: Scenario, rate_per_s: float) -> Mapping[tuple[str, str], float]:
    """Return the share of requests that each front at the entry lets pass, by front and endpoint; the others pass all.

    A rate limiter that counts all requests together lets pass what its limit allows, in the mix in which they come; a
    waiting room what its admission rate allows. Limits for each key or client apart are taken to let everything pass,
    and so are fronts that only services call. Behind a cdn a limit is set against all requests, hits too. A burst, and
    what windows let pass around their edges, is no matter of the mean.

    Args:
        scenario: whose fronts.
        rate_per_s: arrival rate of client requests.
    """
    shares: dict[tuple[str, str], float] = {}
    rates = {endpoint: rate_per_s * share for endpoint, share in request_mix(scenario).items()}
    for name in leads_to(scenario, scenario.entry)[:-1]:
        front = scenario.components[name]
        most_per_s = _most_per_s(front)
        if most_per_s is None:
            continue
        limited = [each for each in rates if not isinstance(front, RateLimiter) or front.guards(each)]
        offered_per_s = sum(rates[each] for each in limited)
        if offered_per_s > most_per_s:
            for endpoint in limited:
                shares[name, endpoint] = most_per_s / offered_per_s
                rates[endpoint] *= most_per_s / offered_per_s
    return shares


def _most_per_s(front: Component) -> float | None:
    """Return how many requests per second a front lets pass at most, of all together; None: no limit."""
    if isinstance(front, RateLimiter) and front.scope == "shared":
        return front.rate_per_s
    if isinstance(front, WaitingRoom) and front.session_duration is None:
        return front.admission_rate
    return None
