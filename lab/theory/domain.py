"""The domains of arguments: each check returns the value, or says what is wrong with it and why."""

from __future__ import annotations

import math
import operator
from typing import SupportsIndex

from lab.errors import DomainError


def positive(value: float, *, name: str, unit: str = "") -> float:
    """Return ``value`` as a float if it is finite and above 0.

    >>> positive(2, name="service_time_s")
    2.0
    """
    number = float(value)
    if not (math.isfinite(number) and number > 0.0):
        raise _outside(name, value, unit, wanted="a finite number above 0")
    return number


def non_negative(value: float, *, name: str, unit: str = "") -> float:
    """Return ``value`` as a float if it is finite and not below 0."""
    number = float(value)
    if not (math.isfinite(number) and number >= 0.0):
        raise _outside(name, value, unit, wanted="a finite number, 0 or above")
    return number


def finite(value: float, *, name: str, unit: str = "") -> float:
    """Return ``value`` as a float if it is neither NaN nor infinite."""
    number = float(value)
    if not math.isfinite(number):
        raise _outside(name, value, unit, wanted="a finite number")
    return number


def whole(value: SupportsIndex, *, name: str, at_least: int) -> int:
    """Return ``value`` as an int if it is a whole number (``2.0`` is not one) of ``at_least`` or more."""
    try:
        number = operator.index(value)
    except TypeError:
        raise _outside(name, value, "", wanted=f"a whole number, {at_least} or above") from None
    if number < at_least:
        raise _outside(name, value, "", wanted=f"a whole number, {at_least} or above")
    return number


def probability(value: float, *, name: str) -> float:
    """Return ``value`` as a float if it lies in [0, 1]."""
    number = float(value)
    if not 0.0 <= number <= 1.0:
        raise _outside(name, value, "", wanted="a number from 0 to 1")
    return number


def open_probability(value: float, *, name: str) -> float:
    """Return ``value`` as a float if it lies strictly between 0 and 1."""
    number = float(value)
    if not 0.0 < number < 1.0:
        raise _outside(name, value, "", wanted="a number strictly between 0 and 1 (0.95 stands for 95 %)")
    return number


def _outside(name: str, value: object, unit: str, *, wanted: str) -> DomainError:
    quantity = f"{value!r} {unit}".rstrip()
    return DomainError(f"{name} is {quantity}, but the formula is defined for {wanted} only; give such a value")
