"""The Scenario: one description that is simulated and measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ModelWrapValidatorHandler, ValidationError, model_validator

from lab.errors import ScenarioError
from lab.quantities import Count, CountOrZero, Duration, PositiveDuration, Spec
from lab.scenario.calibration import Calibration, GivenCalibration
from lab.scenario.client import Client
from lab.scenario.components import Component
from lab.scenario.consistency import inconsistencies
from lab.scenario.designs import Designs
from lab.scenario.explain import explain
from lab.scenario.faults import Fault
from lab.scenario.names import Name
from lab.scenario.objectives import Objective
from lab.scenario.prices import Prices
from lab.scenario.problems import Problem, scenario_error
from lab.scenario.scale import Scale
from lab.scenario.workload import Workload


class Fact(Spec):
    """Something that a source says."""

    says: str = Field(description="What the source says.")
    source: str = Field(description="Where it says so.")


class RunSpec(Spec):
    """How long, how often, and from which seed."""

    duration: PositiveDuration = Field(description="How long a replication lasts.")
    warm_up: Duration | Literal["auto"] = Field(
        default="0s",
        validate_default=True,
        description="Time at the start that figures leave out; auto: found by MSER-5.",
    )
    replications: Count = Field(default=20, description="Independent replications of the simulation.", le=10_000)
    seed: CountOrZero = Field(default=1, description="Where all chance comes from.")

    @model_validator(mode="after")
    def _warm_up_ends(self) -> RunSpec:
        if self.warm_up != "auto" and self.warm_up >= self.duration:
            raise ValueError(
                f"warm_up ({self.warm_up:g} s) must end before the run ({self.duration:g} s) does: nothing would remain"
            )
        return self


class Scenario(Spec):
    """A workload, its clients, the parts of a backend, and what it should achieve."""

    name: Name = Field(description="A short name: small letters, digits, underscores.")
    question: str = Field(default="", description="The question that this scenario answers.")
    facts: tuple[Fact, ...] = Field(default=(), description="Only what a source says; all else is assumed.")
    assumptions: tuple[str, ...] = Field(default=(), description="What is taken for granted.")
    not_modelled: tuple[str, ...] = Field(default=(), description="What is left out on purpose.")
    workload: Workload = Field(description="Who asks for what, when.")
    client: Client = Field(default=Client(), description="What a client does when no good answer comes in time.")
    entry: str = Field(description="The component that clients call.")
    components: dict[Name, Component] = Field(min_length=1, description="The parts, by name.")
    faults: tuple[Fault, ...] = Field(default=(), description="What goes wrong, and when.")
    objectives: tuple[Objective, ...] = Field(default=(), description="What the backend should achieve.")
    prices: Prices | None = Field(default=None, description="What the parts cost. None: costs are no matter.")
    scale: Scale | None = Field(
        default=None,
        description="Which slice of the whole runs. None: the whole, so that its values are what runs.",
    )
    designs: Designs = Field(
        default={},
        description="Variants to decide between (`lab decide`): name to what stands there instead, by key path, such "
        "as `{components.api.replicas: 4}`; a part that the scenario lacks may be added. The first is what the others "
        "are compared with; `{}` is the scenario itself, which is what runs alone.",
    )
    calibration: GivenCalibration = Field(
        default=None,
        description="The file of a calibration (lab calibrate), relative to the folder of a scenario file: its values "
        "replace those that are written here. None: nothing was calibrated.",
    )
    run: RunSpec = Field(description="How long, how often, from which seed.")

    @model_validator(mode="wrap")
    @classmethod
    def _explained(cls, document: Any, build: ModelWrapValidatorHandler[Scenario]) -> Scenario:
        try:
            scenario = build(document)
        except ValidationError as error:
            raise scenario_error(explain(error, document=document, model=cls)) from error
        problems = inconsistencies(scenario)
        if problems:
            raise scenario_error(problems)
        if scenario.scale is not None or scenario.designs:
            _check_variants(scenario)
        if isinstance(document, Mapping) and isinstance(document.get("calibration"), str):
            assert scenario.calibration is not None  # it was read from that file
            return _laid_over(scenario, scenario.calibration)
        return scenario

    def to_document(self) -> dict[str, Any]:
        """Return the scenario as plain dicts, lists and texts with units, every default filled in."""
        return self.model_dump(mode="json")

    def with_(self, changes: Mapping[str, Any]) -> Scenario:
        """Return a variant: the same scenario with the values at these dotted paths replaced.

        Args:
            changes: dotted path to new value, such as ``{"components.api.replicas": 4}``; list items by number.

        Raises:
            ScenarioError: a path leads nowhere, or the variant is not a valid scenario.
        """
        from lab.scenario.variants import vary  # here, because variants build Scenarios

        return vary(self, changes)

    def sliced(self, share: str | float | None = None) -> Scenario:
        """Return what runs of it, which is what ``simulate`` and ``measure`` take: the slice that ``scale`` says.

        It remembers that it is one, and has no designs. Without a ``scale`` it is the scenario itself.

        Args:
            share: of the whole, such as ``"1%"``; that of the scenario if not given.

        Raises:
            ScenarioError: a whole number cannot be sliced so thin, the slice is not valid, or there is no scale.
        """
        from lab.scenario.slices import sliced  # here, because it builds Scenarios

        return sliced(self, share)

    def design(self, name: str) -> Scenario:
        """Return one of its designs: its changes laid over the values of the whole; the scale stays.

        Raises:
            ScenarioError: there is no such design.
        """
        from lab.scenario.slices import design  # here, because it builds Scenarios

        return design(self, name)

    def with_calibration(self, calibration: Calibration) -> Scenario:
        """Return the scenario with the values of a calibration, which it remembers.

        Raises:
            ScenarioError: the scenario lacks one of its paths, or a value does not fit there.
        """
        return calibration.apply(self)

    def _repr_markdown_(self) -> str:
        from lab.scenario.topology import mermaid  # here, because it reads Scenarios

        return f"**{self.name}**: {self.question}\n\n```mermaid\n{mermaid(self)}\n```"


def _check_variants(scenario: Scenario) -> None:
    from lab.scenario.slice_consistency import variant_problems  # here, because it builds Scenarios

    problems = variant_problems(scenario)
    if problems:
        raise scenario_error(problems)


def _laid_over(scenario: Scenario, calibration: Calibration) -> Scenario:
    try:
        return calibration.apply(scenario)
    except ScenarioError as error:
        raise scenario_error([Problem(path=("calibration",), message=str(error))]) from error
