"""What the lessons about services show, by variants of each scenario on common random numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import lab

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::lab.experiment.simulate.OverloadWarning")]

PATTERNS = Path(__file__).parents[2] / "scenarios" / "patterns"


def _run(name: str, changes: dict[str, Any] | None = None) -> lab.Run:
    scenario = lab.read_scenario(PATTERNS / f"{name}.yaml").with_(changes or {})
    return lab.simulate(scenario, progress=False, allow_unstable=True)


def _change(before: lab.Run, after: lab.Run, metric: str, subject: str = "all") -> tuple[float, float]:
    """The ends of the interval of how much a figure changes."""
    row = lab.difference(before, after).set_index(["metric", "subject"]).loc[(metric, subject)]
    return float(row["low"]), float(row["high"])


def test_replicas_on_one_core_share_it() -> None:
    """One, two or four replicas on one core are the same; a second core is what helps, on whichever machine."""
    one, two, four = (_run("shared_host", {"components.api.replicas": replicas}) for replicas in (1, 2, 4))
    means_s = [run.value("sojourn_time_s_mean") for run in (one, two, four)]
    assert max(means_s) < 1.1 * min(means_s)
    assert four.bottleneck().component == "vm"
    two_cores = _run("shared_host", {"components.vm.cores": 2})
    assert two_cores.value("sojourn_time_s_p95") < 0.7 * two.value("sojourn_time_s_p95")
    two_machines = _run("shared_host", {"components.api.hosts": []})  # each process with a core to itself
    assert two_machines.value("sojourn_time_s_mean") == pytest.approx(two_cores.value("sojourn_time_s_mean"))


def test_computing_blocks_the_event_loop() -> None:
    """In a thread, the export delays the feed by turns of 5 ms instead of 100 ms; more workers help less."""
    blocked = _run("blocking_the_event_loop")
    assert blocked.bottleneck().component == "api.event_loop"
    thread = [{"kind": "thread", "steps": [{"kind": "cpu", "time": "100ms"}]}]
    in_thread = _run("blocking_the_event_loop", {"components.api.endpoints.export": thread})
    assert blocked.value("sojourn_time_s_p99", "feed") > 0.1
    assert in_thread.value("sojourn_time_s_p99", "feed") < 0.075
    assert _change(blocked, in_thread, "sojourn_time_s_p95", "feed")[1] < -0.02
    workers = _run("blocking_the_event_loop", {"components.api.workers": 4})
    p99_s = [run.value("sojourn_time_s_p99", "feed") for run in (blocked, workers, in_thread)]
    assert p99_s == sorted(p99_s, reverse=True)  # a worker blocks a quarter of the others, a thread none


def test_the_newest_first_under_overload() -> None:
    """First in, first out answers hardly anybody in time until the backlog is gone; last in, first out four in five."""
    fifo = _run("lifo_under_overload")
    lifo = _run("lifo_under_overload", {"components.api.discipline": "lifo"})
    assert _change(fifo, lifo, "goodput_per_s")[0] > 5
    assert fifo.value("error_ratio") > 0.5
    assert lifo.value("error_ratio") < 0.35
