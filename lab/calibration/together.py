"""Several Runs of the same requests as one, each replication under a number of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from lab.errors import UsageError
from lab.runs.run import Run
from lab.runs.tables import TABLES, Tables


def together(runs: Sequence[Run]) -> Run:
    """Return one Run of all replications of several; its seed and provenance are the first one's.

    Raises:
        UsageError: they were not sent the same requests with the same demands, or of different worlds.
    """
    first = runs[0]
    if len(runs) == 1:
        return first
    for number, run in enumerate(runs[1:], start=2):
        same = (run.world, run.seed) == (first.world, first.seed)
        if not same or first.world != "measured" or run.schedule_fingerprint() != first.schedule_fingerprint():
            raise UsageError(
                f"Run {number} ({run!r}) was not sent what Run 1 ({first!r}) was: several Runs count as repeats of one "
                "measurement, so they need the same scenario and seed; calibrate each by itself"
            )
    frames: dict[str, list[pd.DataFrame]] = {table.name: [] for table in TABLES}
    begin = 0
    for run in runs:
        for name, frame in run.tables.as_dict().items():
            frames[name].append(frame.assign(replication=frame["replication"] + begin))
        begin += max(run.replications) + 1
    stacked = {table.name: table.stack(frames[table.name]) for table in TABLES}
    return replace(first, tables=Tables.of_checked(**stacked))
