"""A calibration: parameter values that were fitted to a measurement, frozen and hashed, laid over a scenario.

A scenario refers to it by ``calibration: FILE``. Its values replace the scenario's when the file is read; the whole
of it travels with the scenario from then on, so that a Run can tell where its values came from, and how sure they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, WithJsonSchema

from lab.distributions import Distribution, scaled
from lab.errors import ScenarioError, UsageError
from lab.quantities import CountOrZero, Number, Spec
from lab.randomness import Stream, name_key

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario

_MOST_BYTES = 2**24
_HALF_WIDTH = NormalDist().inv_cdf(0.975)  # of a 95 % interval, in standard errors
_TEXTS = (
    *("name", "question", "facts", "assumptions", "not_modelled", "objectives", "prices", "calibration"),
    *("scale", "designs"),  # what was run has the values of its slice and design
)


class CalibratedValue(Spec):
    """One parameter's value, and how sure it is."""

    value: CountOrZero | Number | Distribution = Field(description="What replaces the scenario's value.")
    mean: Number = Field(description="Mean of a time in seconds, or the number itself.")
    low: Number = Field(description="Lower end of the 95 % interval of the mean.")
    high: Number = Field(description="Upper end of it.")
    observations: CountOrZero = Field(description="How many observations it was fitted to, censored ones included.")
    censored: CountOrZero = Field(default=0, description="How many of them are only known to be longer than a bound.")
    method: str = Field(description="How it was found.")


class CalibratedRange(Spec):
    """Where the calibration was made; beyond it a prediction extrapolates."""

    arrival_rate_per_s: Number = Field(description="The highest arrival rate of requests.")
    endpoints: tuple[str, ...] = Field(description="The endpoints that were asked for.")
    utilisation: dict[str, Number] = Field(description="Place to its highest utilisation, by the arithmetic.")


class Residual(Spec):
    """How far the simulator with these values is from the calibration's own measurement."""

    figure: str = Field(description="Of the sojourn time: mean, p50 or p95; of all requests or of one endpoint.")
    predicted_s: Number
    measured_s: Number

    @property
    def error(self) -> float:
        """Relative error of the prediction."""
        return self.predicted_s / self.measured_s - 1


