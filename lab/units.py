"""Quantities with their units: text in, SI floats inside, text out again.

A bare number where a unit is needed is an error, never a guess.
"""

from __future__ import annotations

import re
from decimal import Decimal

from lab.errors import DomainError

_NUMBER = r"(?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?)"
_QUANTITY = re.compile(rf"\s*{_NUMBER}\s*(?P<unit>[A-Za-z%/µ]*)\s*")

# Each unit as an exact fraction of the SI unit. Decimal arithmetic keeps `250ms` == 0.25 and makes
# every text that is written here parse back to the very same float.
_DURATION = {
    "ns": (1, 10**9),
    "us": (1, 10**6),
    "µs": (1, 10**6),
    "ms": (1, 10**3),
    "s": (1, 1),
    "min": (60, 1),
    "h": (3600, 1),
}
_RATE = {"/s": (1, 1), "/min": (1, 60), "/h": (1, 3600)}
_BYTES = {"B": (1, 1), "KiB": (2**10, 1), "MiB": (2**20, 1), "GiB": (2**30, 1)}
_RATIO = {"%": (1, 100)}
_BANDWIDTH = {"bit/s": (1, 1), "kbit/s": (10**3, 1), "Mbit/s": (10**6, 1), "Gbit/s": (10**9, 1)}
_MOST_DIGITS = 29  # before or behind the point; beyond it no quantity of a backend lies
_SHORT, _LONGEST = 6, 24  # characters of a number that reads well, and of one without an exponent


def parse_duration(text: object) -> float:
    """Return the seconds that a text such as ``250ms`` stands for.

    Raises:
        DomainError: no unit, an unknown unit, or not a finite number.

    >>> parse_duration("250ms"), parse_duration("5min")
    (0.25, 300.0)
    """
    return _parse(text, units=_DURATION, what="a duration", example="250ms, 2s or 5min")


def parse_rate(text: object) -> float:
    """Return the events per second that a text such as ``200/s`` stands for.

    >>> parse_rate("90/min")
    1.5
    """
    return _parse(text, units=_RATE, what="a rate", example="200/s or 30/min")


def parse_bytes(text: object) -> float:
    """Return the bytes that a text such as ``64MiB`` stands for.

    >>> parse_bytes("64MiB")
    67108864.0
    """
    return _parse(text, units=_BYTES, what="a size", example="512B, 4KiB or 64MiB")


def parse_ratio(text: object) -> float:
    """Return the ratio that a text such as ``0.1%`` stands for.

    >>> parse_ratio("90%")
    0.9
    """
    return _parse(text, units=_RATIO, what="a share", example="90% or 0.1%")


def parse_bandwidth(text: object) -> float:
    """Return the bits per second that a text such as ``12Mbit/s`` stands for.

    >>> parse_bandwidth("12Mbit/s")
    12000000.0
    """
    return _parse(text, units=_BANDWIDTH, what="a bandwidth", example="12Mbit/s or 768kbit/s")


def _parse(text: object, *, units: dict[str, tuple[int, int]], what: str, example: str) -> float:
    if not isinstance(text, str):
        raise DomainError(f"{text!r} has no unit: write {what} with its unit, such as {example}")
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise DomainError(f"{text!r} is not {what}: write a number and its unit, such as {example}")
    unit = match["unit"]
    if unit not in units:
        known = ", ".join(sorted(units))
        said = f"the unit {unit!r} is not one of {known}" if unit else "the unit is missing"
        raise DomainError(f"{text!r} is not {what}: {said}; write for example {example}")
    number = Decimal(match["number"])
    if number and abs(number.adjusted()) > _MOST_DIGITS:
        raise DomainError(f"{text!r} is out of range for {what}")
    multiplier, divisor = units[unit]
    return float(number * multiplier / divisor)


def format_duration(seconds: float) -> str:
    """Return the shortest usual text of a duration, which parses back to the same float.

    >>> format_duration(0.25), format_duration(300.0), format_duration(0.0)
    ('250ms', '5min', '0s')
    """
    if seconds == 0:
        return "0s"
    for unit in ("h", "min", "s", "ms", "us"):
        number = _in_unit(seconds, unit, _DURATION)
        if unit in ("h", "min") and number != int(number):
            continue  # 90s reads better than 1.5min, 90min better than 1.5h
        if abs(number) >= 1 and len(_plain(number)) <= _SHORT:
            return f"{_plain(number)}{unit}"
    return f"{_plain(_in_unit(seconds, 'ms', _DURATION))}ms"


def format_rate(per_s: float) -> str:
    """Return a rate as text, which parses back to the same float.

    >>> format_rate(200.0)
    '200/s'
    """
    return f"{_plain(Decimal(repr(per_s)))}/s"


def format_bytes(size: float) -> str:
    """Return a size as text, which parses back to the same float.

    >>> format_bytes(65536.0)
    '64KiB'
    """
    for unit in ("GiB", "MiB", "KiB"):
        number = _in_unit(size, unit, _BYTES)
        if number >= 1 and number == int(number):
            return f"{_plain(number)}{unit}"
    return f"{_plain(Decimal(repr(size)))}B"


def format_ratio(ratio: float) -> str:
    """Return a ratio as a percentage that parses back to the same float.

    >>> format_ratio(0.001)
    '0.1%'
    """
    return f"{_plain(_in_unit(ratio, '%', _RATIO))}%"


def format_bandwidth(bit_per_s: float) -> str:
    """Return a bandwidth as text, which parses back to the same float.

    >>> format_bandwidth(1.6e6), format_bandwidth(768_000.0)
    ('1.6Mbit/s', '768kbit/s')
    """
    for unit in ("Gbit/s", "Mbit/s", "kbit/s"):
        number = _in_unit(bit_per_s, unit, _BANDWIDTH)
        if number >= 1 and len(_plain(number)) <= _SHORT:
            return f"{_plain(number)}{unit}"
    return f"{_plain(Decimal(repr(bit_per_s)))}bit/s"


def _in_unit(value: float, unit: str, table: dict[str, tuple[int, int]]) -> Decimal:
    multiplier, divisor = table[unit]
    return Decimal(repr(value)) * divisor / multiplier


def _plain(number: Decimal) -> str:
    text = format(number.normalize(), "f")
    return text if len(text) <= _LONGEST else str(number.normalize())
