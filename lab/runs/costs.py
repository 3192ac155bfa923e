"""What a backend costs while it serves what the run asks of it: from counted use and the scenario's price list."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lab.errors import Unsupported
from lab.runs.aggregates import Aggregates
from lab.runs.fleets import METRIC as REPLICA_SECONDS
from lab.runs.invocations import GB_SECONDS
from lab.runs.metrics import ALL, COLUMNS
from lab.runs.window import Window, by_replication, request_rows, rows_of
from lab.units import parse_bytes

PER_HOUR, PER_MILLION_ANSWERS = "cost_per_hour", "cost_per_million_answers"
_HOUR_S, _MILLION, _GIB = 3600.0, 1e6, 2.0**30


def cost_frame(
    *,
    requests: pd.DataFrame,
    visits: pd.DataFrame | Aggregates,
    used: pd.DataFrame,
    scenario: Mapping[str, Any],
    window: Window,
) -> pd.DataFrame:
    """Return the costs of every replication, at the rate at which they arose in the window.

    cost_per_hour, of each component that has a price and of all together; cost_per_million_answers, of all, per
    million requests of the window that were answered ok. Requests, and the work that they made, count where they
    were meant to start within the window; replicas for as long as they were there in it.

    Args:
        requests: the requests table.
        visits: the visits table, or the aggregates that were kept instead.
        used: the frames of replica seconds and GB-seconds.
        scenario: the scenario document; without ``prices`` nothing costs anything.
        window: the stretch that counts.

    Returns:
        Columns replication, metric, subject, value, unit; the unit has the currency.
    """
    prices = scenario.get("prices")
    rows: list[tuple[int, str, str, float, str]] = []
    if prices is None:
        return pd.DataFrame(rows, columns=list(COLUMNS))
    hours, currency = window.length_s / _HOUR_S, prices["currency"]
    for replication, own in by_replication(requests):
        cohort = own[window.holds(np.asarray(own["intended_start_s"]))]
        own_use = _Use(
            hours=hours,
            reached=_reached(own, visits, replication, window),
            metered=_metered(used[used["replication"] == replication]),
            sent_bytes=_sent_bytes(cohort, scenario),
        )
        costs = {name: own_use.cost(name, price) for name, price in prices["of"].items()}
        total = math.fsum(costs.values())
        rows += [(replication, PER_HOUR, name, cost / hours, f"{currency}/h") for name, cost in costs.items()]
        rows.append((replication, PER_HOUR, ALL, total / hours, f"{currency}/h"))
        answered = int((cohort["outcome"] == "ok").sum())
        if answered:
            per_million = total / answered * _MILLION
            rows.append((replication, PER_MILLION_ANSWERS, ALL, per_million, f"{currency}/1e6"))
    return pd.DataFrame(rows, columns=list(COLUMNS))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Use:
    """What one replication used: hours, visits by component, metered amounts by metric and component, bytes sent."""

    hours: float
    reached: Mapping[str, float]
    metered: Mapping[tuple[str, str], float]
    sent_bytes: float

    def cost(self, name: str, price: Mapping[str, float | None]) -> float:
        """Return what a component cost: all its prices added up."""
        return math.fsum(amount * self._quantity(name, key) for key, amount in price.items() if amount is not None)

    def _quantity(self, name: str, key: str) -> float:
        match key:
            case "per_hour":
                return self.hours
            case "per_replica_hour":
                return self.metered[REPLICA_SECONDS, name] / _HOUR_S
            case "per_gb_second":
                return self.metered[GB_SECONDS, name]
            case "per_million_requests":
                return self.reached.get(name, 0.0) / _MILLION  # a component that nobody reached has no rows
            case "per_gib":
                return self.sent_bytes / _GIB
            case _:
                raise Unsupported(f"prices.of.{name}.{key}: this version of the lab does not know such a price")


def _metered(used: pd.DataFrame) -> Mapping[tuple[str, str], float]:
    columns = zip(used["metric"].astype(str), used["subject"].astype(str), used["value"], strict=True)
    return {(metric, subject): float(value) for metric, subject, value in columns}


def _reached(
    requests: pd.DataFrame, visits: pd.DataFrame | Aggregates, replication: int, window: Window
) -> Mapping[str, float]:
    if isinstance(visits, Aggregates):
        return {name: visits.visits(replication, name, window) for name in visits.components}
    own = rows_of(visits, replication)
    counts = window.holds(np.asarray(requests["intended_start_s"]))[request_rows(requests, own)]
    return {str(name): float(count) for name, count in own["component"][counts].value_counts().items()}


def _sent_bytes(requests: pd.DataFrame, scenario: Mapping[str, Any]) -> float:
    """Bytes of ok answers, by the sizes that the service behind the entry gives."""
    component = scenario["components"][scenario["entry"]]
    while "targets" in component:
        component = scenario["components"][component["targets"]]
    counts = requests["endpoint"][np.asarray(requests["outcome"] == "ok")].value_counts()
    sizes = component.get("payloads", {})
    return sum(
        count * parse_bytes(sizes[endpoint]["response"])
        for endpoint, count in counts.items()
        if sizes.get(endpoint, {}).get("response") is not None
    )
