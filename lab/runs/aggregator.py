"""What a Run keeps of its visits when it does not keep them: sums, counts, areas, peaks and histograms.

Visits come in batches, as they end; what a batch says is added up and the batch is forgotten. Figures are of requests
meant to start after the warm-up, so sums are kept by *block* of the intended start (before and after the warm-up); what
happens over time is kept by *bin* of the clock.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lab.runs.areas import areas, peak, service_intervals, waiting_intervals, waits_with_client_s
from lab.runs.buckets import buckets_of

Array = np.ndarray[Any, Any]
Batch = Mapping[str, Array]
"""Visits as arrays by column of the visits table; ``component`` holds numbers, flags are -1 where they are missing."""

LookUp = Callable[[Array], tuple[Array, Array]]
"""Numbers of requests to their intended starts, and to their ends (NaN while they have none)."""

_MOST_BINS = 10_000
_BUCKET_BITS = 20  # no bucket has a higher number
_USUAL_BIN_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Edges:
    """Where blocks and bins begin, in seconds, ascending from 0; the last ends with the run.

    Attributes:
        blocks_s: 0 and the warm-ups that figures may leave out.
        bins_s: a regular grid, and the blocks' edges.
        end_s: the duration.
    """

    blocks_s: Array
    bins_s: Array
    end_s: float

    @classmethod
    def of(cls, *, duration_s: float, warm_ups_s: Iterable[float]) -> Edges:
        """Return the edges for a run of this duration whose warm-up is one of these."""
        blocks = np.unique([0.0, *(each for each in warm_ups_s if each < duration_s)])
        width_s = usual_bin_s(duration_s)
        grid = width_s * np.arange(max(1, int(np.ceil(duration_s / width_s - 1e-9))))
        return cls(blocks_s=blocks, bins_s=np.unique(np.concatenate([grid, blocks])), end_s=duration_s)


def usual_bin_s(duration_s: float) -> float:
    """Return the width of the bins in which a run of this duration is followed: a second, or more in very long runs."""
    return max(_USUAL_BIN_S, duration_s / _MOST_BINS)


def place(edges_s: Array, times_s: Array) -> Array:
    """Return the index of the block or bin that holds each time."""
    return np.maximum(np.searchsorted(edges_s, times_s, side="right") - 1, 0)


class Aggregator:
    """Adds up the visits of one replication.

    ::

        batch --> time since the last batch: areas, peaks     (visits that ended, and those still there)
              `-> sums, counts, histograms by block           (visits that ended)
              `-> waits of each request, until it has ended   --> its share of the sojourn time
    """

    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._until_s = 0.0
        zeros = np.zeros
        self._by_block: dict[tuple[int, str], Array] = defaultdict(lambda: zeros(len(edges.blocks_s)))
        self._by_bin: dict[tuple[int, str], Array] = defaultdict(lambda: zeros(len(edges.bins_s)))
        self._waits: Counter[tuple[int, int, int]] = Counter()  # visits by component, block and bucket
        self._unsettled_s: dict[tuple[int, int], float] = defaultdict(float)  # waits by request and component

    def take(self, ended: Batch, there: Batch, requests: LookUp, now_s: float) -> None:
        """Add what happened since the last batch.

        Args:
            ended: the visits that ended since; their rows are final.
            there: the visits that have begun and not ended.
            requests: finds the requests that they belong to.
            now_s: the time up to which these are all that happened.
        """
        for component in np.unique(np.concatenate([ended["component"], there["component"]])).tolist():
            both = [_rows(batch, batch["component"] == component) for batch in (ended, there)]
            self._add_presence(
                component, {name: np.concatenate([each[name] for each in both]) for name in ended}, now_s
            )
        self._until_s = now_s
        self._add_sums(ended, requests)
        self._add_waits(ended, requests)
        self._settle(set(there["request"].tolist()), requests)

    def finish(self, there: Batch, requests: LookUp) -> None:
        """Add the visits that have not ended when the run does."""
        self.take(_rows(there, np.zeros(len(there["request"]), dtype=bool)), there, requests, self._edges.end_s)
        self._add_sums(there, requests)
        self._add_waits(there, requests)
        self._settle(set(), requests)

    def rows(self) -> Iterable[tuple[int, str, float, int, float]]:
        """Yield component, quantity, where the block or bin begins, bucket, and value; nothing for a value of 0."""
        for table, edges in ((self._by_block, self._edges.blocks_s), (self._by_bin, self._edges.bins_s)):
            for (component, quantity), values in table.items():
                for index in np.flatnonzero(values).tolist():
                    yield component, quantity, float(edges[index]), 0, float(values[index])
        for (component, block, bucket), count in self._waits.items():
            yield component, "waiting_time_bucket", float(self._edges.blocks_s[block]), bucket, float(count)

    def _add_presence(self, component: int, visits: Batch, now_s: float) -> None:
        since_s, edges = self._until_s, self._edges
        if now_s <= since_s:
            return
        waiting, serving = waiting_intervals(visits), service_intervals(visits)
        inner = edges.bins_s[(edges.bins_s > since_s) & (edges.bins_s < now_s)]
        pieces = np.concatenate([[since_s], inner, [now_s]])
        first = int(place(edges.bins_s, np.array(since_s)))
        for quantity, intervals in (("waiting_area_s", waiting), ("service_area_s", serving)):
            self._by_bin[component, quantity][first : first + len(pieces) - 1] += np.maximum(
                areas(*intervals, pieces), 0
            )
        blocks = edges.blocks_s
        for block in range(int(place(blocks, np.array(since_s))), int(place(blocks, np.array(now_s))) + 1):
            start_s = max(since_s, float(blocks[block]))
            end_s = min(now_s, float(blocks[block + 1])) if block + 1 < len(blocks) else now_s
            highest = self._by_block[component, "waiting_peak"]
            highest[block] = max(highest[block], peak(*waiting, start_s=start_s, end_s=end_s))

    def _add_sums(self, visits: Batch, requests: LookUp) -> None:
        starts_s, _ = requests(visits["request"])
        blocks = place(self._edges.blocks_s, starts_s)
        arrivals = place(self._edges.bins_s, visits["arrival_s"])
        admitted = ~np.isnan(visits["admitted_s"])
        looked_up, hit = visits["hit"] >= 0, visits["hit"] > 0
        served = admitted & ~np.isnan(visits["service_time_s"])
        for component in np.unique(visits["component"]).tolist():
            own = visits["component"] == component
            for quantity, which, weights in (
                ("visits", own, None),
                ("admitted", own & admitted, None),
                ("waiting_time_s", own & admitted, visits["waiting_time_s"]),
                ("served", own & served, None),
                ("service_time_s", own & served, visits["service_time_s"]),
                ("looked_up", own & looked_up, None),
                ("hits", own & hit, None),
                ("read", own & (visits["stale"] >= 0), None),
                ("stale", own & (visits["stale"] > 0), None),
            ):
                _add(self._by_block[component, quantity], blocks[which], None if weights is None else weights[which])
            for quantity, which in (("looked_up_then", own & looked_up), ("hits_then", own & hit)):
                _add(self._by_bin[component, quantity], arrivals[which], None)
            waited = buckets_of(visits["waiting_time_s"][own & admitted])
            both, counts = np.unique(blocks[own & admitted] << _BUCKET_BITS | waited, return_counts=True)
            for each, count in zip(both.tolist(), counts.tolist(), strict=True):
                self._waits[component, each >> _BUCKET_BITS, each & (1 << _BUCKET_BITS) - 1] += count

    def _add_waits(self, visits: Batch, requests: LookUp) -> None:
        _, ends_s = requests(visits["request"])
        waited_s = waits_with_client_s(visits, client_left_s=np.where(np.isnan(ends_s), np.inf, ends_s))
        some = np.flatnonzero((waited_s > 0) & np.isfinite(waited_s))
        columns = (visits["request"][some], visits["component"][some], waited_s[some])
        for number, component, each_s in zip(*(column.tolist() for column in columns), strict=True):
            self._unsettled_s[number, component] += each_s

    def _settle(self, busy: set[int], requests: LookUp) -> None:
        """Turn the waits of requests that have ended, and have no visit under way, into shares of their sojourn."""
        idle = [address for address in self._unsettled_s if address[0] not in busy]
        if not idle:
            return
        starts_s, ends_s = requests(np.array([number for number, _ in idle]))
        blocks = place(self._edges.blocks_s, starts_s).tolist()
        for address, block, start_s, end_s in zip(idle, blocks, starts_s.tolist(), ends_s.tolist(), strict=True):
            if not math.isnan(end_s):
                waited_s = min(self._unsettled_s.pop(address), end_s - start_s)
                self._by_block[address[1], "waiting_with_client_s"][block] += waited_s


def _rows(batch: Batch, which: Array) -> dict[str, Array]:
    return {name: values[which] for name, values in batch.items()}


def _add(sums: Array, places: Array, weights: Array | None) -> None:
    if len(places):
        sums += np.bincount(places, weights=weights, minlength=len(sums))
