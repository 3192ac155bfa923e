"""Faults on real servers: they strike at their times, are told, and leave a whole backend behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from reference_backend.load.schedule import Planned, Schedule

from .support import run_once

pytestmark = pytest.mark.measured


def requests(endpoint: str, times_s: list[float], *, demands_s: tuple[float, ...] = ()) -> Schedule:
    """Return one request for the same key at each time."""
    planned = [
        Planned(request=number, endpoint=endpoint, key=1, intended_start_s=at_s, demands_s=demands_s, backoffs_s=())
        for number, at_s in enumerate(times_s)
    ]
    return Schedule(requests=tuple(planned), duration_s=times_s[-1] + 0.2)


def service(**keys: Any) -> dict[str, Any]:
    """Return a service of one endpoint, ``read``."""
    return {"kind": "service", "endpoints": {"read": keys.pop("read")}, **keys}


def events(repeat: Path) -> list[dict[str, Any]]:
    """Return what happened, in order."""
    return pq.read_table(repeat / "events.parquet").to_pylist()


def test_a_flushed_cache_is_empty_from_that_moment_on(tmp_path: Path) -> None:
    """The key is there until the flush, and not for the next who asks."""
    deployment = {
        "schema_version": 1,
        "name": "flushed",
        "entry": "api",
        "parts": {
            "api": service(read={"steps": [{"kind": "cached", "cache": "items"}]}),
            "items": {"kind": "cache"},
        },
        "faults": [{"kind": "flush", "at_s": 0.5, "component": "items"}],
    }
    repeat = run_once(tmp_path, deployment, requests("read", [0.1, 0.2, 0.4, 0.6, 0.7]))
    spans = [span for span in pq.read_table(repeat / "spans.parquet").to_pylist() if span["operation"] == "get"]
    assert [span["hit"] for span in spans] == [False, True, True, False, True]
    (flush,) = [event for event in events(repeat) if event["kind"] == "flush"]
    assert (flush["component"], flush["detail"]) == ("items", "{}")
    assert 0.5 <= flush["time_s"] < 0.55
