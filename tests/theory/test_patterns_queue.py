"""What the queue's lesson shows: a job in the background costs the client nothing, and capacity none the less."""

from __future__ import annotations

from pathlib import Path

import pytest

import lab

PATTERNS = Path(__file__).parents[2] / "scenarios" / "patterns"


@pytest.mark.slow
def test_background_jobs_keep_uploads_quick_and_are_done_later() -> None:
    """In the background p99 stays below 100 ms through the burst; in the request the same work breaks it.

    The jobs pile up as the arithmetic says: 20 s of 40/s against 16.7/s leave 467, which the spare 8.7/s drain in 54 s.
    """
    scenario = lab.read_scenario(PATTERNS / "background_jobs.yaml")
    inline = scenario.with_(
        {
            "components.api.endpoints.upload.2": {
                "kind": "cpu",
                "time": {"kind": "lognormal", "mean": "120ms", "scv": 0.25},
            }
        }
    )
    background = lab.simulate(scenario, progress=False, allow_unstable=True)
    assert all(result.met for result in background.objectives())
    in_request = lab.simulate(inline, progress=False, allow_unstable=True)
    assert in_request.value("sojourn_time_s_p99") > 10 * background.value("sojourn_time_s_p99")
    assert in_request.value("error_ratio") > 0.1
    jobs = background.visits[background.visits["component"] == "thumbnails"]
    assert (jobs["outcome"] == "ok").mean() > 0.98  # the last second's jobs are still under way
    late = jobs[jobs["waiting_time_s"] > 1.0].groupby("replication")["admitted_s"].max()
    assert 40 + 40 < late.mean() < 40 + 70
