"""What limiters, waiting rooms and moving limits promise: never more let pass than they say, in a room in order."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.runs.run import Run
from lab.scenario.components import RateLimiter, Service, WaitingRoom
from lab.scenario.identity import client_of
from lab.scenario.scenario import Scenario
from lab.validation.order import overtaken

Floats = NDArray[np.float64]
_ROUNDING = 1e-6  # of a request, of a second
_THINNED = 10_000


def broken_admission_laws(scenario: Scenario, run: Run) -> Iterator[str]:
    """Yield a sentence with numbers for each law that a limiter or a waiting room of a predicted Run breaks."""
    for name, part in scenario.components.items():
        if isinstance(part, Service) and part.adaptive_concurrency is not None and part.workers == 1:
            yield from _adapted(run, name)
        if not isinstance(part, RateLimiter | WaitingRoom) or name in run.provenance.get("own_components", []):
            continue
        rows = run.visits[run.visits["component"] == name]
        for replication, own in rows.groupby("replication"):
            where = f"{name} in replication {replication}"
            if isinstance(part, RateLimiter):
                requests = run.requests[run.requests["replication"] == replication]
                yield from _limited(scenario, part, own, requests, where)
            else:
                yield from _let_in(scenario, part, own, where)


def _adapted(run: Run, name: str) -> Iterator[str]:
    """Nobody gets a slot while as many have one as the limit then allows; who has one keeps it when the limit falls."""
    steps = run.samples[(run.samples["component"] == name) & (run.samples["gauge"] == "concurrency_limit")]
    rows = run.visits[(run.visits["component"] == name) & run.visits["admitted_s"].notna()]
    for (replication, replica), own in rows.groupby(["replication", "replica"]):
        limits = steps[(steps["replication"] == replication) & (steps["replica"] == replica)].sort_values("time_s")
        if len(limits) >= _THINNED:
            continue  # of a gauge with so many steps not every one is kept
        admitted = np.sort(own["admitted_s"].to_numpy())
        departed = np.sort(own["departure_s"].dropna().to_numpy())
        inside = np.arange(1, len(admitted) + 1) - np.searchsorted(departed, admitted, side="right")
        times, values = limits["time_s"].to_numpy(), limits["value"].to_numpy()
        # Where the limit changes at the very time at which somebody gets a slot, either value may have allowed it.
        before = values[np.maximum(np.searchsorted(times, admitted, side="left") - 1, 0)]
        after = values[np.searchsorted(times, admitted, side="right") - 1]
        over = inside > np.maximum(before, after)
        if over.any():
            yield (
                f"limit: {name}/{replica} in replication {replication} let {int(inside[over].max())} in at a time, "
                f"{int(over.sum())} times beyond its own limit of then"
            )


def _limited(
    scenario: Scenario, limiter: RateLimiter, visits: pd.DataFrame, requests: pd.DataFrame, where: str
) -> Iterator[str]:
    """Of what is counted apart, each keeps the promise of the algorithm; unguarded requests are never turned away."""
    if limiter.endpoints is not None:
        unguarded = int((~visits["operation"].astype(str).isin(limiter.endpoints)).sum())
        if unguarded:
            yield f"limit: {where} checked {unguarded} requests that it does not guard"
    passed = visits[visits["admitted_s"].notna()]
    for subject, own in passed.groupby(_subjects(scenario, limiter, passed, requests)):
        excess = _excess(limiter, np.sort(own["admitted_s"].to_numpy()))
        if excess > _ROUNDING:
            yield (
                f"limit: {where} let pass up to {excess:g} more than {limiter.algorithm} allows with limit "
                f"{limiter.limit} per {limiter.window:g} s (counted for {limiter.scope} {subject})"
            )


def _subjects(
    scenario: Scenario, limiter: RateLimiter, visits: pd.DataFrame, requests: pd.DataFrame
) -> NDArray[np.int64]:
    if limiter.scope == "shared":
        return np.zeros(len(visits), dtype=np.int64)
    if limiter.scope == "per_key":
        keys: NDArray[np.int64] = requests.set_index("request")["key"].loc[visits["request"]].to_numpy()
        return keys
    workload = scenario.workload
    return np.array([client_of(workload, int(number)) for number in visits["request"]], dtype=np.int64)


def _excess(limiter: RateLimiter, passed_s: Floats) -> float:
    """Return by how much more passed than allowed, at worst; 0 or below if the promise was kept."""
    if limiter.algorithm in ("token_bucket", "gcra"):
        # In any stretch, from the i-th to the j-th that passed: j - i + 1 <= size + rate x (t_j - t_i).
        ahead = np.arange(len(passed_s)) - limiter.rate_per_s * passed_s
        return float((ahead - np.minimum.accumulate(ahead)).max() + 1 - limiter.at_once)
    if limiter.windows == "first_request":
        passed_s = _as_if_by_clock(passed_s, limiter.window, anew=limiter.algorithm == "fixed_window")
    windows: Callable[[Floats], float] = {
        "fixed_window": lambda times_s: _most_in_fixed_windows(times_s, limiter.window),
        "sliding_window_log": lambda times_s: _most_in_any_window(times_s, limiter.window - _ROUNDING),
        "sliding_window_counter": lambda times_s: _most_by_two_counts(times_s, limiter.window),
    }[limiter.algorithm]
    return windows(passed_s) - limiter.limit


def _as_if_by_clock(times_s: Floats, window_s: float, *, anew: bool) -> Floats:
    """Return the times moved so that windows which begin with a first request begin at 0, 1, 2, ... windows.

    Args:
        times_s: when each was let pass, in order; the first request of a window always is.
        window_s: the window.
        anew: whether each window begins with a request, and not only the first one and that after a pause.
    """
    since_s, number, moved = float(times_s[0]), 0, []
    for time_s in times_s.tolist():
        over = math.floor((time_s - since_s) / window_s + 1e-9)
        number += min(over, 2)
        since_s = since_s + window_s if over == 1 and not anew else (time_s if over else since_s)
        moved.append(number * window_s + time_s - since_s)
    return np.array(moved)


def _numbers(times_s: Floats, window_s: float) -> NDArray[np.int64]:
    return np.floor(times_s / window_s + 1e-9).astype(np.int64)


def _most_in_fixed_windows(times_s: Floats, window_s: float) -> float:
    return float(np.unique(_numbers(times_s, window_s), return_counts=True)[1].max())


def _most_in_any_window(times_s: Floats, window_s: float) -> float:
    first = np.searchsorted(times_s, times_s - window_s, side="left")
    return float((np.arange(len(times_s)) - first + 1).max())


def _most_by_two_counts(times_s: Floats, window_s: float) -> float:
    """Return the highest estimate right after somebody passed, in whole requests."""
    numbers = _numbers(times_s, window_s)
    found, first, counts = np.unique(numbers, return_index=True, return_counts=True)
    by_number = dict(zip(found.tolist(), counts.tolist(), strict=True))
    last = np.array([by_number.get(number - 1, 0) for number in numbers.tolist()])
    current = np.arange(len(times_s)) - np.repeat(first, counts)  # before this one
    left = np.clip(1 - (times_s / window_s - numbers), 0.0, 1.0)
    return float(np.floor(last * left + current - _ROUNDING).max() + 1)


def _let_in(scenario: Scenario, room: WaitingRoom, visits: pd.DataFrame, where: str) -> Iterator[str]:
    """At most so many inside, at most so many a second, and in the order of coming."""
    entered = visits[visits["admitted_s"].notna()]
    if room.session_duration is not None:
        entered = _first_entries(scenario, entered, room.session_duration)
        most = _most_active(entered, room.session_duration)
        if room.max_active is not None and most > room.max_active:
            yield f"places: {most} clients were inside {where}, which lets {room.max_active} in"
    if room.admission_rate is not None and len(entered) > 1:
        closest_s = float(np.diff(np.sort(entered["admitted_s"].to_numpy())).min())
        if closest_s < 1 / room.admission_rate - _ROUNDING:
            yield f"limit: {where} let one in {closest_s:g} s after another, not {1 / room.admission_rate:g} s"
    yield from overtaken(entered, where)


def _first_entries(scenario: Scenario, entered: pd.DataFrame, duration_s: float) -> pd.DataFrame:
    """Return the rows by which a client took a place, each with the time of the last row before its place was free."""
    workload = scenario.workload
    clients = np.array([client_of(workload, int(number)) for number in entered["request"]], dtype=np.int64)
    rows = entered.assign(client=clients).sort_values(["client", "admitted_s"], kind="stable")
    # Who comes exactly when the place is freed comes too late; what rounding does to that is anybody's guess.
    idle_s = rows["admitted_s"] - rows.groupby("client")["admitted_s"].shift()
    new = idle_s.isna() | (idle_s > duration_s - _ROUNDING)
    rows["stay"] = new.cumsum()
    last_s = rows.groupby("stay")["admitted_s"].transform("max")
    return rows.assign(last_s=last_s)[new]


def _most_active(entered: pd.DataFrame, duration_s: float) -> int:
    """Return the most clients that had a place at a time."""
    most = inside = 0
    ends = (entered["last_s"] + duration_s - _ROUNDING).to_numpy()
    changes = [(float(time_s), 1) for time_s in entered["admitted_s"]] + [(float(end_s), -1) for end_s in ends]
    for _, change in sorted(changes):
        inside += change
        most = max(most, inside)
    return most
