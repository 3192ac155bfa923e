"""Gauges over time: once a second, with little enough work that the run does not notice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import redis

from reference_backend import cpu, haproxy
from reference_backend.backend import Backend

WHOLE = -1  # the replica column of a gauge that belongs to the component as a whole

SAMPLES = pa.schema(
    [
        ("time_s", pa.float64()),
        ("component", pa.string()),
        ("replica", pa.int32()),
        ("gauge", pa.string()),
        ("value", pa.float64()),
    ]
)


@dataclass(slots=True, kw_only=True)
class Process:
    """The processes of one replica (or server) whose CPU time is counted together.

    Attributes:
        used_s: their CPU time when it was read last.
        yielding: whether they then had only what CPU time all others left over, as a replica that boots.
    """

    component: str
    replica: int
    pids: tuple[int, ...]
    used_s: float
    yielding: bool


class Sampler:
    """Collects the gauges of one repeat. Processes may come and go in it."""

    def __init__(self, *, backend: Backend, supervisor_pid: int) -> None:
        self._backend = backend
        self._supervisor_pid = supervisor_pid
        self._processes: dict[int, Process] = {}
        self._used_s: dict[str, float] = {}
        self._control = backend.control if backend.deployment.proxies() else None
        self.missed = 0
        self._rows: list[dict[str, object]] = []
        self._first_s: float | None = None
        self._last_s = 0.0
        self._host: tuple[float, float] | None = None

    def sample(self, now_s: float, zero_s: float) -> None:
        """Take the gauges at a monotonic time; they are recorded relative to the schedule's zero."""
        if self._first_s is None:
            self._first_s = self._last_s = now_s
            self._host = cpu.host_ratio_counters()
        elapsed_s, self._last_s = now_s - self._last_s, now_s
        living = {}
        for component, replica, pid in self._living():
            process = self._processes.get(pid) or self._meet(component, replica, pid, late=elapsed_s > 0)
            living[pid] = process
            self._account(process, elapsed_s, now_s - zero_s)
        self._processes = living
        self._sample_caches(now_s - zero_s)
        if self._control is not None:
            self._sample_balancers(self._control, now_s - zero_s)

    def _living(self) -> list[tuple[str, int, int]]:
        running = self._backend.parts.running
        living = [(each.component, each.replica, each.child.pid) for each in running]
        return [*living, ("supervisor", 0, self._supervisor_pid)]

    def _meet(self, component: str, replica: int, pid: int, *, late: bool) -> Process:
        """Return a process that is seen for the first time; all that a ``late`` one has used belongs to the repeat."""
        # The children of a database server are its connections, which were all opened before. Those of the supervisor
        # are the parts themselves, and the generator: counted with it they would be counted twice.
        pids = (pid,) if pid == self._supervisor_pid else cpu.family(pid)
        used_s = 0.0 if late else cpu.used_s(pids)
        return Process(component=component, replica=replica, pids=pids, used_s=used_s, yielding=cpu.yields(pid))

    def _account(self, process: Process, elapsed_s: float, time_s: float) -> None:
        """Count what a process has used since it was read last.

        What it took while it yielded to all others is a gauge of its own: it kept nobody waiting.
        """
        used_s = cpu.used_s(process.pids)
        since_s, process.used_s = max(0.0, used_s - process.used_s), used_s
        yielded, process.yielding = process.yielding, cpu.yields(process.pids[0])
        name = f"{process.component}/{process.replica}"
        self._used_s[name] = self._used_s.get(name, 0.0) + since_s
        if elapsed_s > 0:
            gauge = "boot_cpu_ratio" if yielded else "cpu_ratio"
            self._add(time_s, process.component, process.replica, gauge, since_s / elapsed_s)

    def note(self, time_s: float, component: str, gauge: str, value: float) -> None:
        """Add what somebody else has read of a whole component."""
        self._add(time_s, component, WHOLE, gauge, value)

    def _sample_caches(self, time_s: float) -> None:
        """Take the number of entries of each cache; one that is down, by a fault, has none to tell of."""
        for name, cache in self._backend.parts.caches.items():
            try:
                self._add(time_s, name, 0, "entries", cache.entries())
            except redis.RedisError:
                self.missed += 1

    def _sample_balancers(self, control: Path, time_s: float) -> None:
        """Take HAProxy's gauges; a sample that it is too busy to answer for is counted as missed, and no more."""
        try:
            gauges = haproxy.gauges(control)
        except OSError:
            self.missed += 1  # had it died, the watch would say so
            return
        for gauge in gauges:
            replica = WHOLE if gauge.replica is None else gauge.replica
            self._add(time_s, gauge.load_balancer, replica, gauge.name, gauge.value)

    def cpu_ratios(self) -> dict[str, float]:
        """Return each process's share of a core over the whole repeat, by part, and the host's share of all its cores.

        Raises:
            ValueError: fewer than two samples were taken.
        """
        if self._first_s is None or self._host is None or self._first_s == self._last_s:
            raise ValueError("CPU ratios need at least two samples")
        span_s = self._last_s - self._first_s
        ratios = {name: round(used_s / span_s, 4) for name, used_s in self._used_s.items()}
        busy_s, total_s = cpu.host_ratio_counters()
        ratios["host"] = round((busy_s - self._host[0]) / (total_s - self._host[1]), 4)
        return ratios

    def write(self, folder: Path) -> None:
        """Write ``samples.parquet``."""
        pq.write_table(pa.Table.from_pylist(self._rows, schema=SAMPLES), folder / "samples.parquet")

    def _add(self, time_s: float, component: str, replica: int, gauge: str, value: float) -> None:
        self._rows.append(
            {"time_s": time_s, "component": component, "replica": replica, "gauge": gauge, "value": value}
        )
