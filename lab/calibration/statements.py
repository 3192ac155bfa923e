"""Times of a database: the round trip of a statement, and what it takes at the server."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from lab.calibration.alone import undisturbed
from lab.calibration.fit import constant, fit
from lab.calibration.observed import Observed
from lab.calibration.sample import sample_of
from lab.distributions import mean_s
from lab.errors import NotEnoughData
from lab.scenario.calibration import CalibratedValue
from lab.scenario.database import Database, QuerySpec

_QUICKEST = 0.05  # of the quickest statements, this share is taken to have been all way and no work


def query_time(
    observed: Observed, path: str, part: Database, query: str, trip: CalibratedValue | None
) -> CalibratedValue:
    """Return what a statement takes at the server: what it took, less the mean round trip.

    Where nobody sees the server itself, the statements count of requests that had the way to themselves: on a shared
    core others would make them longer.

    Args:
        observed: what was observed.
        path: key path of its time.
        part: the database.
        query: one of its queries.
        trip: the round trip if that is calibrated too, else the scenario's counts.
    """
    name = path.split(".")[1]
    executed = _at_server(observed, name, query)["service_time_s"]
    if executed.notna().any():
        return fit(path, sample_of(path, executed, how=f"executions of {query}"))
    trip_s = mean_s(part.round_trip) if trip is None else trip.mean
    taken = undisturbed(observed.requests, _taken(observed, name, query))
    how = f"statements {query} less the round trip of {trip_s * 1e6:.0f} us"
    return fit(path, sample_of(path, taken["taken_s"] - trip_s, how=how))


def round_trip(observed: Observed, path: str, part: Database) -> CalibratedValue:
    """Return what statements take beyond the demands that they were sent.

    Where all of them do real work, nobody knows how much of it was the way: by convention the time that the quickest
    one in twenty of the quickest query took. Only the sum with a query's time was observed.

    Raises:
        NotEnoughData: no statement was answered.
    """
    name = path.split(".")[1]
    if any(_at_server(observed, name, query)["service_time_s"].notna().any() for query in part.queries):
        return fit(path, sample_of(path, observed.of(name)["service_time_s"], how=f"stays at {name} less executions"))
    known = [query for query in part.queries if not _is_real(observed, name, query, part.queries[query])]
    beyond = []
    for query in known:
        taken = _taken(observed, name, query)
        beyond.append(np.asarray(taken["taken_s"]) - observed.known_s(taken, name, query))
    beyond = [each[np.isfinite(each)] for each in beyond]
    if sum(map(len, beyond)):
        return fit(path, sample_of(path, np.concatenate(beyond), how=f"statements of {name} less their known times"))
    return _by_convention(observed, path, name, part)


def _by_convention(observed: Observed, path: str, name: str, part: Database) -> CalibratedValue:
    times = {query: np.asarray(_taken(observed, name, query)["taken_s"]) for query in part.queries}
    times = {query: taken[np.isfinite(taken)] for query, taken in times.items() if np.isfinite(taken).any()}
    if not times:
        raise NotEnoughData(f"{path}: the run has no answered statement of {name}; calibrate with one that asks it")
    query = min(times, key=lambda each: float(np.median(times[each])))
    sample = sample_of(path, times[query], how=f"statements {query}")
    trip_s = float(np.quantile(sample.values_s, _QUICKEST))
    fitted = fit(path, replace(sample, values_s=np.full(len(sample.values_s), trip_s)))
    return fitted.model_copy(
        update={
            "value": constant(trip_s),
            "method": f"the quickest one in twenty of {query}, by convention: no statement of known time was sent, so "
            "only the sum of round trip and query was observed",
        }
    )


def _is_real(observed: Observed, name: str, query: str, spec: QuerySpec) -> bool:
    """Whether what a statement takes is not known beforehand."""
    wanted = f"components.{name}.queries.{query}.time" in observed.unknown
    return wanted or getattr(spec, "measured_as", None) is not None


def _at_server(observed: Observed, name: str, query: str) -> pd.DataFrame:
    return observed.of(name, query, part=".server")


def _taken(observed: Observed, name: str, query: str) -> pd.DataFrame:
    """Return the answered statements of a query with what each took, way included: those of transactions too."""
    visits = observed.of(name, query)
    if visits.empty:  # within a transaction it is the connection that stands in the database's own rows
        visits = _at_server(observed, name, query)
        visits = visits.assign(taken_s=visits["departure_s"] - visits["arrival_s"])
    else:
        visits = visits.assign(taken_s=visits["service_time_s"])
    return visits[visits["outcome"] == "ok"]
