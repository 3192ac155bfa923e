"""How much CPU time processes have used, read with so little work that a running test does not notice."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def used_s(pids: Iterable[int]) -> float:
    """Return the CPU seconds that the threads of these processes have used; one that has ended counts for nothing."""
    return sum(_used_ns(pid) for pid in pids) / 1e9


def _used_ns(pid: int) -> int:
    """Return one process's CPU time, from the scheduler's own account where the kernel keeps it.

    The usual account counts clock ticks of 10 ms, and misses a server that works for 0.1 ms after each wake-up.
    """
    total = 0
    for thread in _threads(pid):
        try:
            total += int((thread / "schedstat").read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            return _ticks(pid) * 1_000_000_000 // _TICKS_PER_S  # a kernel without that account, or the thread ended
    return total


def _threads(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return []


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(fields[11]) + int(fields[12])


def family(pid: int) -> tuple[int, ...]:
    """Return a process and its direct children."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return (pid,)  # it has just ended
    return (pid, *map(int, children))


def yields(pid: int) -> bool:
    """Return whether a process has only the CPU time that all others leave over; one that has ended does not."""
    try:
        return os.sched_getscheduler(pid) == os.SCHED_IDLE
    except ProcessLookupError:
        return False


def host_ratio_counters() -> tuple[float, float]:
    """Return the host's busy and total CPU seconds since boot, over all cores."""
    words = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    ticks = [int(word) for word in words]
    idle = ticks[3] + ticks[4]
    return (sum(ticks) - idle) / _TICKS_PER_S, sum(ticks) / _TICKS_PER_S
