"""What a share of a value is: of a rate, a count, a capacity; nothing else has one."""

from __future__ import annotations

import math
from typing import Any, assert_never

from pydantic import TypeAdapter, ValidationError

from lab.errors import DomainError
from lab.scenario.arrivals import (
    ArrivalRate,
    ConstantRate,
    DiurnalRate,
    Herd,
    RampRate,
    SpikeRate,
    StepsRate,
    SumRate,
)
from lab.scenario.bursts import HawkesRate, ModulatedRate
from lab.scenario.problems import shown
from lab.units import (
    format_bandwidth,
    format_bytes,
    format_rate,
    format_ratio,
    parse_bandwidth,
    parse_bytes,
    parse_rate,
)

MOST_OFF = 0.05
"""How far rounding may move the share of a whole number."""

_RATE: TypeAdapter[ArrivalRate] = TypeAdapter(ArrivalRate)
_UNITS = ((parse_rate, format_rate), (parse_bytes, format_bytes), (parse_bandwidth, format_bandwidth))
_CURVES, _MONEY = "workload.arrival_rate", ("prices.", "objectives.")
_ROOTS = ("workload", "client", "components", "faults", "objectives", "prices")


def multiplied(value: Any, share: float, *, path: str) -> Any:
    """Return the share of a value of a scenario document.

    Args:
        value: what stands at ``path``: a plain JSON value.
        share: above 0, at most 1.
        path: where it stands.

    Raises:
        ValueError: nothing that a slice has a share of, or a whole number that rounding would change too much.
    """
    root = path.split(".", maxsplit=1)[0]
    if root not in _ROOTS:
        raise ValueError(f"{root} is the same for a slice and for the whole; a slice is of: {', '.join(_ROOTS)}")
    match value:
        case bool():
            pass
        case int():
            return _rounded(value, share)
        case float() if path.startswith(_MONEY):
            return value * share
        case str():
            for parse, write in _UNITS:
                try:
                    return write(parse(value) * share)
                except DomainError:
                    continue
        case dict() if path.startswith(_CURVES):
            try:
                return _RATE.dump_python(_less_often(_RATE.validate_python(value), share), mode="json")
            except ValidationError:
                pass
        case _:
            pass
    raise ValueError(
        f"{shown(value)} has no share: a slice has fewer of something (a rate with its curve, a count, a size, a "
        "price), while times, shares and what each request does are as in the whole; take it out"
    )


def _rounded(count: int, share: float) -> int:
    exact = count * share
    rounded = math.floor(exact + 0.5)
    if count and abs(rounded / exact - 1) > MOST_OFF:
        least = max(1, math.ceil(exact - 1e-9)) / count
        enough = f"take a slice of {format_ratio(float(f'{least:.4g}'))} (of {count} that makes {least * count:.4g})"
        advice = enough if least <= 1 else "leave it out"
        raise ValueError(
            f"{format_ratio(share)} of {count} is {exact:.4g}, and {rounded} instead would be "
            f"{rounded / exact - 1:+.0%} off, more than {MOST_OFF:.0%}: no such slice behaves like the whole; {advice}"
        )
    return rounded


def _less_often(rate: ArrivalRate, share: float) -> ArrivalRate:
    """Return a curve with all its rates multiplied; its times stay."""
    match rate:
        case ConstantRate():
            return rate.model_copy(update={"rate": rate.rate * share})
        case RampRate():
            return rate.model_copy(update={"start": rate.start * share, "end": rate.end * share})
        case StepsRate():
            steps = tuple(step.model_copy(update={"rate": step.rate * share}) for step in rate.steps)
            return rate.model_copy(update={"steps": steps})
        case SpikeRate():
            return rate.model_copy(update={"base": rate.base * share, "peak": rate.peak * share})
        case DiurnalRate():
            return rate.model_copy(update={"mean": rate.mean * share})
        case ModulatedRate():
            phases = tuple(phase.model_copy(update={"rate": phase.rate * share}) for phase in rate.phases)
            return rate.model_copy(update={"phases": phases})
        case HawkesRate():
            return rate.model_copy(update={"base": rate.base * share})
        case Herd():
            return rate.model_copy(update={"clients": _rounded(rate.clients, share)})
        case SumRate():
            return rate.model_copy(update={"of": tuple(_less_often(part, share) for part in rate.of)})
        case _:
            assert_never(rate)