class Calibration(Spec):
    """Fitted parameters, what they were fitted to, and the hash over all of it."""

    schema_version: Literal[1] = 1
    parameters: dict[str, CalibratedValue] = Field(min_length=1, description="Key path of a scenario to its value.")
    source: Literal["server", "client"] = Field(description="Server-side spans, or the client's sojourn times alone.")
    world: Literal["measured", "predicted"]
    scenario: str = Field(description="Name of the scenario that was run.")
    scenario_sha256: str = Field(description="Fingerprint of that scenario, its texts and run left out.")
    range: CalibratedRange
    residuals: tuple[Residual, ...] = ()
    notes: tuple[str, ...] = Field(default=(), description="What to know about it.")
    host: dict[str, Any] = Field(default={}, description="The machine that was measured.")
    versions: dict[str, str] = Field(default={}, description="Of the software that took part.")
    date: str = Field(description="When it was made (UTC).")
    sha256: str = Field(default="", description="Of everything else here in its canonical form.")

    def sealed(self) -> Calibration:
        """Return it with its hash."""
        return self.model_copy(update={"sha256": fingerprint(self.to_document())})

    def to_document(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return self.model_dump(mode="json")

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with these values, which remembers where they came from.

        Raises:
            ScenarioError: the scenario lacks one of the paths, or a value does not fit there.
        """
        try:
            return scenario.with_({**as_changes(self.parameters), "calibration": self.to_document()})
        except ScenarioError as error:
            raise ScenarioError(
                f"the calibration of {self.scenario!r} ({self.sha256[:12]}) does not fit {scenario.name!r}: {error}"
            ) from error

    @classmethod
    def load(cls, path: Path | str) -> Calibration:
        """Return the calibration in a file; see :func:`read_calibration`."""
        return read_calibration(path)

    def save(self, path: Path | str) -> Path:
        """Write it as JSON and return the path.

        Raises:
            UsageError: the file cannot be written.
        """
        text = json.dumps(self.to_document(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        try:
            Path(path).write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{path}: cannot be written ({error.strerror}); name another file") from error
        return Path(path)


def as_changes(found: Mapping[str, CalibratedValue]) -> dict[str, Any]:
    """Return the values as a variant of a scenario takes them: key path to plain JSON value."""
    return {path: _plain(each.value) for path, each in found.items()}


def fingerprint(document: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of the canonical content of a calibration, its own hash left out."""
    return canonical_sha256({key: value for key, value in document.items() if key != "sha256"})


def canonical_sha256(document: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of a JSON document, however its keys are ordered."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def scenario_fingerprint(scenario: Scenario) -> str:
    """Return the SHA-256 (hex) of what a scenario describes: parts, clients, workload; no texts, no run."""
    kept = {key: value for key, value in scenario.to_document().items() if key not in (*_TEXTS, "run")}
    return fingerprint(kept)


def read_calibration(path: Path | str) -> Calibration:
    """Return the calibration in a file.

    Raises:
        ScenarioError: the file cannot be read, is no calibration, or its hash does not match its content.
    """
    try:
        with Path(path).open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ScenarioError(f"{path}: the calibration cannot be read ({reason}); check the path") from error
    if len(raw) > _MOST_BYTES:
        raise ScenarioError(f"{path}: is larger than {_MOST_BYTES} bytes; no calibration is")
    try:
        return checked(json.loads(raw))
    except (ValueError, RecursionError) as error:  # what is not UTF-8 or JSON, too
        raise ScenarioError(f"{path}: {error}") from error


def checked(document: Any) -> Calibration:
    """Return the calibration that a document holds.

    Raises:
        ValueError: it is no calibration, or its hash does not match its content.
    """
    if not isinstance(document, Mapping):
        raise ValueError("this is no calibration; write one with `lab calibrate`")
    try:
        calibration = Calibration.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"this is no calibration: {place}: {first['msg']}; write one with `lab calibrate`") from error
    if fingerprint(document) != calibration.sha256:
        raise ValueError(
            "its sha256 does not match its content: it was changed after it was frozen, so nobody knows what it was "
            "fitted to; calibrate again (a variant of a value belongs into the scenario)"
        )
    return calibration


def _given(value: object, info: ValidationInfo) -> object:
    if isinstance(value, str):
        folder = (info.context or {}).get("folder")
        path = Path(value) if folder is None else folder / value
        try:
            return read_calibration(path)
        except ScenarioError as error:
            raise ValueError(str(error)) from error
    return value if value is None or isinstance(value, Calibration) else checked(value)


GivenCalibration = Annotated[
    Calibration | None,
    BeforeValidator(_given),
    WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1}, {"type": "object"}, {"type": "null"}]}),
]
"""A calibration: named by its file, whose values are then laid over the scenario, or the whole of it, laid already."""


def told_of(scenario: Scenario) -> dict[str, Any]:
    """Return what the provenance of a Run says of the scenario's calibration: nothing if it has none."""
    return {} if scenario.calibration is None else {"calibration_sha256": scenario.calibration.sha256}


def moved(scenario: Scenario, *, seed: int, replication: int) -> Scenario:
    """Return the scenario as one replication has it: calibrated means moved by as much as they are unsure.

    Each mean is drawn from a normal distribution (one half a side) whose 95 % interval is that of the calibration, at
    the address (seed, replication, stream ``calibration``, its path), and the time scaled to it. Replication 0 stays at
    the point estimates, so that it remains paired with a measurement. What a variant has set otherwise stays too.
    """
    from lab.scenario.variants import value_at  # here, because variants build Scenarios

    calibration = scenario.calibration
    if calibration is None or replication == 0:
        return scenario
    stream = Stream(seed=seed, replication=replication, name="calibration")
    document = scenario.to_document()
    changes: dict[str, Any] = {}
    for path, parameter in calibration.parameters.items():
        if parameter.low == parameter.high or value_at(document, path) != _plain(parameter.value):
            continue
        errors = NormalDist().inv_cdf(stream.uniform(name_key(path))) / _HALF_WIDTH
        span = parameter.high - parameter.mean if errors > 0 else parameter.mean - parameter.low
        changes[path] = _moved(parameter, parameter.mean + errors * span)
    return scenario.with_(changes) if changes else scenario


def _moved(parameter: CalibratedValue, mean: float) -> Any:
    value = parameter.value
    if isinstance(value, int):
        return max(1, round(mean))
    if isinstance(value, float):
        return max(0.0, mean)
    factor = max(mean, 0.05 * parameter.mean) / parameter.mean if parameter.mean else 1.0
    return scaled(value, factor).model_dump(mode="json")


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, Spec) else value
