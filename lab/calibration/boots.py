"""How long processes boot: from the event that one was started to the event that it is ready."""

from __future__ import annotations

import re

import numpy as np

from lab.calibration.observed import Observed
from lab.calibration.sample import Sample
from lab.errors import NotEnoughData

FEWEST_BOOTS = 3  # each takes seconds, so a run has few
STARTING, READY = "starting", "ready"
_REPLICA = re.compile(r"replica\D*(\d+)")


def boot_times(observed: Observed, path: str, service: str) -> Sample:
    """Return the times from ``starting`` to ``ready`` of a service's processes; those not ready by the end are longer.

    Raises:
        NotEnoughData: fewer than three were started and became ready.
    """
    events = observed.run.events
    own = events[(events["component"] == service) & events["kind"].isin((STARTING, READY))]
    started: dict[tuple[int, str], float] = {}
    took = []
    for replication, time_s, kind, detail in zip(
        own["replication"], own["time_s"], own["kind"], own["detail"], strict=True
    ):
        named = _REPLICA.search(str(detail))
        process = (int(replication), named[1] if named else str(detail))
        if kind == STARTING:
            started[process] = float(time_s)
        elif process in started:
            took.append(float(time_s) - started.pop(process))
    if len(took) < FEWEST_BOOTS:
        raise NotEnoughData(
            f"{path}: {len(took)} processes of {service} were started and became ready in the run, and a boot time "
            f"needs {FEWEST_BOOTS}; calibrate with a run in which it scales up"
        )
    still = [observed.run.window.end_s - since_s for since_s in started.values()]
    return Sample(values_s=np.array(took), above_s=np.array(still), how=f"boots of {service}")
