"""The hit ratios that theory expects of a scenario's caches once they are warm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from lab.scenario.components import Cache
from lab.scenario.scenario import Scenario
from lab.scenario.visits import visits
from lab.scenario.workload import Keys, UniformKeys, ZipfKeys
from lab.theory import che, ttl_cache, zipf

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_ROUNDS = 50
_SETTLED = 1e-9


def hit_ratios(scenario: Scenario, rate_per_s: float) -> dict[str, float]:
    """Return the expected hit ratio of each cache that requests look into, at an arrival rate.

    Assumes independent requests, a steady state, and that a miss is stored at once. A cache behind another
    one is taken to see the same popularity of keys, only less often; that flatters it.

    Args:
        scenario: whose caches.
        rate_per_s: arrival rate of client requests, 0 or above.
    """
    popularity = _popularity(scenario.workload.keys)
    ratios: dict[str, float] = {}
    # How often a cache is looked into hangs on the hits of the caches before it, so go round until nothing moves.
    for _ in range(_MOST_ROUNDS):
        look_ups = visits(scenario, hit_ratios=ratios).look_ups
        new = {name: _hit_ratio(scenario, name, popularity, rate_per_s * often) for name, often in look_ups.items()}
        if all(abs(new[name] - ratios.get(name, 0.0)) < _SETTLED for name in new):
            return new
        ratios = new
    return ratios


def _popularity(keys: Keys) -> NDArray[Any]:
    match keys:
        case UniformKeys():
            return zipf.probabilities(exponent=0.0, count=keys.count)
        case ZipfKeys():
            return zipf.probabilities(exponent=keys.exponent, count=keys.count)
        case _:
            assert_never(keys)


def _hit_ratio(scenario: Scenario, name: str, popularity: NDArray[Any], rate_per_s: float) -> float:
    cache = scenario.components[name]
    assert isinstance(cache, Cache)  # the consistency check of the scenario has seen to it
    room, life = 1.0, 1.0
    if cache.capacity is not None and cache.capacity < len(popularity):
        room = che.hit_ratio(request_rates_per_s=popularity, capacity=cache.capacity)
    if cache.ttl is not None:
        # Nobody comes before an entry is too old when nobody comes at all.
        rates = popularity * rate_per_s
        life = ttl_cache.hit_ratio(request_rates_per_s=rates, ttl_s=cache.ttl) if rate_per_s > 0 else 0.0
    return min(room, life)
