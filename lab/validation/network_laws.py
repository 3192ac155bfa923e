"""Laws of the clients' network: nothing crosses it faster than its bandwidth and its round trip allow."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import assert_never

import numpy as np
import pandas as pd

from lab.distributions import Constant, Distribution, Empirical, Exponential, Hyperexponential, Lognormal, Uniform
from lab.scenario.fronts import service_behind
from lab.scenario.identity import client_of
from lab.scenario.names import CLIENT
from lab.scenario.network import in_figures
from lab.scenario.scenario import Scenario
from lab.scenario.workload import ClosedWorkload, SessionsWorkload

_ROUNDING_S = 1e-9
_KEY = ["replication", "request", "attempt"]


def broken_network_laws(
    scenario: Scenario, requests: pd.DataFrame, visits: pd.DataFrame, samples: pd.DataFrame
) -> Iterator[str]:
    """Yield a sentence with numbers for each law that the transfers of a predicted Run break.

    The laws: no more connections are open than the entry keeps; one is opened before an attempt is sent on it; an
    attempt is sent once and its answer comes at most once, after it was sent; each takes at least half of the shortest
    round trip, and its bytes at the bandwidth.
    """
    if scenario.client.network is None:
        return
    limit = scenario.client.connections.limit if scenario.client.connections else None
    ours = (samples["component"].astype(str) == scenario.entry) & (samples["gauge"].astype(str) == "connections_open")
    opened = samples.loc[ours, "value"]
    if limit is not None and not opened.between(0, limit).all():
        yield f"connections: {opened.min():g} to {opened.max():g} open, but the entry keeps at most {limit}"
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
    yield from _connections(scenario, rows, ways["send"])


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
        sizes = {name: (each.request or 0.0) if way == "send" else each.answer_bytes for name, each in payloads.items()}
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


def _connections(scenario: Scenario, rows: pd.DataFrame, sent: pd.DataFrame) -> Iterator[str]:
    """An attempt opens at most one connection, before it is sent; whoever keeps connections opens the first one."""
    connections = scenario.client.connections
    opened = rows[rows["operation"].astype(str) == "connect"]
    if connections is None:
        if len(opened):
            yield f"connections: {len(opened)} were opened, but each request finds one open"
        return
    again = int(opened.duplicated(_KEY).sum())
    if again:
        yield f"connections: {again} attempts opened more than one"
    both = opened.drop_duplicates(_KEY).merge(sent, on=_KEY, suffixes=("", "_sent"))
    early = int((~(both["departure_s"] <= both["arrival_s_sent"] + _ROUNDING_S)).sum())
    if early:
        yield f"connections: {early} requests were sent before their connection was open"
    if isinstance(scenario.workload, ClosedWorkload | SessionsWorkload):
        whose = [client_of(scenario.workload, int(number)) for number in sent["request"]]
        first = sent.assign(client=whose).sort_values(["arrival_s", "attempt"])
        first = first.drop_duplicates(["replication", "client"])
        openers = opened.set_index(["replication", "request", "attempt"]).index
        without = int((~first.set_index(_KEY).index.isin(openers)).sum())
        if without:
            yield f"connections: {without} clients sent their first request without opening a connection"


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
