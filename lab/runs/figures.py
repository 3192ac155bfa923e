"""Figures as a reader wants them: three digits, milliseconds and percentages where natural."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

_MISSING = "\N{EN DASH}"
_DIGITS = 3


def figure_text(value: float, *, metric: str, unit: str) -> str:
    """Return a figure with its unit as short text; a dash where it is missing.

    Args:
        value: in SI units.
        metric: its name; one that ends in ``_ratio`` is shown as a percentage.
        unit: ``s``, ``1/s`` or empty.

    >>> figure_text(0.01234, metric="sojourn_time_s_p99", unit="s")
    '12.3 ms'
    >>> figure_text(0.001, metric="error_ratio", unit="")
    '0.1 %'
    """
    if math.isnan(value):
        return _MISSING
    if unit == "s":
        return f"{_three_digits(value)} s" if abs(value) >= 1 else f"{_three_digits(1e3 * value)} ms"
    if unit == "1/s":
        return f"{_three_digits(value)}/s"
    if metric.endswith("_ratio"):
        return f"{_three_digits(100 * value)} %"
    return _three_digits(value)


def interval_text(low: float, high: float, *, metric: str, unit: str) -> str:
    """Return an interval as text; a dash where there is none.

    >>> interval_text(0.012, 0.0141, metric="sojourn_time_s_p99", unit="s")
    '12 ms to 14.1 ms'
    """
    if math.isnan(low) or math.isnan(high):
        return _MISSING
    return f"{figure_text(low, metric=metric, unit=unit)} to {figure_text(high, metric=metric, unit=unit)}"


def table_text(rows: Sequence[Mapping[str, str]]) -> str:
    """Return rows of texts as an aligned table: the first column to the left, the others to the right.

    >>> print(table_text([{"case": "cache", "error": "+1 %"}, {"case": "queue", "error": "-12 %"}]))
    case   error
    cache   +1 %
    queue  -12 %
    """
    if not rows:
        return ""
    widths = {key: max(len(key), *(len(row[key]) for row in rows)) for key in rows[0]}
    first = next(iter(widths))
    return "\n".join(
        "  ".join(
            row[key].ljust(width) if key == first else row[key].rjust(width) for key, width in widths.items()
        ).rstrip()
        for row in [{key: key for key in widths}, *rows]
    )


def _three_digits(value: float) -> str:
    size = math.floor(math.log10(abs(value))) if value else 0
    if size >= _DIGITS:
        return f"{value:,.0f}"
    if size < -_DIGITS:
        return f"{value:.2e}"
    rounded = f"{value:.{_DIGITS - 1 - size}f}" if size < _DIGITS - 1 else f"{value:.0f}"
    return rounded.rstrip("0").rstrip(".") if "." in rounded else rounded
