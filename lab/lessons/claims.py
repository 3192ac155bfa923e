"""What is said to make a backend quick, as statements that are tested: where each holds, and where it does not.

::

    claim: an advice -- figure without it, figure with it -+- in worlds where it holds
                                                           `- in worlds where it fails
    each world: a scenario with changes (predicted); where the reference backend was measured, loads of its matrix

The statements are data (``scenarios/do_and_dont.yaml``). A statement is as stated if each figure lies in the band that
its world names for it, so that a simulator in which an advice no longer helps, or always does, is found out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from lab.errors import NotEnoughData, UsageError
from lab.quantities import Number, Spec
from lab.scenario.reader import read_scenario
from lab.scenario.scenario import Scenario
from lab.validation.documents import Changes, read_document
from lab.validation.ledger import CaseRecord
from lab.validation.observation import Observation, observe
from lab.validation.predicting import quietly_simulated

Band = tuple[Number, Number]


class Recorded(Spec):
    """A load of the matrix, and the band in which its measured figure lies."""

    case: str = Field(description="The case: the stem of its record's file.")
    load: str = Field(description="The name of the load.")
    within: Band = Field(description="Lowest and highest, SI units.")


class Measurement(Spec):
    """What was measured on the reference backend of a world like this one."""

    figure: str | None = Field(default=None, description="metric@subject; None: the world's.")
    without: Recorded | None = Field(default=None, description="Without the advice, where that was measured.")
    advised: Recorded = Field(description="With the advice.")


class World(Spec):
    """A condition under which the claim is judged."""

    when: str = Field(description="The condition, in words that follow 'when'.")
    scenario: str | None = Field(default=None, description="Another scenario than the claim's.")
    figure: str | None = Field(default=None, description="Another figure than the claim's.")
    changes: Changes = Field(default_factory=dict, description="What makes this world, with and without the advice.")
    instead_of_without: Changes | None = Field(default=None, description="Replaces the claim's changes.")
    instead_of_advised: Changes | None = Field(default=None, description="Replaces the claim's changes.")
    without: Band | None = Field(default=None, description="Lowest and highest without the advice; None: no such run.")
    advised: Band = Field(description="Lowest and highest with the advice.")
    measured: Measurement | None = Field(default=None, description="None: not measured.")


class Claim(Spec):
    """An advice, the figure that it is to change, and the worlds in which it does and does not."""

    name: str = Field(description="Two or three words.")
    says: str = Field(description="What is claimed.")
    why: str = Field(description="The mechanism that decides.")
    scenario: str = Field(description="File of the scenario, relative to the folder of the claims.")
    figure: str = Field(description="metric@subject, of the whole run if no subject is given.")
    without: Changes = Field(description="What undoes the advice.")
    advised: Changes = Field(description="What follows it.")
    holds: Annotated[tuple[World, ...], Field(min_length=1)]
    fails: Annotated[tuple[World, ...], Field(min_length=1)]

    @property
    def worlds(self) -> tuple[tuple[bool, World], ...]:
        """Each world, with whether the claim holds there."""
        return (*((True, each) for each in self.holds), *((False, each) for each in self.fails))


class Untested(Spec):
    """A claim of the guides that is not judged here, and why."""

    says: str
    because: str


class Claims(Spec):
    """The file: its claims in order, and what is left out."""

    claims: Annotated[tuple[Claim, ...], Field(min_length=1)]
    untested: tuple[Untested, ...] = ()
    folder: Path = Field(description="Where the scenarios' names start from.")

    @model_validator(mode="after")
    def _named_apart(self) -> Claims:
        names = [each.name for each in self.claims]
        if len(set(names)) < len(names):
            raise ValueError(f"two claims share a name; give each its own: {', '.join(names)}")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One figure without and with the advice, in SI units; ``without`` is None where there is no such run."""

    figure: str
    unit: str
    without: float | None
    advised: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found in one world.

    Attributes:
        claim, world: what was judged.
        holds: whether the claim is said to hold there.
        predicted: the simulated figures.
        measured: those of the reference backend; None where it was not measured, or not well enough to judge.
        strays: each figure that lies outside of its band, as a sentence; empty if all is as stated.
    """

    claim: Claim
    world: World
    holds: bool
    predicted: Pair
    measured: Pair | None
    strays: tuple[str, ...]


def read_claims(path: str | Path) -> Claims:
    """Return the claims of a file.

    Raises:
        UsageError: it cannot be read, or is not valid.
    """
    file = Path(path)
    return read_document(file, Claims, what="claims", folder=file.parent)


def judge(claims: Claims, claim: Claim, records: Mapping[str, CaseRecord]) -> list[Finding]:
    """Return what is found in each world of a claim: simulated now, measured as recorded.

    Args:
        claims: the file that it is from.
        claim: which.
        records: of the matrix, by case.

    Raises:
        UsageError: a load is not among the records.
        NotEnoughData: a run does not have the figure.
    """
    return [_found(claims.folder, claim, world, holds=holds, records=records) for holds, world in claim.worlds]


def _found(folder: Path, claim: Claim, world: World, *, holds: bool, records: Mapping[str, CaseRecord]) -> Finding:
    scenario = read_scenario(folder / (world.scenario or claim.scenario)).with_(world.changes)
    figure = world.figure or claim.figure
    undone = claim.without if world.instead_of_without is None else world.instead_of_without
    followed = claim.advised if world.instead_of_advised is None else world.instead_of_advised
    measured, strays = None, []
    if world.measured is not None:  # first: a record that is missing is told before anything is simulated
        measured = _measured(world.measured, world.measured.figure or figure, records)
    if world.measured is not None and measured is not None:
        before = world.measured.without
        strays = _strays("measured", measured, before.within if before else None, world.measured.advised.within)
    advised, unit = _simulated(scenario.with_(followed), figure)
    without = None if world.without is None else _simulated(scenario.with_(undone), figure)[0]
    predicted = Pair(figure=figure, unit=unit, without=without, advised=advised)
    strays = _strays("predicted", predicted, world.without, world.advised) + strays
    return Finding(claim=claim, world=world, holds=holds, predicted=predicted, measured=measured, strays=tuple(strays))


def _simulated(scenario: Scenario, figure: str) -> tuple[float, str]:
    """One replication: what is claimed here is so large that luck does not decide it."""
    return _read(observe(quietly_simulated(scenario.with_({"run.replications": 1})), [figure]), figure)


def _measured(measurement: Measurement, figure: str, records: Mapping[str, CaseRecord]) -> Pair | None:
    advised = _recorded(measurement.advised, records)
    without = None if measurement.without is None else _recorded(measurement.without, records)
    if advised is None or (without is None and measurement.without is not None):
        return None
    value, unit = _read(advised, figure)
    return Pair(figure=figure, unit=unit, without=None if without is None else _read(without, figure)[0], advised=value)


def _recorded(of: Recorded, records: Mapping[str, CaseRecord]) -> Observation | None:
    """Return what was measured of a load; None where no repeat was fit to judge by."""
    loads = {load.load: load for load in records[of.case].loads} if of.case in records else {}
    if of.load not in loads:
        known = ", ".join(loads) or f"none of {of.case!r}; the cases are {', '.join(records)}"
        raise UsageError(f"no record of load {of.load!r} of case {of.case!r} (there are: {known}); name another")
    return loads[of.load].measured


def _read(observation: Observation, figure: str) -> tuple[float, str]:
    """Return the mean of a figure over repeats, and its unit."""
    name = figure if "@" in figure else f"{figure}@all"
    over_time = observation.series.get(figure)  # a list a repeat: of faults their times
    values = [value for row in over_time for value in row] if over_time else list(observation.figures.get(name, ()))
    known = [value for value in values if not math.isnan(value)]
    if not known:
        raise NotEnoughData(f"there is no {name} (there are: {', '.join(observation.figures)}); claim another figure")
    return math.fsum(known) / len(known), observation.units.get(name, "s" if figure.endswith("_s") else "")


def _strays(world: str, pair: Pair, without: Band | None, advised: Band) -> list[str]:
    bands = (("without it", pair.without, without), ("with it", pair.advised, advised))
    return [
        f"{world} {pair.figure} {which} is {value:.4g}, stated from {band[0]:g} to {band[1]:g}"
        for which, value, band in bands
        if value is not None and band is not None and not band[0] <= value <= band[1]
    ]
