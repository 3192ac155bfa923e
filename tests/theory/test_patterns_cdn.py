"""What the lesson of the cdn shows: who pays when an object drops out that everybody asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lab

PATTERNS = Path(__file__).parents[2] / "scenarios" / "patterns"


def _run(changes: dict[str, Any]) -> lab.Run:
    scenario = lab.read_scenario(PATTERNS / "cdn_collapsing.yaml").with_(changes)
    return lab.simulate(scenario, progress=False, allow_unstable=True)


def _fetches(run: lab.Run) -> list[int]:
    """How many requests reach the origin in each bout, by replication: bouts are more than 2 s apart."""
    found = []
    for _, own in run.visits[run.visits["component"] == "packager"].groupby("replication"):
        begins = own["arrival_s"].sort_values()
        found += begins.groupby((begins.diff() > 2.0).cumsum()).size().tolist()
    return found


@pytest.mark.slow
def test_collapsing_decides_how_many_viewers_reach_the_origin() -> None:
    """One an expiry with it, in the shield alone too; without it dozens, who wait for one another.

    Edges that collapse keep it at one a place; stale answers spare the viewers the fetch as well.
    """
    no_edge, no_shield = {"components.edge.request_collapsing": False}, {"components.shield.request_collapsing": False}
    both, shield_alone, edge_alone, neither = (_run(each) for each in ({}, no_edge, no_shield, no_edge | no_shield))
    assert set(_fetches(both)) == set(_fetches(shield_alone)) == {1}
    assert 2 < np.mean(_fetches(edge_alone)) <= 8
    assert np.mean(_fetches(neither)) > 30
    rows = lab.difference(both, neither)
    assert rows[(rows["metric"] == "sojourn_time_s_p99") & (rows["subject"] == "all")].iloc[0]["low"] > 0.1
    fresh = {f"components.{tier}.stale_while_revalidate": "2s" for tier in ("edge", "shield")}
    assert _run(fresh).value("sojourn_time_s_p99") == pytest.approx(0.01)
