"""Laws of parallel steps that do not wait for all branches: enough good ones, in time, and every branch has a row."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from lab.scenario.components import Service
from lab.scenario.scenario import Scenario
from lab.scenario.service import fan_outs
from lab.scenario.steps import ParallelStep

_ROUNDING_S = 1e-9
_ATTEMPT = ["replication", "request", "attempt"]


def broken_fan_out_laws(scenario: Scenario, visits: pd.DataFrame) -> Iterator[str]:
    """Yield a sentence with numbers for each law that the parallel steps of a predicted Run break."""
    for name, part in scenario.components.items():
        steps = fan_outs(part) if isinstance(part, Service) else []
        if steps:
            taken = visits[visits["component"] == f"{name}.parallel"]
            branches = visits[visits["component"] == f"{name}.branches"]
            yield from _endings(name, steps, taken)
            yield from _patience(name, steps, taken)
            yield from _widths(name, steps, taken, branches)
            if len(steps) == 1:
                yield from _enough(name, steps[0], taken, branches)


def _endings(name: str, steps: list[ParallelStep], taken: pd.DataFrame) -> Iterator[str]:
    """A step that has failed says so; one with an answer does not; part of one only where that is allowed."""
    ended = taken[taken["departure_s"].notna()]
    failed = ended["operation"] == "failed"
    if (failed != (ended["outcome"] == "error")).any():
        yield f"fan-out: of {len(ended)} at {name} {int(failed.sum())} failed, but their outcomes say otherwise"
    partial = int((ended["operation"] == "partial").sum())
    if partial and not any(step.on_failure == "partial" for step in steps):
        yield f"fan-out: {partial} at {name} went on with part of an answer, which no step there allows"


def _patience(name: str, steps: list[ParallelStep], taken: pd.DataFrame) -> Iterator[str]:
    """No step outlasts the timeout of its branches."""
    limits_s = [step.timeout for step in steps if step.timeout is not None]
    if len(limits_s) < len(steps):
        return
    longest_s = (taken["departure_s"] - taken["arrival_s"]).max()
    if longest_s > max(limits_s) + _ROUNDING_S:
        yield f"fan-out: a step at {name} took {longest_s:.9f} s, longer than its branches may ({max(limits_s):g} s)"


def _widths(name: str, steps: list[ParallelStep], taken: pd.DataFrame, branches: pd.DataFrame) -> Iterator[str]:
    """Each step begins all of its branches, and nobody else begins any; those of the last moment may be missing."""
    least, most = min(step.width for step in steps), max(step.width for step in steps)
    begun = taken.groupby("replication", observed=True).size()
    rows = branches.groupby("replication", observed=True).size().reindex(begun.index, fill_value=0)
    if (rows > most * begun).any() or (rows < least * (begun - 1)).any():
        yield f"fan-out: {len(taken)} at {name} of {least} to {most} branches each, but {len(branches)} branches"


def _enough(name: str, step: ParallelStep, taken: pd.DataFrame, branches: pd.DataFrame) -> Iterator[str]:
    """A full answer has as many good branches as it waited for when it went on; any other has fewer."""
    alone = taken[taken["departure_s"].notna() & ~taken.duplicated(_ATTEMPT, keep=False)]
    rows = branches[branches["outcome"] == "ok"].merge(alone, on=_ATTEMPT, suffixes=("", "_of_step"))
    before_s = rows["departure_s_of_step"] - rows["departure_s"]
    keys = [rows[column] for column in _ATTEMPT]
    by_then, earlier = ((before_s >= least_s).groupby(keys).sum() for least_s in (0.0, _ROUNDING_S))
    found = alone.set_index(_ATTEMPT)
    by_then, earlier = (good.reindex(found.index, fill_value=0) for good in (by_then, earlier))
    full = found["operation"] == "full"
    crashed = found["operation"] == "failed"  # a process that died leaves its good branches unused
    wrong = int((full & (by_then < step.wanted)).sum() + (~full & ~crashed & (earlier >= step.wanted)).sum())
    if wrong:
        yield f"fan-out: {wrong} steps at {name} say full with fewer than {step.wanted} good branches, or the reverse"
