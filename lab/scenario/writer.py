"""Scenarios as YAML that people like to read, and that reads back equal."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from lab.distributions import Constant
from lab.errors import ScenarioError
from lab.quantities import Spec
from lab.scenario.arrivals import ConstantRate
from lab.scenario.calibration import Calibration
from lab.scenario.components import QuerySpec
from lab.scenario.scalars import resolve, trap
from lab.scenario.scenario import Scenario
from lab.scenario.workload import ReplayWorkload

_WIDTH = 110
_DEEPEST_ON_ONE_LINE = 2
_WORD = re.compile(r"[A-Za-z0-9.][\w./%+-]*", re.ASCII)
_SENTENCE = re.compile(r"[A-Za-z](?:[\w./%+()=<>;,?!'* -]*[\w./%)?!])?", re.ASCII)
_UNPRINTABLE = re.compile("[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")

_Plain = dict[str, Any] | list[Any] | str | int | float | bool | None


def to_yaml(scenario: Scenario, *, defaults: bool = False) -> str:
    """Return the scenario as YAML, keys in the order of the models.

    Args:
        scenario: what to write.
        defaults: also write what is absent or empty, as null or []; other defaults are always written, and so is
            what is absent where there is something by default.

    Raises:
        ScenarioError: a text holds half a character (a lone surrogate), which no file can.
    """
    lines = []
    for key, value in _mapping(scenario, defaults).items():
        if key in ("components", "designs") and value:
            lines += [f"{key}:", *_block(value, 2)]
        else:
            lines += _entry(key, value, 0)
    return "\n".join(lines) + "\n"


def write_scenario(scenario: Scenario, path: Path | str) -> None:
    """Write the scenario to a YAML file; a recording that it replays is named as seen from there.

    Raises:
        ScenarioError: the file cannot be written.
    """
    if isinstance(scenario.workload, ReplayWorkload):
        seen = os.path.relpath(scenario.workload.file, Path(path).parent)
        scenario = scenario.with_({"workload.file": Path(seen).as_posix()})
    text = to_yaml(scenario)
    try:
        Path(path).write_text(text, encoding="utf-8", newline="\n")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ScenarioError(f"{path}: the scenario cannot be written ({reason}); choose another place") from error


def _mapping(spec: Spec, defaults: bool) -> dict[str, _Plain]:
    texts = spec.model_dump(mode="json")
    entries = {}
    for name, field in type(spec).model_fields.items():
        value = _plain(getattr(spec, name), texts[name], defaults)
        empty = value is None or value in ([], {}, "")
        if defaults or field.is_required() or not empty or field.get_default(call_default_factory=True):
            entries[name] = value
    return entries


def _plain(value: Any, text: Any, defaults: bool) -> Any:
    """Return a value in its shortest form; ``text`` is how pydantic serialises it, units written out."""
    match value:
        case Constant():
            return text["mean"]
        case ConstantRate():
            return text["rate"]
        case QuerySpec(statement="select", plan=None, measured_as=None):
            return _plain(value.time, text["time"], defaults)
        case Calibration():
            return text  # every default written out, as it was hashed
        case Spec():
            return _mapping(value, defaults)
        case dict():
            return {key: _plain(inside, text[key], defaults) for key, inside in value.items()}
        case tuple():
            return [_plain(inside, below, defaults) for inside, below in zip(value, text, strict=True)]
        case _:
            return text


def _entry(key: str, value: _Plain, indent: int) -> list[str]:
    line = f"{' ' * indent}{_scalar(key, alone=True)}: {_flow(value) if _height(value) else _scalar(value, alone=True)}"
    if _height(value) == 0 or (_height(value) <= _DEEPEST_ON_ONE_LINE and len(line) <= _WIDTH):
        return [line]
    return [f"{' ' * indent}{_scalar(key, alone=True)}:", *_block(value, indent + 2)]


def _block(value: _Plain, indent: int) -> list[str]:
    if isinstance(value, dict):
        return [line for key, inside in value.items() for line in _entry(key, inside, indent)]
    assert isinstance(value, list)  # scalars are written beside their key
    lines = []
    for item in value:
        one_line = f"{' ' * indent}- {_flow(item) if _height(item) else _scalar(item, alone=True)}"
        if _height(item) == 0 or (_height(item) <= _DEEPEST_ON_ONE_LINE + 1 and len(one_line) <= _WIDTH):
            lines.append(one_line)
        else:
            first, *rest = _block(item, indent + 2)
            lines += [f"{' ' * indent}- {first.lstrip()}", *rest]
    return lines


def _height(value: _Plain) -> int:
    match value:
        case dict():
            return 1 + max(map(_height, value.values()), default=0)
        case list():
            return 1 + max(map(_height, value), default=0)
        case _:
            return 0


def _flow(value: _Plain) -> str:
    match value:
        case dict():
            return (
                "{" + ", ".join(f"{_scalar(key, alone=False)}: {_flow(inside)}" for key, inside in value.items()) + "}"
            )
        case list():
            return "[" + ", ".join(map(_flow, value)) + "]"
        case _:
            return _scalar(value, alone=False)


def _scalar(value: _Plain, *, alone: bool) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case float():
            return _number(value)
        case str():
            form = _SENTENCE if alone else _WORD
            plain = form.fullmatch(value) or _WORD.fullmatch(value)
            return value if plain and trap(value) is None and resolve(value) == value else _quoted(value)
        case _:
            raise AssertionError(f"{value!r} is no scalar")


def _number(value: float) -> str:
    mantissa, exponent_sign, exponent = repr(value).partition("e")
    if not exponent_sign:
        return mantissa
    # YAML readers agree on exponents only with a point before and a sign after the e.
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}e{exponent}"


def _quoted(text: str) -> str:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ScenarioError(f"the text {text!a} holds half a character (a lone surrogate); take it out")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return '"' + _UNPRINTABLE.sub(lambda match: f"\\U{ord(match[0]):08X}", escaped) + '"'
