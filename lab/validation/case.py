"""A case of the validation matrix: a scenario, how it is calibrated, and the loads that are held out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from lab.errors import UsageError
from lab.quantities import Spec
from lab.scenario.reader import read_scenario
from lab.scenario.scenario import Scenario
from lab.validation.documents import Changes, read_document

ROWS = 16
"""How many rows the matrix of the validation protocol has."""


class Load(Spec):
    """One held-out load: the scenario with some values changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    changes: Changes = Field(default_factory=dict, alias="with", description="Dotted path to new value.")
    quick: bool = Field(default=False, description="Whether it is part of the quick matrix.")


class CalibrationPlan(Spec):
    """What one run fits before anything is predicted, and at which load."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    changes: Changes = Field(alias="with", description="Dotted path to new value: the load of the calibration.")
    parameters: Annotated[tuple[str, ...], Field(min_length=1)] = Field(description="Dotted paths of what is fitted.")
    repeats: Annotated[int, Field(ge=1, le=20)] = Field(
        default=1, description="How often it is measured; more than once where CPU times decide, which drift."
    )


def _plans(given: object) -> object:
    """A plan alone is short for a list of one."""
    return [given] if isinstance(given, Mapping) else given


def _fitted_once(plans: tuple[CalibrationPlan, ...]) -> tuple[CalibrationPlan, ...]:
    paths = [path for plan in plans for path in plan.parameters]
    twice = sorted({path for path in paths if paths.count(path) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)}: fitted by several runs; name each parameter in one of them")
    return plans


class Case(Spec):
    """One row of the matrix, or one of several that a row consists of.

    Attributes of the file beside its scenario: the stem of its name is the case's name.
    """

    row: Annotated[int, Field(ge=1, le=ROWS)] | None = Field(
        default=None,
        description="Row of the matrix in the protocol, from 1. None: a twin of a system, judged beside the matrix.",
    )
    model: str = Field(description="The model that is judged.")
    counterpart: str = Field(description="The real thing beside it.")
    scenario: str = Field(description="File name of the scenario, in the folder above the case's.")
    calibration: Annotated[
        tuple[CalibrationPlan, ...], Field(min_length=1), BeforeValidator(_plans), AfterValidator(_fitted_once)
    ] = Field(description="One run after the other, each with the values of those before it: an endpoint at a time.")
    loads: Annotated[dict[str, Load], Field(min_length=1)]
    repeats: Annotated[int, Field(ge=5, le=50)] | None = Field(
        default=None,
        description="Valid repeats of each load in the full matrix, stated before it is measured where its noise is "
        "known to be near a margin. None: five.",
    )
    figures: tuple[str, ...] = Field(
        default=(), description="What is judged beside the usual figures: metric@subject, or a figure over time."
    )
    host: bool = Field(default=False, description="Whether the case is about the host's CPU, which may be busy then.")
    name: str = ""
    folder: Path = Path()

    def base(self) -> Scenario:
        """Return the scenario that the loads vary.

        Raises:
            ScenarioError: it cannot be read.
        """
        return read_scenario(self.folder.parent / self.scenario)

    def chosen(self, *, quick: bool) -> dict[str, Load]:
        """Return the loads of the quick or of the full matrix, in the file's order."""
        return {name: load for name, load in self.loads.items() if load.quick or not quick}


def read_cases(folder: Path, names: tuple[str, ...] = ()) -> list[Case]:
    """Return the cases in a folder, by row and name; all of them if none is named.

    Raises:
        UsageError: the folder holds no case, a name is not one of them, or a file is not a valid case.
    """
    files = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    if not files:
        raise UsageError(f"{folder}: holds no case (*.yaml), so there is nothing to validate; name another by --cases")
    strangers = [name for name in names if name not in files]
    if strangers:
        raise UsageError(f"{', '.join(strangers)}: no such case in {folder} (there are: {', '.join(files)})")
    cases = [read_case(files[name]) for name in (names or files)]
    return sorted(cases, key=lambda case: in_order(case.row, case.name))


def in_order(row: int | None, name: str) -> tuple[int, str]:
    """Return what puts cases in order: by row and name, the systems' twins last."""
    return (ROWS + 1 if row is None else row, name)


def read_case(path: Path) -> Case:
    """Return the case in a file.

    Raises:
        UsageError: it cannot be read, or is not a valid case.
    """
    return read_document(path, Case, what="a case", name=path.stem, folder=path.parent)
