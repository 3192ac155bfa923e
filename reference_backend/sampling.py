"""Gauges over time: once a second, with little enough work that the run does not notice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """The processes of one replica (or server) whose CPU time is counted together."""

    component: str
    replica: int
    pids: tuple[int, ...]


class Sampler:
    """Collects the gauges of one repeat."""

    def __init__(self, *, backend: Backend, supervisor_pid: int) -> None:
        # The children of a database server are its connections, which were all opened before.
        self._processes = [
            Process(component=running.component, replica=running.replica, pids=cpu.family(running.child.pid))
            for running in backend.parts.running
        ]
        self._processes.append(Process(component="supervisor", replica=0, pids=(supervisor_pid,)))
        self._control = backend.control if backend.deployment.load_balancers() else None
        self.missed = 0
        self._rows: list[dict[str, object]] = []
        self._last: tuple[float, list[float]] | None = None
        self._first: tuple[float, list[float]] | None = None
        self._host: tuple[float, float] | None = None

    def sample(self, now_s: float, zero_s: float) -> None:
        """Take the gauges at a monotonic time; they are recorded relative to the schedule's zero."""
        used = [cpu.used_s(process.pids) for process in self._processes]
        if self._last is not None and now_s > self._last[0]:
            for process, before, after in zip(self._processes, self._last[1], used, strict=True):
                ratio = (after - before) / (now_s - self._last[0])
                self._add(now_s - zero_s, process.component, process.replica, "cpu_ratio", ratio)
        if self._first is None:
            self._first = (now_s, used)
            self._host = cpu.host_ratio_counters()
        self._last = (now_s, used)
        if self._control is not None:
            self._sample_balancers(self._control, now_s - zero_s)

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
        if self._first is None or self._last is None or self._host is None or self._first[0] == self._last[0]:
            raise ValueError("CPU ratios need at least two samples")
        span_s = self._last[0] - self._first[0]
        ratios = {
            f"{process.component}/{process.replica}": round((after - before) / span_s, 4)
            for process, before, after in zip(self._processes, self._first[1], self._last[1], strict=True)
        }
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
