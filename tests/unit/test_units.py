"""Quantities: text in, SI floats inside, text out again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import DomainError
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

_VALUES = st.floats(min_value=1e-9, max_value=1e12) | st.just(0.0)
_BOTH_WAYS = [
    (format_duration, parse_duration),
    (format_rate, parse_rate),
    (format_bytes, parse_bytes),
    (format_ratio, parse_ratio),
    (format_bandwidth, parse_bandwidth),
]


@pytest.mark.parametrize(("write", "read"), _BOTH_WAYS, ids=["duration", "rate", "bytes", "ratio", "bandwidth"])
@given(value=_VALUES)
def test_what_is_written_reads_back_the_same(
    write: Callable[[float], str], read: Callable[[object], float], value: float
) -> None:
    """The very same float, whatever it is."""
    assert read(write(value)) == value


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("1.5 s", 1.5),
        (" 2min ", 120.0),
        ("1h", 3600.0),
        ("3us", 3e-6),
        ("3µs", 3e-6),
        ("7ns", 7e-9),
        (".5s", 0.5),
        ("1e3ms", 1.0),
        ("-2s", -2.0),
        ("0s", 0.0),
    ],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    """Each unit, with and without a space."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (parse_rate, "200/s", 200.0),
        (parse_rate, "90/min", 1.5),
        (parse_rate, "36/h", 0.01),
        (parse_bytes, "4KiB", 4096.0),
        (parse_bytes, "512B", 512.0),
        (parse_bytes, "1GiB", 2.0**30),
        (parse_ratio, "0.1%", 0.001),
        (parse_ratio, "99.9%", 0.999),
    ],
)
def test_other_quantities_are_read(read: Callable[[object], float], text: str, value: float) -> None:
    """Rates, sizes and shares, exactly."""
    assert read(text) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.25, "250ms"),
        (90.0, "90s"),
        (5400.0, "90min"),
        (300.0, "5min"),
        (7200.0, "2h"),
        (5e-5, "50us"),
        (0.0, "0s"),
        (1.5, "1.5s"),
    ],
)
def test_durations_are_written_as_people_would(value: float, text: str) -> None:
    """The shortest usual unit."""
    assert format_duration(value) == text


@pytest.mark.parametrize("read", [parse_duration, parse_rate, parse_bytes, parse_ratio])
@pytest.mark.parametrize(
    "value", [5, 0.5, True, None, "", "5", "5 parsecs", "s", "5ss", "five s", "1e999s", "nan s", "1_0s"]
)
def test_what_has_no_clear_unit_is_refused(read: Callable[[object], float], value: object) -> None:
    """A bare number is never guessed at."""
    with pytest.raises(DomainError, match=r"unit|out of range"):
        read(value)


@given(st.text(max_size=30))
def test_no_text_breaks_the_parser(text: str) -> None:
    """A float or a DomainError, nothing else."""
    try:
        value = parse_duration(text)
    except DomainError:
        return
    assert isinstance(value, float)


@given(st.from_regex(r"[0-9]{1,5}e[+-]?[0-9]{1,12}(ms|s|h)", fullmatch=True))
def test_no_exponent_breaks_the_parser(text: str) -> None:
    """Exponents of any size are read or refused."""
    try:
        value = parse_duration(text)
    except DomainError:
        return
    assert 0 <= value < 1e34
