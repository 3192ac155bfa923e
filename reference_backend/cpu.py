"""How much CPU time processes have used, read with so little work that a running test does not notice."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def used_s(pids: Iterable[int]) -> float:
    """Return the CPU seconds that these processes, and the children they have waited for, have used."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended; the parent, when it is among the pids, has inherited its time
        total += sum(map(int, fields[11:15]))
    return total / _TICKS_PER_S


def family(pid: int) -> tuple[int, ...]:
    """Return a process and its direct children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return (pid, *map(int, children))


def host_ratio_counters() -> tuple[float, float]:
    """Return the host's busy and total CPU seconds since boot, over all cores."""
    words = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    ticks = [int(word) for word in words]
    idle = ticks[3] + ticks[4]
    return (sum(ticks) - idle) / _TICKS_PER_S, sum(ticks) / _TICKS_PER_S
