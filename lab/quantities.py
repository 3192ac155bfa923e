"""Field types of the scenario language: text with a unit outside, an SI float inside."""

from __future__ import annotations

import sys
from functools import cache
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    TypeAdapter,
    WithJsonSchema,
)

from lab.units import (
    format_bandwidth,
    format_bytes,
    format_duration,
    format_rate,
    format_ratio,
    parse_bandwidth,
    parse_bytes,
    parse_duration,
    parse_rate,
    parse_ratio,
)


class Spec(BaseModel):
    """What every part of a scenario is: frozen, and strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


@cache
def default_of(spec: type[Spec], key: str) -> object:
    """Return the default of a key as it is inside, where a text with a unit has become a number of SI units."""
    field = spec.model_fields[key]
    default = field.get_default(call_default_factory=True)
    if not field.validate_default:
        return default
    # Metadata of the annotation itself stands apart; that of a member of a union is within it still.
    kind = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    adapter: TypeAdapter[object] = TypeAdapter(kind)  # type: ignore[arg-type]  # made at run time
    return adapter.validate_python(default)


def _not_negative(value: float) -> float:
    if value < 0:
        raise ValueError(f"{value!r} is negative; it must be 0 or more")
    return value


def _positive(value: float) -> float:
    if value <= 0:
        raise ValueError(f"{value!r} is not positive; it must be more than 0")
    return value


def _share(value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"a share lies between 0% and 100%, this is {value * 100:g}%")
    return value


def _finite(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is not a plain number")
    if not abs(value) <= sys.float_info.max:  # also false for NaN
        raise ValueError(f"{value!r} is not a finite number")
    return value


def _count(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{value!r} is not a whole number")
    return value


_NUMBER = r"\d*\.?\d+([eE][+-]?\d+)?\s*"
_FROM_ZERO, _ABOVE_ZERO = r"^\s*", r"^\s*(?=[^eE]*[1-9])"  # the latter asks for a digit other than 0
_TIME, _PER_TIME, _PERCENT, _SIZE = r"(ns|us|µs|ms|s|min|h)\s*$", r"/(s|min|h)\s*$", r"%\s*$", r"(B|KiB|MiB|GiB)\s*$"
_BITS = r"(bit|kbit|Mbit|Gbit)/s\s*$"

PATTERNS = {
    _FROM_ZERO + _NUMBER + _TIME: ("time", "250ms"),
    _ABOVE_ZERO + _NUMBER + _TIME: ("time above 0", "250ms"),
    _FROM_ZERO + _NUMBER + _PER_TIME: ("rate", "200/s"),
    _FROM_ZERO + _NUMBER + _PERCENT: ("share", "99%"),
    _ABOVE_ZERO + _NUMBER + _SIZE: ("size", "4KiB"),
    _ABOVE_ZERO + _NUMBER + _BITS: ("bandwidth", "12Mbit/s"),
}
"""Pattern of a quantity in the JSON Schema to what it is, and an example."""


def _text_schema(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": [PATTERNS[pattern][1]]})


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    AfterValidator(_not_negative),
    PlainSerializer(format_duration),
    _text_schema(_FROM_ZERO + _NUMBER + _TIME),
]
"""A time of 0 s or more, inside in seconds."""

PositiveDuration = Annotated[
    float,
    BeforeValidator(parse_duration),
    AfterValidator(_positive),
    PlainSerializer(format_duration),
    _text_schema(_ABOVE_ZERO + _NUMBER + _TIME),
]
"""A time above 0 s, inside in seconds."""

Rate = Annotated[
    float,
    BeforeValidator(parse_rate),
    AfterValidator(_not_negative),
    PlainSerializer(format_rate),
    _text_schema(_FROM_ZERO + _NUMBER + _PER_TIME),
]
"""Events per time, inside per second."""

Ratio = Annotated[
    float,
    BeforeValidator(parse_ratio),
    AfterValidator(_share),
    PlainSerializer(format_ratio),
    _text_schema(_FROM_ZERO + _NUMBER + _PERCENT),
]
"""A share between 0 % and 100 %, inside between 0 and 1."""

Bytes = Annotated[
    float,
    BeforeValidator(parse_bytes),
    AfterValidator(_positive),
    PlainSerializer(format_bytes),
    _text_schema(_ABOVE_ZERO + _NUMBER + _SIZE),
]
"""A size above 0, inside in bytes."""

Bandwidth = Annotated[
    float,
    BeforeValidator(parse_bandwidth),
    AfterValidator(_positive),
    PlainSerializer(format_bandwidth),
    _text_schema(_ABOVE_ZERO + _NUMBER + _BITS),
]
"""Bits per second above 0."""

Number = Annotated[float, BeforeValidator(_finite)]
"""A finite plain number."""

Count = Annotated[int, BeforeValidator(_count), Field(ge=1, le=10_000_000)]
"""A whole number, 1 or more."""

CountOrZero = Annotated[int, BeforeValidator(_count), Field(ge=0, le=10_000_000)]
"""A whole number, 0 or more."""
