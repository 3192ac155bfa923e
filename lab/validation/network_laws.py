"""Laws of the clients' network: nothing crosses it faster than its bandwidth and its round trip allow."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import assert_never

import numpy as np
import pandas as pd

from lab.distributions import Constant, Distribution, Empirical, Exponential, Hyperexponential, Lognormal, Uniform
from lab.scenario.fronts import service_behind
from lab.scenario.names import CLIENT
from lab.scenario.network import in_figures
from lab.scenario.scenario import Scenario

_ROUNDING_S = 1e-9
_KEY = ["replication", "request", "attempt"]


def broken_network_laws(scenario: Scenario, requests: pd.DataFrame, visits: pd.DataFrame) -> Iterator[str]:
    """Yield a sentence with numbers for each law that the transfers of a predicted Run break.

    The laws: an attempt is sent once and its answer comes at most once, after it was sent; each takes at least half of
    the shortest round trip, and its bytes at the bandwidth.
    """
    if scenario.client.network is None:
        return
    rows = visits[visits["component"].astype(str) == CLIENT]
    ways = {way: rows[rows["operation"].astype(str) == way] for way in ("send", "receive")}
    for way, own in ways.items():
        again = int(own.duplicated(_KEY).sum())
        if again:
            yield f"transfers: {again} attempts crossed the network ({way}) more than once"
    sent, received = (own.drop_duplicates(_KEY).set_index(_KEY) for own in ways.values())
    early = received["arrival_s"] < sent["departure_s"].reindex(received.index) - _ROUNDING_S
    unsent = int((~received.index.isin(sent.index)).sum()) + int(early.sum())
    if unsent:
        yield f"transfers: {unsent} answers came to what was not sent yet"
    yield from _too_fast(scenario, requests, ways)


def _too_fast(scenario: Scenario, requests: pd.DataFrame, ways: dict[str, pd.DataFrame]) -> Iterator[str]:
    assert scenario.client.network is not None  # who asks has looked
    figures = in_figures(scenario.client.network)
    half_trip_s = _shortest_s(figures.round_trip) / 2
    payloads = service_behind(scenario, scenario.entry).payloads
    answered = requests[(requests["outcome"] == "ok") & (requests["attempts"] == 1)]
    asked = answered.set_index(["replication", "request"])["endpoint"].astype(str)
    for way, own in ways.items():
        ended = own[own["departure_s"].notna()].set_index(["replication", "request"])
        endpoint = asked.reindex(ended.index)
        per_s = (figures.up if way == "send" else figures.down) or math.inf
        sizes = {name: (each.request if way == "send" else each.response) or 0.0 for name, each in payloads.items()}
        least_s = half_trip_s + endpoint.map(sizes).fillna(0.0).astype(float) * 8 / per_s
        fast = np.asarray(ended["service_time_s"] < least_s - _ROUNDING_S)
        if fast.any():
            worst = int(np.argmax(fast))
            replication, request = ended.index[worst]
            took_s, least = ended["service_time_s"].iloc[worst], least_s.iloc[worst]
            yield (
                f"transfers: request {request} of replication {replication} crossed the network ({way}) in "
                f"{took_s:.9f} s, but its bytes and half a round trip take {least:.9f} s"
            )


def _shortest_s(times: Distribution) -> float:
    match times:
        case Constant(mean=mean):
            return mean
        case Uniform(low=low):
            return low
        case Empirical(values=values):
            return min(values)
        case Exponential() | Lognormal() | Hyperexponential():
            return 0.0
        case _:
            assert_never(times)
