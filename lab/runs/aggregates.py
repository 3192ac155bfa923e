"""The figures of a Run that kept aggregates instead of its visits; what they are is told where visits are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from lab.errors import NotEnoughData
from lab.runs.aggregator import Edges, place, usual_bin_s
from lab.runs.answers import share_of_hits
from lab.runs.buckets import quantile
from lab.runs.invocations import INVOCATIONS, PLATFORM
from lab.runs.tables import AGGREGATES
from lab.runs.window import Window, window_of

Array = np.ndarray[Any, Any]

_SAME_S = 1e-9  # edges computed in two ways
_BY_BIN = ("waiting_area_s", "service_area_s", "looked_up_then", "hits_then")


class Aggregates:
    """The aggregates table with the scenario that says where its blocks and bins begin.

    Raises:
        NotEnoughData: the table was cut for another warm-up than the scenario's.
    """

    def __init__(self, frame: pd.DataFrame, scenario: Mapping[str, Any]) -> None:
        whole, counted = window_of(scenario, warm_up=False), window_of(scenario)
        self._edges = Edges.of(duration_s=whole.end_s, warm_ups_s=[counted.start_s])
        blocks = frame.loc[~frame["quantity"].isin(_BY_BIN), "begin_s"].unique()
        if not np.isin(blocks, self._edges.blocks_s).all():
            raise NotEnoughData(
                f"the Run kept no visits, and its aggregates begin at {', '.join(f'{each:g} s' for each in blocks)}: "
                f"nothing is known from {counted.start_s:g} s on; simulate with this warm-up, or with keep='all'"
            )
        self.components = [str(name) for name in frame["component"].cat.categories]
        keys = ["replication", "component", "quantity"]
        self._rows: dict[Any, Array] = {
            key: own[["begin_s", "bucket", "value"]].to_numpy() for key, own in frame.groupby(keys, observed=True)
        }

    def figures(self, replication: int, window: Window) -> Iterator[tuple[str, str, float]]:
        """Yield metric, component and value: what :mod:`lab.runs.metrics` works out from visits."""
        for component in self.components:

            def sum_of(quantity: str, component: str = component) -> float:
                return float(self._within(replication, component, quantity, window)[:, 2].sum())

            looked_up, admitted, served = (sum_of(each) for each in ("looked_up", "admitted", "served"))
            yield "visits_per_s", component, sum_of("visits") / window.length_s
            if looked_up:
                yield *share_of_hits(component), sum_of("hits") / looked_up
            if read := sum_of("read"):
                yield "stale_ratio", component, sum_of("stale") / read
            if component.endswith(PLATFORM):
                yield INVOCATIONS, component.removesuffix(PLATFORM), admitted
            if admitted:
                yield "waiting_time_s_mean", component, sum_of("waiting_time_s") / admitted
                yield "waiting_time_s_p95", component, self._waiting_quantile(replication, component, window, 0.95)
            if served:
                yield "service_time_s_mean", component, sum_of("service_time_s") / served
            yield "number_waiting_mean", component, sum_of("waiting_area_s") / window.length_s
            yield "number_in_service_mean", component, sum_of("service_area_s") / window.length_s

    def over_time(self, replication: int, edges_s: Array) -> Iterator[tuple[str, str, Array]]:
        """Yield metric, component and a value a bin: what :mod:`lab.runs.timeline` works out from visits.

        Raises:
            NotEnoughData: the bins are not made of those that were kept.
        """
        widths = np.diff(edges_s)
        nearest = np.abs(self._edges.bins_s[place(self._edges.bins_s, edges_s[:-1] + _SAME_S)] - edges_s[:-1])
        if nearest.max() > _SAME_S:
            width_s = usual_bin_s(self._edges.end_s)
            raise NotEnoughData(
                f"the Run kept no visits, only bins of {width_s:g} s, which cannot be cut; take bin_s a multiple of "
                f"{width_s:g}, or simulate with keep='all'"
            )
        for component in self.components:
            sums = {quantity: self._by_bin(replication, component, quantity, edges_s) for quantity in _BY_BIN}
            yield "number_waiting_mean", component, sums["waiting_area_s"] / widths
            yield "number_in_service_mean", component, sums["service_area_s"] / widths
            look_ups = sums["looked_up_then"]
            if look_ups.any():
                none = np.full(len(look_ups), np.nan)
                shares = np.divide(sums["hits_then"], look_ups, out=none, where=look_ups > 0)
                yield *share_of_hits(component), shares

    def visits(self, replication: int, component: str, window: Window) -> float:
        """Return how many visits the window's requests made to a component."""
        return float(self._within(replication, component, "visits", window)[:, 2].sum())

    def waited_s(self, replication: int, window: Window) -> list[float]:
        """Return, for each component, how long the window's requests waited there while their clients did."""
        return [
            float(self._within(replication, component, "waiting_with_client_s", window)[:, 2].sum())
            for component in self.components
        ]

    def waiting_peak(self, replication: int, component: str, window: Window) -> float:
        """Return the largest number that waited at one time."""
        return float(self._within(replication, component, "waiting_peak", window)[:, 2].max(initial=0.0))

    def waiting_time_s_mean(self, replication: int, component: str, window: Window) -> float:
        """Return the mean wait of the admitted visits; NaN if there were none."""
        waited_s, admitted = (
            float(self._within(replication, component, quantity, window)[:, 2].sum())
            for quantity in ("waiting_time_s", "admitted")
        )
        return waited_s / admitted if admitted else float("nan")

    def _within(self, replication: int, component: str, quantity: str, window: Window) -> Array:
        """Rows (begin, bucket, value) of the blocks or bins in the window."""
        rows = self._rows.get((replication, component, quantity))
        return np.zeros((0, 3)) if rows is None else rows[rows[:, 0] >= window.start_s]

    def _by_bin(self, replication: int, component: str, quantity: str, edges_s: Array) -> Array:
        rows = self._rows.get((replication, component, quantity))
        if rows is None:
            return np.zeros(len(edges_s) - 1)
        bins = place(edges_s, rows[:, 0] + _SAME_S)
        return np.bincount(bins, weights=rows[:, 2], minlength=len(edges_s) - 1)

    def _waiting_quantile(self, replication: int, component: str, window: Window, share: float) -> float:
        rows = self._within(replication, component, "waiting_time_bucket", window)
        buckets, places = np.unique(rows[:, 1].astype(np.int64), return_inverse=True)
        return quantile(buckets, np.bincount(places, weights=rows[:, 2]).astype(np.int64), share)


def settled(frame: pd.DataFrame, scenario: Mapping[str, Any]) -> pd.DataFrame:
    """Return the aggregates with the blocks and bins of the scenario's own warm-up, once that has been found.

    Args:
        frame: an aggregates table whose blocks begin wherever a warm-up might have ended.
        scenario: the scenario document with the warm-up that was found.
    """
    whole, counted = window_of(scenario, warm_up=False), window_of(scenario)
    edges = Edges.of(duration_s=whole.end_s, warm_ups_s=[counted.start_s])
    begins = frame["begin_s"].to_numpy()
    by_bin = frame["quantity"].isin(_BY_BIN).to_numpy()
    moved = np.where(by_bin, edges.bins_s[place(edges.bins_s, begins)], edges.blocks_s[place(edges.blocks_s, begins)])
    keys = ["replication", "component", "quantity", "begin_s", "bucket"]
    groups = frame.assign(begin_s=moved).groupby(keys, observed=True, sort=False)["value"]
    highest = groups.max().reset_index()
    summed = groups.sum().reset_index()
    is_peak = (summed["quantity"] == "waiting_peak").to_numpy()
    return AGGREGATES.frame(summed.assign(value=np.where(is_peak, highest["value"], summed["value"])))
