"""The client's round trip: what is left of a sojourn time when all that is modelled behind it is taken away."""

from __future__ import annotations

import pandas as pd

from lab.calibration.alone import PAIR, undisturbed
from lab.calibration.gaps import gaps
from lab.calibration.observed import Observed
from lab.calibration.parts import Found
from lab.calibration.sample import Sample, sample_of
from lab.distributions import mean_s
from lab.errors import UsageError
from lab.scenario.cdn import Cdn
from lab.scenario.fronts import leads_to
from lab.scenario.load_balancer import LoadBalancer
from lab.scenario.service import Service

PATH = "client.round_trip"


def round_trips(observed: Observed, found: Found, held_s: pd.Series[float]) -> Sample:
    """Return the round trip of each request that one attempt settled and neither a balancer's queue nor others held up.

    It is the sojourn time less forwarding (mean), waiting, framework (mean), own time and the span of every callee. So
    it holds what no other parameter has; HAProxy's milliseconds tell only the sum of it and ``forward_time``. Where the
    client gave up first, it is longer than what was left of its patience.

    Args:
        observed: what was observed.
        found: the values found before.
        held_s: how long the event loop was busy with others before it took a request up, in the simulator, by request.

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
    served = gaps(observed, way[-1])
    rows = observed.requests[observed.requests["attempts"] == 1].merge(served, on=PAIR, how="inner")
    for front in way[:-1]:
        held = observed.of(front).groupby(PAIR)["waiting_time_s"].max().rename("held_s").reset_index()
        rows = rows.merge(held, on=PAIR, how="inner")
        rows = rows[~(rows.pop("held_s") > 0)]
    rows = undisturbed(observed.requests, rows)
    modelled = rows["departure_s"] - rows["arrival_s"] - rows["idle_s"] + _fixed_s(observed, way, found)
    answered, gave_up = rows["outcome"] == "ok", rows["outcome"] == "timeout"
    spent = rows["sojourn_time_s"] - modelled - rows["request"].map(held_s).fillna(0.0)
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
            case Cdn(hit_time=time, forward_time=further):  # who came to the service was passed on
                total += _mean(found, f"components.{name}.hit_time", mean_s(time)) + mean_s(further)
            case Service(overhead=time):
                total += _mean(found, f"components.{name}.overhead", mean_s(time))
            case _:
                pass
    return total


def _mean(found: Found, path: str, otherwise_s: float) -> float:
    return found[path].mean if path in found else otherwise_s
