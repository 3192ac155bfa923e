"""What a cache promises: it serves what was stored, and not for longer than it may."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from lab.scenario.components import Cache
from lab.scenario.scenario import Scenario
from lab.scenario.stampede import StaleWhileRevalidate

_ROUNDING_S = 1e-9


def cache_laws(scenario: Scenario, requests: pd.DataFrame, visits: pd.DataFrame) -> Iterator[str]:
    """Yield a sentence for each cache that served something that nobody had stored, or that was too old by then."""
    for name, cache in scenario.components.items():
        if isinstance(cache, Cache):
            own = visits[(visits["component"] == name) & visits["departure_s"].notna()]
            yield from _serves_what_was_stored(name, cache, _with_keys(own, requests))


def _with_keys(visits: pd.DataFrame, requests: pd.DataFrame) -> pd.DataFrame:
    keys = requests[["replication", "request", "key"]]
    return visits[["replication", "request", "replica", "operation", "departure_s", "outcome", "hit"]].merge(
        keys, on=["replication", "request"], how="left"
    )


def _serves_what_was_stored(name: str, cache: Cache, rows: pd.DataFrame) -> Iterator[str]:
    hits = rows[rows["hit"].fillna(False).astype(bool)]
    if hits.empty:
        return
    place = (
        ["replication", "key"] if cache.scope == "shared" and cache.nodes == 1 else ["replication", "replica", "key"]
    )
    stored = rows[(rows["operation"] == "set") & (rows["outcome"] == "ok")]
    stored = stored.assign(stored_s=stored["departure_s"])[[*place, "departure_s", "stored_s"]]
    found = pd.merge_asof(
        hits.sort_values("departure_s"), stored.sort_values("departure_s"), on="departure_s", by=place
    )
    warm = np.asarray(found["key"] < (cache.warm.entries if cache.warm else 0))
    stored_s = found["stored_s"].mask(found["stored_s"].isna() & warm, 0.0)
    if stored_s.isna().any():
        yield f"cache: {name} served {int(stored_s.isna().sum())} entries that nobody had stored"
    if cache.ttl is not None:
        protection = cache.stampede_protection
        stale_for_s = protection.stale_for if isinstance(protection, StaleWhileRevalidate) else 0.0
        most_s = cache.ttl * (1 + cache.ttl_jitter) + stale_for_s
        since_s = (
            stored_s if cache.ttl_from == "write" else _last_used_s(rows, found[[*place, "departure_s"]], stored_s)
        )
        age_s = found["departure_s"] - since_s
        if (age_s > most_s + _ROUNDING_S).any():
            yield f"cache: {name} served an entry {age_s.max():.6f} s after it was stored, more than {most_s:.6f} s"


def _last_used_s(rows: pd.DataFrame, hits: pd.DataFrame, stored_s: pd.Series[float]) -> pd.Series[float]:
    """When what each hit found was last used before it, or stored; a look that is no look-up of its own counts too."""
    place = [name for name in hits.columns if name != "departure_s"]
    stored = (rows["operation"] == "set") & (rows["outcome"] == "ok")
    used = rows[rows["hit"].fillna(False).astype(bool) | stored | (rows["operation"] == "check")]
    used = used.assign(used_s=used["departure_s"])[[*place, "departure_s", "used_s"]].sort_values("departure_s")
    found = pd.merge_asof(hits, used, on="departure_s", by=place, allow_exact_matches=False)
    return found["used_s"].fillna(stored_s).clip(lower=stored_s)
