"""The autoscaler of the reference backend decides as the simulator's does: both were written from the same source."""

from __future__ import annotations

from typing import TypeVar

import pytest

from lab.randomness import Stream
from lab.scenario.autoscaler import ScalingPolicy as LabPolicy
from lab.scenario.autoscaler import ScalingRules as LabRules
from lab.simulation.autoscaling import behaviour as lab_behaviour
from lab.simulation.autoscaling import hpa as lab_hpa
from reference_backend.scaling import hpa
from reference_backend.scaling.behaviour import Behaviour
from reference_backend.scaling.spec import Hpa, MetricTarget, ScalingPolicy, ScalingRules

DRAWS = 400
T = TypeVar("T")


class Lot:
    """Draws one thing after the other."""

    def __init__(self, seed: int) -> None:
        self._stream = Stream(seed=seed, replication=0, name="lot")
        self._drawn = 0

    def uniform(self, low: float, high: float) -> float:
        """Return a number between two."""
        self._drawn += 1
        return low + (high - low) * self._stream.uniform(self._drawn)

    def among(self, things: list[T]) -> T:
        """Return one of some things."""
        return things[int(self.uniform(0, len(things)))]

    def whole(self, low: int, high: int) -> int:
        """Return a whole number from one to another."""
        return low + int(self.uniform(0, high - low + 1))


def test_both_worlds_ask_for_the_same_number() -> None:
    """Whatever is read, not ready or missing, and whatever the target is."""
    lot = Lot(5)
    for _ in range(DRAWS):
        cpu = lot.uniform(0, 1) < 0.3
        target = round(lot.uniform(0.2, 1.2), 2)
        values = tuple(round(lot.uniform(0, 1.5), 3) for _ in range(lot.whole(0, 6)))
        unready, missing = lot.whole(0, 3), lot.whole(0, 2)
        current = len(values) + unready + missing
        asked = hpa.wanted(
            current,
            hpa.Readings(values=values, unready=unready, missing=missing),
            MetricTarget(metric="cpu" if cpu else "concurrency", target=target),
            tolerance=0.1,
        )
        make = lab_hpa.cpu_target if cpu else lab_hpa.pods_target
        readings = lab_hpa.Readings(values=values, unready=unready, missing=missing)
        assert asked == lab_hpa.wanted_replicas(current, readings, make(target)), (values, unready, missing, target)
        others = [lot.among([None, lot.whole(1, 9)]) for _ in range(3)]
        assert hpa.together(others, current=4) == lab_hpa.largest(others, current=4)


def rules(lot: Lot) -> tuple[ScalingRules, LabRules]:
    """Return the same rules in both languages."""
    window_s, select = lot.among([0, 7, 20]), lot.among(["max", "min", "disabled"])
    policies = [(lot.among(["pods", "percent"]), lot.whole(1, 150), lot.among([5, 12])) for _ in range(2)]
    mine = [ScalingPolicy(kind=kind, value=value, period_s=period_s) for kind, value, period_s in policies]
    theirs = [{"kind": kind, "value": value, "period": f"{period_s}s"} for kind, value, period_s in policies]
    return (
        ScalingRules(stabilization_window_s=window_s, policies=tuple(mine), select=select),
        LabRules(
            stabilization_window=f"{window_s}s",  # type: ignore[arg-type]  # text in, seconds inside
            policies=tuple(LabPolicy.model_validate(policy) for policy in theirs),
            select=select,
        ),
    )


@pytest.mark.parametrize("with_rules", [True, False])
def test_both_worlds_settle_for_the_same_number(with_rules: bool) -> None:
    """A long story of recommendations leads through the same numbers, with rules and without."""
    for seed in range(20):
        lot = Lot(seed)
        up, lab_up = rules(lot)
        down, lab_down = rules(lot)
        spec = Hpa(
            kind="hpa",
            min=2,
            max=12,
            metrics=(MetricTarget(metric="cpu", target=0.5),),
            scale_up=up if with_rules else None,
            scale_down=down if with_rules else None,
        )
        mine = Behaviour(spec=spec)
        theirs = lab_behaviour.Behaviour(
            bounds=(2, 12), up=lab_up if with_rules else None, down=lab_down if with_rules else None
        )
        current = 2
        for number in range(1, 40):
            wanted = lot.whole(0, 16)
            stable, settled = mine.settle(5.0 * number, current=current, wanted=wanted)
            theirs_now = theirs.settle(5.0 * number, current=current, wanted=wanted)
            theirs.changed(5.0 * number, before=current, after=theirs_now.limited)
            assert (stable, settled) == (theirs_now.stabilised, theirs_now.limited), (seed, number)
            current = settled
