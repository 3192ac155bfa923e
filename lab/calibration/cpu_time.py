"""CPU time of processes for each request, by samples of it: what is left when that of their steps is taken away."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.calibration.fit import constant, generator_of
from lab.calibration.observed import Observed
from lab.calibration.sample import Sample
from lab.errors import NotEnoughData
from lab.scenario.calibration import CalibratedValue

_RESAMPLES = 1000


def cpu_per_request(
    observed: Observed, path: str, component: str, asked_s: pd.Series[float], *, serves: Sequence[str] = ()
) -> Sample:
    """Return the CPU time per request of a part's processes, beside what its steps ask for.

    One value a second of the run: the CPU time used in it less what its visits asked for, by the number of visits that
    come in a second on average (so that the values' mean is the ratio of the sums).

    Args:
        asked_s: CPU time that each of its visits asks for, indexed like the visits.
        serves: the components whose visits the processes serve; without them, ``component`` alone.

    Raises:
        NotEnoughData: no CPU time was sampled while it had visits.
    """
    seconds = _seconds(observed, path, component, asked_s, serves=serves)
    used, came = seconds[:, 0], seconds[:, 1]
    return Sample(values_s=used * len(came) / came.sum(), how=f"CPU time of {component} per request, less its steps'")


def cpu_by_state(
    observed: Observed, paths: tuple[str, str], component: str, asked_s: pd.Series[float], busy: pd.Series[bool]
) -> tuple[CalibratedValue, CalibratedValue]:
    """Return the same for requests that come to an idle process, and for those that come to a busy one.

    A second's CPU time is that per request, on average, less a difference for each request beyond the average share
    that came to a busy process: least squares over the seconds find the difference.

    Args:
        paths: the key paths of the two.
        asked_s: CPU time that each of its visits asks for, indexed like the visits.
        busy: by request, whether it came to a busy process.

    Raises:
        NotEnoughData: no CPU time was sampled while it had visits, or every second had the same share of busy ones.
    """
    seconds = _seconds(observed, paths[0], component, asked_s, busy=busy)
    means = _by_state(seconds)
    if means is None:
        raise NotEnoughData(
            f"{paths[1]}: the share of requests that came while a process of {component!r} was computing does not "
            "differ between the seconds; calibrate with a longer run, or a somewhat higher rate"
        )
    generator = generator_of(paths[1], seconds)
    drawn = (_by_state(seconds[generator.integers(0, len(seconds), len(seconds))]) for _ in range(_RESAMPLES))
    low, high = np.quantile([each for each in drawn if each is not None], [0.025, 0.975], axis=0)
    how = f"CPU time of {component} per request, less its steps', by least squares over {len(seconds)} seconds"
    came_to = (f"an idle process; {how}", f"a busy process ({seconds[:, 2].sum() / seconds[:, 1].sum():.0%}); {how}")
    idle, busier = (
        CalibratedValue(
            value=constant(max(0.0, means[state])),
            mean=max(0.0, means[state]),
            low=max(0.0, float(low[state])),
            high=max(0.0, float(high[state])),
            observations=len(seconds),
            method=came_to[state],
        )
        for state in (0, 1)
    )
    return idle, busier


def _by_state(seconds: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return the CPU time for who comes to an idle process and to a busy one; None if they cannot be told apart."""
    used, came, busy = seconds.T
    if came.sum() == 0:
        return None
    per_request, share = used.sum() / came.sum(), busy.sum() / came.sum()
    beyond = busy - share * came
    if not beyond.any():
        return None
    saved = -float(beyond @ (used - per_request * came) / (beyond @ beyond))
    return float(per_request + share * saved), float(per_request - (1 - share) * saved)


def _seconds(  # the arguments of its two callers
    observed: Observed,
    path: str,
    component: str,
    asked_s: pd.Series[float],
    *,
    serves: Sequence[str] = (),
    busy: pd.Series[bool] | None = None,
) -> NDArray[np.float64]:
    """Return for each second of the run the CPU time beside that of steps, the visits that came, and how many to busy.

    What a visit asks for is spread evenly from its admission to its departure.
    """
    visits = pd.concat([observed.of(name) for name in serves or (component,)])
    samples = observed.run.samples
    samples = samples[(samples["gauge"] == "cpu_ratio") & (samples["component"] == component)]
    window = observed.run.window
    rows = []
    for replication, own in samples.groupby("replication"):
        ratios = own.groupby("time_s")["value"].sum()
        times, values = ratios.index.to_numpy(), ratios.to_numpy()
        here = visits[visits["replication"] == replication]
        came_s = np.asarray(here["arrival_s"])
        begun_s = np.asarray(here["admitted_s"].fillna(here["arrival_s"]))
        spent_s = np.asarray(asked_s.reindex(here.index).fillna(0.0))
        ended_s = np.asarray(here["departure_s"].fillna(here["arrival_s"] + spent_s))
        took_s = np.maximum(ended_s - begun_s, 1e-9)
        marked = np.zeros(len(here)) if busy is None else np.asarray(here["request"].map(busy).fillna(False), float)
        for since_s, until_s, ratio in zip(times[:-1], times[1:], values[1:], strict=True):
            if since_s >= window.start_s and until_s <= window.end_s:
                within = np.clip(np.minimum(ended_s, until_s) - np.maximum(begun_s, since_s), 0.0, None) / took_s
                came = (came_s >= since_s) & (came_s < until_s)
                rows.append((ratio * (until_s - since_s) - within @ spent_s, came.sum(), marked @ came))
    found = np.array(rows, dtype=np.float64).reshape(-1, 3)
    if found[:, 1].sum() == 0:
        raise NotEnoughData(
            f"{path}: no CPU time of {component!r} was sampled while it had requests; calibrate with a measured run of "
            "a few seconds or more"
        )
    return found
