"""A Run as the estimators see it: the visits of its window, with the demands that are known beforehand."""

from __future__ import annotations

import re
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.calibration.steps import Demands
from lab.errors import NotEnoughData
from lab.runs.run import Run
from lab.scenario.scenario import Scenario

ATTEMPT = ["replication", "request", "attempt"]  # what a visit worked for
FRAMEWORK = ("overhead", "busy_overhead", "rejection")  # what a simulated event loop computes beside the steps


class Observed:
    """A Run with its scenario, and which parameters are to be found.

    Attributes:
        run: what was observed.
        scenario: what was run, as a scenario.
        unknown: the key paths to calibrate, whose demands are therefore not taken as known.
    """

    def __init__(self, *, run: Run, scenario: Scenario, unknown: frozenset[str]) -> None:
        self.run = run
        self.scenario = scenario
        self.unknown = unknown

    @cached_property
    def requests(self) -> pd.DataFrame:
        """The requests that were meant to start in the window."""
        requests = self.run.requests
        return requests[self.run.window.holds(np.asarray(requests["intended_start_s"]))]

    @cached_property
    def visits(self) -> pd.DataFrame:
        """Their visits, with the endpoint that the client had asked for; what was done behind queues too."""
        keys = self.requests[["replication", "request", "endpoint"]]
        return self.run.visits.merge(keys, on=["replication", "request"], how="inner")

    def of(self, component: str, operation: str | None = None, *, part: str = "") -> pd.DataFrame:
        """Return the visits to a component (and its replicas and shards), perhaps of one operation alone.

        Args:
            component: its name.
            operation: one of its operations.
            part: what follows the name in the rows of one of its parts, such as ``.server``.
        """
        names = self.visits["component"].cat.categories
        same = re.compile(re.escape(component) + r"(\.(replica|shard)_\d+)*" + re.escape(part) + "$")
        wanted = self.visits["component"].isin([name for name in names if same.match(name)])
        if operation is not None:
            wanted &= self.visits["operation"] == operation
        return self.visits[wanted]

    @cached_property
    def demands(self) -> Demands:
        """What requests were sent.

        Raises:
            NotEnoughData: the Run has no seed.
        """
        if self.run.seed is None:
            raise NotEnoughData(
                "the Run has no seed, so the times that its requests were sent are not known; calibrate every step of "
                "the endpoint together, as one time"
            )
        return Demands(scenario=self.scenario, seed=self.run.seed, world=self.run.world)

    def known_s(self, visits: pd.DataFrame, component: str, operation: str) -> NDArray[np.float64]:
        """Return the demand of each of these visits to a query; NaN where it cannot be told which draw it was.

        Visits of one attempt are taken to have come in the order in which its steps are written; where it did not do
        all of them nobody can tell which were left out.
        """
        found = np.full(len(visits), np.nan)
        places = visits.reset_index(drop=True).sort_values([*ATTEMPT, "arrival_s"])
        for _, own in places.groupby(ATTEMPT, sort=False):
            replication, request, attempt = (int(own[key].iloc[0]) for key in ATTEMPT)
            slots = self.demands.of(str(own["endpoint"].iloc[0]), component, operation)
            if len(slots) != len(own):
                continue
            for place, slot in zip(own.index, slots, strict=True):
                found[place] = self.demands.time_s(slot, replication=replication, request=request, attempt=attempt)
        return found

    @cached_property
    def missed(self) -> pd.Series[bool]:
        """By attempt: whether every look-up that it made in a cache missed."""
        gets = self.visits[self.visits["operation"] == "get"].dropna(subset=["hit"])
        return ~gets.groupby(ATTEMPT)["hit"].any().astype(bool)

    def own_s(self, visits: pd.DataFrame, service: str) -> NDArray[np.float64]:
        """Return a service's own time in each of these visits, its CPU steps included.

        A replica counts them as its own time; the simulator has rows of its event loop for them.
        """
        own = np.asarray(visits["service_time_s"], dtype=np.float64)
        loop = self.of(f"{service}.event_loop")
        loop = loop[~loop["operation"].isin(("turn", *FRAMEWORK))]
        if loop.empty:
            return own
        computed = loop.groupby(ATTEMPT)["service_time_s"].sum()
        keys = pd.MultiIndex.from_frame(visits[ATTEMPT])
        return own + np.asarray(computed.reindex(keys, fill_value=0.0), dtype=np.float64)
