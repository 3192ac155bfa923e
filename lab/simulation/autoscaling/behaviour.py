"""How quickly the number of replicas may change: the second half of Kubernetes' HorizontalPodAutoscaler v2.

What the metrics ask for is first stabilised (by what they asked for before), then limited by rates (by what was done
before), then by the smallest and the largest number allowed.

Source: kubernetes, pkg/controller/podautoscaler/horizontal.go; the examples of its documentation page "Horizontal Pod
Autoscaling" and of KEP-853.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import assert_never

from lab.scenario.autoscaler import ScalingPolicy, ScalingRules, SelectPolicy

_FACTOR, _AT_LEAST = 2, 4  # without a behaviour: at most twice as many as now, or 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """That replicas were added (or, if negative, removed) at a time."""

    time_s: float
    replicas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """One decision, stage by stage.

    Attributes:
        stabilised: after the stabilisation windows.
        limited: after the rates and the bounds: what is to be.
    """

    stabilised: int
    limited: int


@dataclass(slots=True, kw_only=True)
class Behaviour:
    """What turns a recommendation into a number of replicas, with the memory that this takes.

    Attributes:
        bounds: the smallest and the largest number of replicas.
        up: the rules for adding, or None (with ``down``) for a HorizontalPodAutoscaler without ``behavior``.
        down: the rules for removing.
        window_s: without ``behavior``: how far back the highest recommendation counts (Kubernetes: 5 min).
    """

    bounds: tuple[int, int]
    up: ScalingRules | None
    down: ScalingRules | None
    window_s: float = 300.0
    _recommended: list[tuple[float, int]] = field(default_factory=list)
    _changes: list[Change] = field(default_factory=list)

    def settle(self, now_s: float, *, current: int, wanted: int) -> Settled:
        """Return what becomes of a recommendation, and remember it."""
        if not self._recommended:
            self._recommended.append((now_s, current))
        low, high = self.bounds
        if self.up is None or self.down is None:
            stabilised = max(wanted, *(n for at_s, n in self._recommended if at_s >= now_s - self.window_s))
            limited = max(low, min(stabilised, high, max(_FACTOR * current, _AT_LEAST)))
        else:
            stabilised = self._stabilise(now_s, current, wanted, self.up, self.down)
            limited = stabilised
            if stabilised > current:
                most = max(current, raised(current, self.changes(now_s), self.up, now_s=now_s))
                limited = min(stabilised, high, most)
            elif stabilised < current:
                least = min(current, lowered(current, self.changes(now_s), self.down, now_s=now_s))
                limited = max(stabilised, low, least)
        self._recommended.append((now_s, wanted))
        self._forget(now_s)
        return Settled(stabilised=stabilised, limited=limited)

    def changed(self, now_s: float, *, before: int, after: int) -> None:
        """Remember that replicas were added or removed."""
        if after != before:
            self._changes.append(Change(time_s=now_s, replicas=after - before))

    def changes(self, now_s: float) -> Sequence[Change]:
        """Return the changes that rates may still depend on."""
        return [change for change in self._changes if change.time_s > now_s - self._longest_s]

    def _stabilise(self, now_s: float, current: int, wanted: int, up: ScalingRules, down: ScalingRules) -> int:
        lowest = highest = wanted
        for at_s, recommended in self._recommended:
            if at_s > now_s - up.stabilization_window:
                lowest = min(lowest, recommended)
            if at_s > now_s - down.stabilization_window:
                highest = max(highest, recommended)
        return min(max(current, lowest), highest)

    @property
    def _longest_s(self) -> float:
        rules = [rules for rules in (self.up, self.down) if rules is not None]
        windows = [self.window_s, *(each.stabilization_window for each in rules)]
        return max(windows + [policy.period for each in rules for policy in each.policies])

    def _forget(self, now_s: float) -> None:
        since_s = now_s - self._longest_s
        self._recommended = [(at_s, number) for at_s, number in self._recommended if at_s >= since_s]
        self._changes = [change for change in self._changes if change.time_s >= since_s]


def raised(current: int, changes: Sequence[Change], rules: ScalingRules, *, now_s: float) -> int:
    """Return the most replicas that the rules for adding allow now.

    The standard rules allow to double, or to add 4 if that is more, every 15 s:

    >>> from lab.scenario.autoscaler import STANDARD_UP
    >>> raised(1, [], STANDARD_UP, now_s=0), raised(10, [], STANDARD_UP, now_s=0)
    (5, 20)
    """
    return _limit(current, changes, rules, now_s=now_s, sign=1)


def lowered(current: int, changes: Sequence[Change], rules: ScalingRules, *, now_s: float) -> int:
    """Return the fewest replicas that the rules for removing allow now.

    The example of the documentation, 4 pods or 10 % a minute: of 80 go 8, then of 72 go 8 (7.2, rounded up).

    >>> from lab.scenario.autoscaler import ScalingPolicy, ScalingRules
    >>> four, tenth = (ScalingPolicy(kind=kind, value=value, period="1min") for kind, value in
    ...                (("pods", 4), ("percent", 10)))
    >>> rules = ScalingRules(policies=(four, tenth))
    >>> lowered(80, [], rules, now_s=0), lowered(72, [], rules, now_s=60), lowered(39, [], rules, now_s=600)
    (72, 64, 35)
    """
    return _limit(current, changes, rules, now_s=now_s, sign=-1)


def _limit(current: int, changes: Sequence[Change], rules: ScalingRules, *, now_s: float, sign: int) -> int:
    allowed = [_allowed(current, changes, policy, now_s=now_s, sign=sign) for policy in rules.policies]
    select: SelectPolicy = rules.select
    match select:
        case "disabled":
            return current
        case "max":  # the policy that changes most
            return max(allowed) if sign > 0 else min(allowed)
        case "min":
            return min(allowed) if sign > 0 else max(allowed)
        case _:
            assert_never(select)


def _allowed(current: int, changes: Sequence[Change], policy: ScalingPolicy, *, now_s: float, sign: int) -> int:
    """How far one policy lets the number go, from where it stood one period ago."""
    start = current - sum(change.replicas for change in changes if change.time_s > now_s - policy.period)
    if policy.kind == "pods":
        return start + sign * policy.value
    if sign > 0:
        return math.ceil(start * (1 + policy.value / 100))
    return int(start * (1 - policy.value / 100))
