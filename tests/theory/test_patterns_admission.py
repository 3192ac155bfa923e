"""What the scenarios about who is let in show, by variants on common random numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import lab

PATTERNS = Path(__file__).parents[2] / "scenarios" / "patterns"
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::lab.experiment.simulate.OverloadWarning")]


def _run(name: str, **changes: Any) -> lab.Run:
    scenario = lab.read_scenario(PATTERNS / f"{name}.yaml")
    return lab.simulate(scenario.with_(changes), progress=False, allow_unstable=True)


def test_a_limit_per_account_is_felt_by_the_attacker_alone() -> None:
    """Without it a fifth of the real sign-ins fail during the attack; with it none, and of 600 guesses five pass."""
    limited, free = _run("login_abuse"), _run("login_abuse", **{"components.limiter.limit": 1_000_000})

    def during(run: lab.Run) -> tuple[pd.DataFrame, pd.DataFrame]:
        asked = run.requests[run.requests["intended_start_s"].between(20, 80)]
        return asked[asked["key"] == 0], asked[asked["key"] != 0]

    attacks, users = during(limited)
    replications = limited.scenario["run"]["replications"]
    assert 550 < len(attacks) / replications < 650
    assert (attacks["outcome"] == "ok").sum() == 5 * replications
    assert (users["outcome"] == "ok").all()
    assert users["sojourn_time_s"].quantile(0.99) < 0.5
    attacks, users = during(free)
    assert (attacks["outcome"] == "ok").sum() > 400 * replications
    assert (users["outcome"] != "ok").mean() > 0.1
    assert users["sojourn_time_s"].quantile(0.5) > 1.0


def test_a_fixed_window_lets_twice_as_many_guesses_pass() -> None:
    """The attack lies across an edge of the windows of a minute: five before it and five after."""
    run = _run("login_abuse", **{"components.limiter.algorithm": "fixed_window"})
    guesses = run.requests[(run.requests["key"] == 0) & run.requests["intended_start_s"].between(20, 80)]
    assert (guesses["outcome"] == "ok").sum() == 10 * run.scenario["run"]["replications"]


def test_a_launch_is_survived_outside() -> None:
    """Let in all at once, most visits are begun in vain; let in as there is room, all end well, some a minute later."""
    room, everybody = _run("launch_waiting_room"), _run("launch_waiting_room", entry="api")

    def done(run: lab.Run) -> float:
        """Return the share of the visits of the launch that came to their end."""
        of_launch = run.requests[run.requests["intended_start_s"] < 40]
        sessions = of_launch.assign(session=of_launch["request"] // 4)
        begun = sessions[(sessions["request"] % 4 == 0) & (sessions["intended_start_s"] > 10)]
        ok = run.requests[(run.requests["outcome"] == "ok") & (run.requests["request"] % 4 == 3)]
        ended = set(zip(ok["replication"], ok["request"] // 4, strict=True))
        return sum(place in ended for place in zip(begun["replication"], begun["session"], strict=True)) / len(begun)

    assert done(room) > 0.99
    assert done(everybody) < 0.4
    waits = room.visits[(room.visits["component"] == "room") & (room.visits["waiting_time_s"] > 0)]
    assert 25 < waits["waiting_time_s"].max() < 80
    served = {name: (run.requests["outcome"] == "ok").sum() for name, run in (("in", everybody), ("out", room))}
    assert served["in"] < served["out"]
