"""Which servers a load balancer took for dead without a fault that was asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

_CLOCKS_S = 0.1  # between HAProxy's own time of an event and when it was asked for its state


def unplanned_downs(samples: pd.DataFrame, events: pd.DataFrame, parts: Mapping[str, Any]) -> list[str]:
    """Return the servers that were held for down in one repeat, but for those that a fault had struck before.

    A server is excused from the fault on that struck its replica until it has come up again.

    Args:
        samples: of the repeat, with the gauge ``up`` of each server.
        events: of the repeat.
        parts: the deployment's parts.

    Returns:
        Their names, such as ``edge/0``, without repetition.
    """
    excuses = {
        name: _excuses(events, balancer=name, service=part["targets"])
        for name, part in parts.items()
        if part["kind"] == "load_balancer"
    }
    down = samples[(samples["gauge"] == "up") & (samples["value"] == 0) & (samples["replica"] >= 0)]
    named = set()
    for row in down.to_dict("records"):
        stretches = excuses.get(row["component"], {}).get(row["replica"], [])
        if not any(begin_s <= row["time_s"] <= end_s for begin_s, end_s in stretches):
            named.add(f"{row['component']}/{row['replica']}")
    return sorted(named)


def _excuses(events: pd.DataFrame, *, balancer: str, service: str) -> dict[int, list[tuple[float, float]]]:
    """Return the stretches in which each server of a load balancer may be down."""
    slots: dict[int, int] = {}  # of replicas that took another's place
    open_since: dict[int, float] = {}
    stretches: dict[int, list[tuple[float, float]]] = {}
    for event in events.sort_values("time_s", kind="stable").to_dict("records"):
        happened, time_s = (event["component"], event["kind"]), event["time_s"]
        if happened in ((service, "crash"), (service, "hang")):
            for number in json.loads(event["detail"])["replicas"]:
                open_since.setdefault(slots.get(number, number), time_s)
        elif happened == (balancer, "server_replaced"):
            detail = json.loads(event["detail"])
            slots[detail["replica"]] = detail["server"]
        elif happened == (balancer, "server_up"):
            slot = json.loads(event["detail"])["server"]
            if slot in open_since:
                stretches.setdefault(slot, []).append((open_since.pop(slot), time_s + _CLOCKS_S))
    for slot, since_s in open_since.items():
        stretches.setdefault(slot, []).append((since_s, float("inf")))
    return stretches
