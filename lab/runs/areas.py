"""Time-weighted numbers from intervals of presence, by exact areas and never by sampling a clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

Columns = pd.DataFrame | Mapping[str, Any]
Floats = np.ndarray[Any, np.dtype[np.float64]]


def waiting_intervals(visits: Columns) -> tuple[Floats, Floats]:
    """Return when each visit began and ceased to wait, in seconds; infinity for one that still waits.

    A visit that was never admitted waits until it departs (it was refused, or gave up).
    """
    begins = np.asarray(visits["arrival_s"], dtype=float)
    admitted = np.asarray(visits["admitted_s"], dtype=float)
    departure = np.asarray(visits["departure_s"], dtype=float)
    ends = np.where(np.isnan(admitted), departure, admitted)
    return begins, np.maximum(np.where(np.isnan(ends), np.inf, ends), begins)


def service_intervals(visits: Columns) -> tuple[Floats, Floats]:
    """Return when each admitted visit was admitted and left, in seconds; infinity if it is still there.

    A visit holds its place (slot, connection) while the component calls others, so this is the time in which
    the place is taken, not the component's own work.
    """
    admitted = np.asarray(visits["admitted_s"], dtype=float)
    departure = np.asarray(visits["departure_s"], dtype=float)
    was_admitted = ~np.isnan(admitted)
    begins, ends = admitted[was_admitted], departure[was_admitted]
    return begins, np.maximum(np.where(np.isnan(ends), np.inf, ends), begins)


def waits_with_client_s(visits: Columns, *, client_left_s: Floats) -> Floats:
    """Return how long each visit waited while its client was still there, in seconds.

    No client waits for what is done behind a queue.
    """
    begins, ends = waiting_intervals(visits)
    waited_s = np.maximum(np.minimum(ends, client_left_s) - begins, 0.0)
    return np.where(np.asarray(visits["background"], dtype=bool), 0.0, waited_s)


def areas(begins_s: Floats, ends_s: Floats, edges_s: Floats) -> Floats:
    """Return the seconds of presence between each two successive edges.

    Args:
        begins_s: when each interval begins; finite.
        ends_s: when it ends; infinity for one that is still open.
        edges_s: at least two ascending times.

    Returns:
        One area (seconds x number present) a bin; divided by the bin's width it is the mean number present.

    >>> areas(np.array([0.0, 1.0]), np.array([2.0, np.inf]), np.array([0.0, 1.0, 3.0])).tolist()
    [1.0, 3.0]
    """
    return np.diff(_begun_time(begins_s, edges_s) - _begun_time(ends_s[np.isfinite(ends_s)], edges_s))


def _begun_time(moments_s: Floats, edges_s: Floats) -> Floats:
    """Sum of (edge - moment) over the moments before each edge."""
    ordered = np.sort(moments_s)
    before = np.searchsorted(ordered, edges_s)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    return np.asarray(before * edges_s - sums[before], dtype=float)


def peak(begins_s: Floats, ends_s: Floats, *, start_s: float, end_s: float) -> int:
    """Return the largest number present at one time within [start_s, end_s).

    An interval that ends as another begins does not overlap it, and one of no length is never present.

    >>> peak(np.array([0.0, 1.0, 2.0]), np.array([2.0, 3.0, 2.5]), start_s=0.0, end_s=10.0)
    2
    """
    begins, ends = np.maximum(begins_s, start_s), np.minimum(ends_s, end_s)
    there = ends > begins
    if not there.any():
        return 0
    begins, ends = np.sort(begins[there]), np.sort(ends[there])
    present = np.arange(1, len(begins) + 1) - np.searchsorted(ends, begins, side="right")
    return int(present.max())
