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


def _answered(run: lab.Run, endpoint: str, begin_s: float, end_s: float) -> float:
    """Return the share of the requests of a stretch that were answered well and in time."""
    asked = run.requests[run.requests["intended_start_s"].between(begin_s, end_s)]
    return float((asked.loc[asked["endpoint"] == endpoint, "outcome"] == "ok").mean())


def test_shedding_keeps_an_overrun_service_useful() -> None:
    """Two thirds of 750/s can be served: with shedding most of them are; without, nobody is, and for long after."""
    plain = {
        "components.api.shedding": None,
        "components.api.discipline": "fifo",
        "components.api.lifo_threshold": None,
    }
    both = _run("shedding_load")
    nothing, deadlines, codel = (
        _run("shedding_load", **plain | more)
        for more in ({}, {"components.api.drop_expired": True}, {"components.api.shedding": "codel"})
    )
    during = {name: _answered(run, "get", 12, 20) for name, run in (("both", both), ("nothing", nothing))}
    assert during["both"] > 0.55
    assert during["nothing"] < 0.05
    assert _answered(nothing, "get", 20, 27) < 0.05  # half of what came in the spike is still in the queue
    assert _answered(both, "get", 21, 33) > 0.99
    # Deadlines save the work for those who have gone, and the queue is gone with the spike; but in the spike whoever is
    # served has waited for nearly as long as it could, and most are answered just too late.
    assert _answered(deadlines, "get", 12, 20) < 0.25
    assert _answered(deadlines, "get", 22, 33) > 0.99
    ok = {name: run.requests[run.requests["outcome"] == "ok"] for name, run in (("both", both), ("late", deadlines))}
    spike = {name: rows[rows["intended_start_s"].between(12, 20)] for name, rows in ok.items()}
    assert spike["both"]["sojourn_time_s"].quantile(0.9) < 0.15
    assert spike["late"]["sojourn_time_s"].quantile(0.5) > 0.4
    # CoDel's drops are for senders that slow down: these do not, and what it sheds is never enough.
    assert _answered(codel, "get", 12, 20) < 0.2


def test_a_bulkhead_keeps_one_slow_part_from_sinking_all() -> None:
    """With it payments do not notice; without it every slot waits for recommendations within a second."""
    bulkhead, none = _run("bulkhead"), _run("bulkhead", **{"components.api.bulkheads": {}})
    assert _answered(bulkhead, "pay", 0, 38) == 1.0
    assert _answered(none, "pay", 12, 28) < 0.05
    assert _answered(bulkhead, "home", 12, 28) == _answered(none, "home", 12, 28) == 0.0


def test_a_limit_that_adapts_needs_no_guess() -> None:
    """A guess too high fails everybody while the database is slow, one too low fails many always; this does neither."""
    fixed = {"components.api.adaptive_concurrency": None}
    adaptive, high, low = (
        _run("adaptive_concurrency", **changes)
        for changes in (
            {},
            fixed | {"components.api.concurrency": 100},
            fixed | {"components.api.concurrency": 2},
        )
    )
    assert _answered(high, "get", 13, 20) < 0.1
    assert _answered(low, "get", 0, 9) < 0.6
    assert _answered(adaptive, "get", 2, 9) > 0.99
    assert _answered(adaptive, "get", 13, 20) > 0.58  # 125/s of the 200/s can be served
    assert _answered(adaptive, "get", 22, 29) > 0.99
    assert adaptive.value("sojourn_time_s_p99") < 0.2
