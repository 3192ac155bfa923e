"""Real replicas come when they are needed and go when they are not, and nobody's request is lost on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import psutil
import pytest

from reference_backend.load.schedule import Planned, Schedule
from tests.measured.support import ROOT, run_once

pytestmark = pytest.mark.measured

SERVICE: dict[str, Any] = {
    "kind": "service",
    "concurrency": 2,
    "endpoints": {"get": {"demands": 1, "steps": [{"kind": "wait", "demand": 0}]}},
}
RULES = {"policies": [{"kind": "pods", "value": 1, "period_s": 1.0}]}


def deployment(parts: dict[str, Any], entry: str) -> dict[str, Any]:
    """Return a deployment of these parts."""
    return {"schema_version": 1, "name": "scaling", "entry": entry, "client": {"timeout_s": 8.0}, "parts": parts}


def schedule(times_s: list[float], *, demand_s: float, duration_s: float) -> Schedule:
    """Return requests at these times."""
    planned = tuple(
        Planned(request=number, endpoint="get", key=0, intended_start_s=at_s, demands_s=(demand_s,), backoffs_s=())
        for number, at_s in enumerate(times_s)
    )
    return Schedule(requests=planned, duration_s=duration_s)


def readings(folder: Path, gauge: str) -> list[float]:
    """Return what a gauge of the service read, one after the other, without repetitions."""
    samples = pd.read_parquet(folder / "samples.parquet").sort_values("time_s", kind="stable")
    values = samples[(samples["component"] == "api") & (samples["gauge"] == gauge)]["value"].tolist()
    return [value for place, value in enumerate(values) if place == 0 or value != values[place - 1]]


def test_replicas_come_with_the_load_and_go_with_it(tmp_path: Path) -> None:
    """One replica is full, a second one boots and takes its share, and is drained when the load is over."""
    autoscaler = {
        "kind": "hpa", "min": 1, "max": 2, "metrics": [{"metric": "concurrency", "target": 0.4}],
        "sync_period_s": 1.0, "metric_window_s": 1.0, "metric_lag_s": 0.0, "scale_up": RULES, "scale_down": RULES,
    }  # fmt: skip
    parts = {
        "edge": {"kind": "load_balancer", "algorithm": "leastconn", "targets": "api", "max_connections_per_server": 2},
        "api": {**SERVICE, "replicas": 1, "boot_times_s": [1.5] * 5, "autoscaler": autoscaler},
    }
    busy = [0.05 * number for number in range(70)]
    folder = run_once(tmp_path, deployment(parts, "edge"), schedule([*busy, 5.9], demand_s=0.08, duration_s=6.0))
    requests = pd.read_parquet(folder / "requests.parquet")
    assert set(requests["outcome"]) == {"ok"}
    assert readings(folder, "replicas_ready") == [1, 2, 1]
    assert readings(folder, "replicas_starting") == [0, 1, 0]
    spans = pd.read_parquet(folder / "spans.parquet")
    served = spans[(spans["component"] == "api") & (spans["replica"] == 1)]
    events = pd.read_parquet(folder / "events.parquet")
    ready_s = float(events[events["kind"] == "replica_ready"]["time_s"].iloc[0])
    drained_s = float(events[events["kind"] == "server_draining"]["time_s"].iloc[0])
    assert ready_s >= 2.5  # decided at 1 s, and no earlier than its boot time after that
    assert served["arrival_s"].between(ready_s, drained_s + 0.01).all()
    assert len(served) > 0
    told = json.loads(events[events["kind"] == "scaling_decision"]["detail"].iloc[0])
    assert (told["before"], told["after"], told["metrics"][0]["ready"]) == (1, 2, 1)


def test_a_replica_is_started_for_the_first_request_and_ended_when_idle(tmp_path: Path) -> None:
    """From zero: those who come while it boots wait for it, those who come later do not, and a second cold start."""
    autoscaler = {"kind": "serverless", "min": 0, "max": 1, "idle_timeout_s": 1.0}
    parts = {"api": {**SERVICE, "replicas": 0, "boot_times_s": [1.5] * 4, "autoscaler": autoscaler}}
    times_s = [0.2, 0.3, 0.4, 2.0, 3.4]
    folder = run_once(tmp_path, deployment(parts, "api"), schedule(times_s, demand_s=0.02, duration_s=5.2))
    visits = pd.read_parquet(folder / "spans.parquet")
    platform = visits[visits["component"] == "api.platform"].sort_values("arrival_s")
    assert platform["outcome"].tolist() == ["ok", "ok", "rejected", "ok", "ok"]
    assert platform["hit"].tolist() == [False, False, False, True, False]
    assert platform["replica"].tolist() == [0, 0, -1, 0, 1]
    waited = platform["waiting_time_s"].tolist()
    assert waited[0] >= 1.49
    assert waited[0] - waited[1] == pytest.approx(0.1, abs=0.05)
    assert waited[3] < 0.5
    assert readings(folder, "replicas_ready") == [0, 1, 0, 1]
    requests = pd.read_parquet(folder / "requests.parquet").sort_values("intended_start_s")
    assert requests["outcome"].tolist() == ["ok", "ok", "rejected", "ok", "ok"]


def left_of(mark: str) -> list[str]:
    """Return the processes that inherited a mark and live."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get("ARCHLAB_RUN_ID") == mark:
                found.append(" ".join(process.cmdline()))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # it went away while we looked, or is not ours
    return found


def test_nothing_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    """Neither the platform nor a replica that it has just had started, though the platform asked for it."""
    autoscaler = {"kind": "serverless", "min": 0, "max": 1, "idle_timeout_s": 60.0}
    parts = {"api": {**SERVICE, "replicas": 0, "boot_times_s": [30.0], "autoscaler": autoscaler}}
    (tmp_path / "deployment.json").write_text(json.dumps(deployment(parts, "api")))
    mark = f"scaling-{uuid.uuid4().hex}"
    command = [sys.executable, "-m", "reference_backend", "serve", "--deployment", str(tmp_path / "deployment.json")]
    environment = {**os.environ, "ARCHLAB_RUN_ID": mark, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            events = map(json.loads, process.stdout)
            url = next(event["url"] for event in events if event["event"] == "serving")
            threading.Thread(target=_ask_in_vain, args=(f"{url}/get?key=1",), daemon=True).start()
            assert next(event["part"] for event in events if event["event"] == "starting") == "api/0"
            before = _once_there(mark, "reference_backend.replica ")
        finally:
            process.send_signal(signal.SIGKILL)
    assert any("reference_backend.scaling.platform" in words for words in before)
    deadline = time.monotonic() + 5.0
    while left_of(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left_of(mark) == []


def _once_there(mark: str, words: str) -> list[str]:
    """Return the processes that inherited a mark, as soon as one with these words is among them."""
    deadline = time.monotonic() + 5.0
    found = left_of(mark)
    while not any(words in each for each in found):
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
        found = left_of(mark)
    return found


def _ask_in_vain(url: str) -> None:
    """Send a request whose answer will never come."""
    with pytest.raises(httpx.HTTPError):
        httpx.get(url, trust_env=False, timeout=20.0)
