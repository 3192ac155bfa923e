"""A case of the validation matrix: a scenario, how it is calibrated, and the loads that are held out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from lab.errors import UsageError
from lab.quantities import Spec
from lab.scenario.reader import read_scenario
from lab.scenario.scenario import Scenario

Changes = dict[str, Any]
ROWS = 16
"""How many rows the matrix of the validation protocol has."""


class Load(Spec):
    """One held-out load: the scenario with some values changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    changes: Changes = Field(default_factory=dict, alias="with", description="Dotted path to new value.")
    quick: bool = Field(default=False, description="Whether it is part of the quick matrix.")


class CalibrationPlan(Spec):
    """What is fitted before anything is predicted, and at which load."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    changes: Changes = Field(alias="with", description="Dotted path to new value: the load of the calibration.")
    parameters: Annotated[tuple[str, ...], Field(min_length=1)] = Field(description="Dotted paths of what is fitted.")
    repeats: Annotated[int, Field(ge=1, le=20)] = Field(
        default=1, description="How often it is measured; more than once where CPU times decide, which drift."
    )


class Case(Spec):
    """One row of the matrix, or one of several that a row consists of.

    Attributes of the file beside its scenario: the stem of its name is the case's name.
    """

    row: Annotated[int, Field(ge=1, le=ROWS)] = Field(description="Row of the matrix in the protocol, from 1.")
    model: str = Field(description="The model that is judged.")
    counterpart: str = Field(description="The real thing beside it.")
    scenario: str = Field(description="File name of the scenario, in the folder above the case's.")
    calibration: CalibrationPlan
    loads: Annotated[dict[str, Load], Field(min_length=1)]
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
    return sorted(cases, key=lambda case: (case.row, case.name))


def read_case(path: Path) -> Case:
    """Return the case in a file.

    Raises:
        UsageError: it cannot be read, or is not a valid case.
    """
    try:
        document = YAML(typ="safe", pure=True).load(path.read_text())
        if not isinstance(document, Mapping):
            raise UsageError(
                f"{path}: is not a case; it must be a mapping with the keys {', '.join(Case.model_fields)}"
            )
        return Case.model_validate({**document, "name": path.stem, "folder": path.parent})
    except (OSError, YAMLError) as error:
        raise UsageError(f"{path}: cannot be read as YAML ({error})") from error
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        raise UsageError(f"{path}: is not a valid case:\n" + "\n".join(problems)) from error
