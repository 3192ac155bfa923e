"""The client's round trip: what is left of a sojourn time when all that is modelled behind it is taken away."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.calibration.observed import Observed
from lab.calibration.parts import Found
from lab.calibration.sample import Sample, sample_of
from lab.distributions import mean_s
from lab.errors import UsageError
from lab.scenario.fronts import leads_to
from lab.scenario.load_balancer import LoadBalancer
from lab.scenario.service import Service

PATH = "client.round_trip"
_PAIR = ["replication", "request"]


def round_trips(observed: Observed, found: Found) -> Sample:
    """Return the round trip of each request that one attempt settled and no queue of a balancer held up.

    It is the sojourn time less forwarding (mean), waiting, framework (mean), own time and the span of every callee. So
    it holds what no other parameter has; HAProxy's milliseconds tell only the sum of it and ``forward_time``. Where the
    client gave up first, it is longer than what was left of its patience.

    Raises:
        UsageError: the clients' network is described, which takes the place of a round trip.
        NotEnoughData: too few requests.
    """
    if observed.scenario.client.network is not None:
        raise UsageError(f"{PATH}: client.network describes the way, so there is no round trip; leave it out")
    seen = observed.of("client", "round_trip")
    if len(seen):
        return sample_of(PATH, seen["service_time_s"], how="round trips")
    way = leads_to(observed.scenario, observed.scenario.entry)
    served = _only_visits(observed, way[-1])
    rows = observed.requests[observed.requests["attempts"] == 1].merge(served, on=_PAIR, how="inner")
    for front in way[:-1]:
        held = observed.of(front).groupby(_PAIR)["waiting_time_s"].max().rename("held_s").reset_index()
        rows = rows.merge(held, on=_PAIR, how="inner")
        rows = rows[~(rows.pop("held_s") > 0)]
    modelled = rows["departure_s"] - rows["arrival_s"] - rows["idle_s"] + _fixed_s(observed, way, found)
    answered, gave_up = rows["outcome"] == "ok", rows["outcome"] == "timeout"
    spent = rows["sojourn_time_s"] - modelled
    return sample_of(
        PATH,
        spent[answered],
        above_s=spent[gave_up & (spent > 0)],
        how="the rest of the sojourn time after forwarding, waiting, framework, steps and callees",
    )


def _fixed_s(observed: Observed, way: tuple[str, ...], found: Found) -> float:
    """The mean times that the simulator adds on the way and spans do not show: forwarding, and the framework's CPU."""
    total = 0.0
    for name in way:
        match observed.scenario.components[name]:
            case LoadBalancer(forward_time=time):
                total += _mean(found, f"components.{name}.forward_time", mean_s(time))
            case Service(overhead=time):
                total += _mean(found, f"components.{name}.overhead", mean_s(time))
            case _:
                pass
    return total


def _mean(found: Found, path: str, otherwise_s: float) -> float:
    return found[path].mean if path in found else otherwise_s


def _only_visits(observed: Observed, service: str) -> pd.DataFrame:
    """Return the visits to the service behind the entry, one a request, with the time that no span accounts for."""
    visits = observed.of(service)
    visits = visits[(visits["attempt"] == 0) & visits["departure_s"].notna() & visits["service_time_s"].notna()]
    visits = visits.drop_duplicates(_PAIR, keep=False)
    frame = visits[[*_PAIR, "arrival_s", "departure_s", "waiting_time_s"]].copy()
    covered = _covered_s(observed, frame, service)
    spanned = frame["departure_s"] - frame["arrival_s"]
    frame["idle_s"] = spanned - frame["waiting_time_s"] - observed.own_s(visits, service) - covered
    return frame[[*_PAIR, "arrival_s", "departure_s", "idle_s"]]


def _covered_s(observed: Observed, served: pd.DataFrame, service: str) -> NDArray[np.float64]:
    """Return for each visit the length of the union of the spans of those that it called."""
    others = observed.visits
    others = others[(others["component"] != service) & (others["attempt"] == 0) & ~others["background"]]
    bounds = served[[*_PAIR, "arrival_s", "departure_s"]].rename(
        columns={"arrival_s": "begin_s", "departure_s": "end_s"}
    )
    bounds["place"] = np.arange(len(bounds))
    inside = others.merge(bounds, on=_PAIR, how="inner")
    inside = inside[(inside["arrival_s"] >= inside["begin_s"]) & (inside["departure_s"] <= inside["end_s"])]
    inside = inside.sort_values(["place", "arrival_s"])
    covered = np.zeros(len(served))
    place, until_s = -1, 0.0
    for here, arrival_s, departure_s in zip(inside["place"], inside["arrival_s"], inside["departure_s"], strict=True):
        if here != place:
            place, until_s = here, arrival_s
        covered[here] += max(0.0, departure_s - max(arrival_s, until_s))
        until_s = max(until_s, departure_s)
    return covered
