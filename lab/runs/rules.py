"""What no row of a table may say: rules that hold in both worlds, checked whenever a table is built."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from lab.errors import DomainError


def check_rules(name: str, frame: pd.DataFrame) -> None:
    """Refuse a frame that breaks a rule of its table.

    Raises:
        DomainError: with the first such row and how many there are.
    """
    match name:
        case "requests":
            _check_requests(frame)
        case "visits":
            _check_visits(frame)
        case "aggregates":
            _refuse(name, frame, frame["begin_s"] < 0, "begins before the schedule's zero")
            _refuse(name, frame, frame["value"] < 0, "has a negative value")
        case _:
            _refuse(name, frame, frame["time_s"] < 0, "time_s is negative: times run from the schedule's zero")


# A measured part may round its own clock (HAProxy logs whole milliseconds), so that a departure can seem to
# precede an admission by that much; anything beyond is a mix-up of columns or clocks.
_CLOCK_SLACK_S = 2.5e-3
_ROUNDING_S = 1e-6


def _check_requests(frame: pd.DataFrame) -> None:
    twice = frame.duplicated(["replication", "request"])
    _refuse("requests", frame, twice, "appears twice: a request has one row in a replication")
    open_ = frame["outcome"] == "in_flight"
    _refuse(
        "requests",
        frame,
        open_ != frame["end_s"].isna(),
        "must lack end_s if, and only if, its outcome is in_flight",
    )
    wrong = (frame["end_s"] - frame["intended_start_s"] - frame["sojourn_time_s"]).abs() > _ROUNDING_S
    unlike = frame["sojourn_time_s"].isna() != frame["end_s"].isna()
    _refuse(
        "requests",
        frame,
        wrong | unlike,
        "has sojourn_time_s other than end_s - intended_start_s: count from the INTENDED start",
    )
    _refuse("requests", frame, frame["sojourn_time_s"] < 0, "ends before its intended start")
    _refuse("requests", frame, frame["end_s"] + _CLOCK_SLACK_S < frame["start_s"], "ends before it starts")
    _refuse("requests", frame, ~open_ & frame["start_s"].isna(), "ended but has no start_s")
    _refuse(
        "requests",
        frame,
        frame["endpoint"] == "all",
        "has an endpoint called all, which stands for the whole",
    )
    _refuse("requests", frame, frame["attempts"] < 0, "has a negative number of attempts")


def _check_visits(frame: pd.DataFrame) -> None:
    open_ = frame["outcome"] == "in_flight"
    _refuse(
        "visits",
        frame,
        open_ != frame["departure_s"].isna(),
        "must lack departure_s if, and only if, its outcome is in_flight",
    )
    for earlier, later in (
        ("arrival_s", "admitted_s"),
        ("admitted_s", "departure_s"),
        ("arrival_s", "departure_s"),
    ):
        _refuse("visits", frame, frame[later] + _CLOCK_SLACK_S < frame[earlier], f"has {later} before {earlier}")
    for duration in ("waiting_time_s", "service_time_s"):
        _refuse("visits", frame, frame[duration] < 0, f"has a negative {duration}")
    _refuse(
        "visits",
        frame,
        frame["admitted_s"].notna() & frame["waiting_time_s"].isna(),
        "was admitted but lacks waiting_time_s",
    )


def _refuse(name: str, frame: pd.DataFrame, bad: Any, why: str) -> None:
    rows = np.flatnonzero(np.asarray(bad, dtype=bool))
    if rows.size:
        row = {key: frame[key].iloc[int(rows[0])] for key in frame.columns[:5]}
        said = ", ".join(f"{key}={value}" for key, value in row.items())
        raise DomainError(f"{name} table: row ({said}) {why}; {rows.size} row(s) like it")
