"""Who got how much of the work, and when a load balancer noticed that one is gone."""

from __future__ import annotations

import math

import numpy as np

from lab.errors import NotEnoughData
from lab.runs.run import Run
from lab.runs.window import by_replication


def share_per_replica(run: Run) -> list[list[float]]:
    """Return the share of the visits to each service that each of its replicas had, service by service.

    Replicas have a place each by their numbers, 0 for one that was not there in one repeat but was in another.

    Raises:
        NotEnoughData: nothing in the Run was served by one of several replicas.
    """
    parts = run.scenario["components"].items()
    services = [name for name, part in parts if part["kind"] == "service"]
    visits = run.visits[run.visits["component"].isin(services) & (run.visits["replica"] >= 0)]
    visits = visits[run.window.holds(np.asarray(visits["arrival_s"]))]
    most = visits.groupby("component", observed=True)["replica"].max().to_dict()
    if not any(most.values()):
        raise NotEnoughData("no service has more than one replica, so there are no shares to compare")
    rows = []
    for _, own in by_replication(visits):
        counts = [
            np.bincount(own[own["component"] == name]["replica"], minlength=last + 1) for name, last in most.items()
        ]
        rows.append([float(share) for each in counts for share in each / max(1, each.sum())])
    return rows


def detection_time_s(run: Run) -> list[list[float]]:
    """Return the time from the first crash or hang of replicas to the first server that was taken down after it.

    NaN where none was taken down: it was over before enough checks had failed.

    Raises:
        NotEnoughData: no replicas crashed or hung.
    """
    rows = []
    for number in run.replications:
        own = run.events[run.events["replication"] == number]
        struck_s = own[own["kind"].isin(["crash", "hang"])]["time_s"]
        if struck_s.empty:
            raise NotEnoughData("nothing crashed or hung, so there was nothing to detect")
        down_s = own[(own["kind"] == "server_down") & (own["time_s"] >= struck_s.min())]["time_s"]
        rows.append([float(down_s.min() - struck_s.min()) if len(down_s) else math.nan])
    return rows
