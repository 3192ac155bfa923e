"""What a tier of a cdn promises: it serves what it fetched, not for longer than it may, and fetches it once."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from lab.distributions import Constant
from lab.scenario.components import Cdn, Service
from lab.scenario.fronts import leads_to
from lab.scenario.scenario import Scenario
from lab.scenario.service import every_step
from lab.scenario.steps import CallStep

_ROUNDING_S = 1e-9
_PLACE = ["replication", "replica", "key", "endpoint"]


def broken_cdn_laws(scenario: Scenario, requests: pd.DataFrame, visits: pd.DataFrame) -> Iterator[str]:
    """Yield a sentence with numbers for each tier that breaks its promises.

    - What a place serves it had fetched before, no longer ago than max_age and stale_while_revalidate together.
    - With request collapsing a place fetches one answer but once at a time; left out: who waited before, and a
      ``hit_time`` that varies, for then the rows do not say when a fetch began.

    A tier that services ask is left out: one request may come to it several times.
    """
    for name, cdn in scenario.components.items():
        if isinstance(cdn, Cdn) and name in _of_clients_alone(scenario):
            rows = _with_objects(visits[visits["component"] == name], requests)
            yield from _serves_what_it_fetched(name, cdn, rows)
            if cdn.request_collapsing and isinstance(cdn.hit_time, Constant):
                yield from _fetches_once(name, cdn, cdn.hit_time.mean, rows)


def answered_after_error(scenario: Scenario, visits: pd.DataFrame) -> pd.DataFrame:
    """Return replication and request of those that a cdn answered from what it had when its fetch failed."""
    cdns = [name for name, part in scenario.components.items() if isinstance(part, Cdn)]
    rows = visits[visits["component"].isin(cdns) & visits["stale"].notna()]
    return rows[~rows["hit"].fillna(True).astype(bool)][["replication", "request"]].drop_duplicates()


def _of_clients_alone(scenario: Scenario) -> set[str]:
    """The parts on the way of clients that nobody else asks: each attempt comes there once at most."""
    services = [part for part in scenario.components.values() if isinstance(part, Service)]
    calls = [step.target for part in services for step in every_step(part) if isinstance(step, CallStep)]
    others = {name for target in calls for name in leads_to(scenario, target)}
    return set(leads_to(scenario, scenario.entry)) - others


def _with_objects(visits: pd.DataFrame, requests: pd.DataFrame) -> pd.DataFrame:
    """The rows with the key that they are about, and the endpoint that those of a wait or a refresh belong to."""
    rows = visits.merge(requests[["replication", "request", "key"]], on=["replication", "request"], how="left")
    operation = rows["operation"].astype(str)
    address = ["replication", "request", "attempt", "replica"]
    asked = rows[~operation.isin(["collapsed", "refresh"])]
    endpoints = asked.drop_duplicates(address).set_index(address)["operation"].astype(str)
    endpoint = endpoints.reindex(pd.MultiIndex.from_frame(rows[address])).to_numpy()
    return rows.assign(operation=operation, endpoint=endpoint)


def _serves_what_it_fetched(name: str, cdn: Cdn, rows: pd.DataFrame) -> Iterator[str]:
    left = rows[rows["departure_s"].notna()]
    hit = left["hit"].fillna(False).astype(bool)
    hits = left[hit]
    fetched = left[~hit & (left["outcome"] == "ok") & (left["operation"] != "collapsed")]
    found = pd.merge_asof(
        hits.sort_values("departure_s")[[*_PLACE, "departure_s"]],
        fetched.assign(fetched_s=fetched["departure_s"]).sort_values("departure_s")[
            [*_PLACE, "departure_s", "fetched_s"]
        ],
        on="departure_s",
        by=_PLACE,
    )
    if found["fetched_s"].isna().any():
        yield f"cdn: {name} served {int(found['fetched_s'].isna().sum())} answers that nobody had fetched"
    most_s = found["endpoint"].astype(str).map(cdn.max_age).astype(float) + cdn.stale_while_revalidate
    age_s = found["departure_s"] - found["fetched_s"]
    if (age_s > most_s + _ROUNDING_S).any():
        yield f"cdn: {name} served an answer {age_s.max():.6f} s after it was fetched, longer than it may"


def _fetches_once(name: str, cdn: Cdn, hit_time_s: float, rows: pd.DataFrame) -> Iterator[str]:
    address = ["replication", "request", "attempt"]
    waited = rows[rows["operation"] == "collapsed"][address].drop_duplicates()
    missed = rows["hit"].notna() & ~rows["hit"].fillna(True).astype(bool)
    asked = rows[rows["operation"].isin(list(cdn.max_age)) & missed]
    asked = asked.merge(waited, on=address, how="left", indicator="waited")
    fetches = asked[asked["waited"] == "left_only"]
    began = (fetches["arrival_s"] + hit_time_s).rename("began_s")
    for place, own in fetches.assign(began_s=began).sort_values("began_s").groupby(_PLACE):
        ended_s = own["departure_s"].fillna(float("inf")).cummax().shift()
        twice = int((own["began_s"] < ended_s - _ROUNDING_S).sum())
        if twice:
            yield f"cdn: {name}/{place[1]} fetched key {place[2]} {twice} times while it was being fetched"
