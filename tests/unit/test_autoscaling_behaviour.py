"""Kubernetes' own worked examples: how quickly the number of replicas may change."""

from __future__ import annotations

from typing import Any

from lab.scenario.autoscaler import STANDARD_DOWN, STANDARD_UP, ScalingPolicy, ScalingRules
from lab.simulation.autoscaling.behaviour import Behaviour

_NEVER = ScalingRules(select="disabled", policies=STANDARD_UP.policies)


def _rules(*policies: tuple[str, int, str], **others: Any) -> ScalingRules:
    made = tuple(ScalingPolicy(kind=kind, value=value, period=period) for kind, value, period in policies)
    return ScalingRules(policies=made, **others)


def _behaviour(
    up: ScalingRules | None = STANDARD_UP,
    down: ScalingRules | None = STANDARD_DOWN,
    bounds: tuple[int, int] = (1, 1000),
) -> Behaviour:
    return Behaviour(bounds=bounds, up=up, down=down)


def _follow(behaviour: Behaviour, current: int, wanted: list[int], every_s: float) -> list[int]:
    """The numbers of replicas after each decision, if these were asked for one after the other."""
    numbers = []
    for number, asked in enumerate(wanted):
        now_s = number * every_s
        settled = behaviour.settle(now_s, current=current, wanted=asked)
        behaviour.changed(now_s, before=current, after=settled.limited)
        current = settled.limited
        numbers.append(current)
    return numbers


def test_ten_percent_or_four_pods_a_minute() -> None:
    """The documentation's example: 80, then 10 % rounded up go each minute, and below 40 four pods."""
    down = _rules(("pods", 4, "1min"), ("percent", 10, "1min"))
    numbers = _follow(_behaviour(down=down), 80, [10] * 16, every_s=60.0)
    assert numbers == [72, 64, 57, 51, 45, 40, 36, 32, 28, 24, 20, 16, 12, 10, 10, 10]


def test_the_lesser_change_can_be_chosen() -> None:
    """select: min takes 4 of 80, and at 30 the 10 %."""
    down = _rules(("pods", 4, "1min"), ("percent", 10, "1min"), select="min")
    assert _follow(_behaviour(down=down), 80, [10, 10], every_s=60.0) == [76, 72]
    assert _follow(_behaviour(down=down), 30, [10, 10], every_s=60.0) == [27, 24]


def test_a_direction_can_be_disabled() -> None:
    """Never down, however long it is asked for."""
    assert _follow(_behaviour(down=_NEVER), 8, [1] * 50, every_s=15.0) == [8] * 50


def test_the_standard_behaviour_doubles_or_adds_four() -> None:
    """Every 15 s the larger of both."""
    assert _follow(_behaviour(), 1, [100] * 6, every_s=15.0) == [5, 10, 20, 40, 80, 100]


def test_without_behaviour_at_most_double_or_four() -> None:
    """The older limit, which a HorizontalPodAutoscaler without `behavior` has."""
    assert _follow(_behaviour(up=None, down=None), 1, [100] * 6, every_s=15.0) == [4, 8, 16, 32, 64, 100]


def test_a_period_longer_than_the_sync_counts_what_was_done_in_it() -> None:
    """4 pods a minute, asked every 15 s: at once, then nothing until the minute is over."""
    up = _rules(("pods", 4, "1min"))
    assert _follow(_behaviour(up=up), 1, [100] * 9, every_s=15.0) == [5, 5, 5, 5, 9, 9, 9, 9, 13]


def test_removals_within_the_period_make_room_for_additions() -> None:
    """The period began with more: back up there it may go at once, and the policy's pods beyond."""
    up, down = _rules(("pods", 1, "1min")), _rules(("pods", 5, "15s"))
    assert _follow(_behaviour(up=up, down=down), 10, [5, 20], every_s=15.0) == [5, 11]


def test_scale_down_takes_the_highest_of_the_last_five_minutes() -> None:
    """A short dip removes nothing; only five minutes after the last high number does it go down."""
    numbers = _follow(_behaviour(), 10, [3] * 10 + [8] + [3] * 25, every_s=15.0)
    first_lower = next(place for place, number in enumerate(numbers) if number < 10)
    assert first_lower == 20  # 300 s after the number of the beginning was noted
    assert numbers[20] == 8
    assert numbers[29:31] == [8, 3]  # and 300 s after the 8 of the tenth decision


def test_without_behaviour_too() -> None:
    """The same window, whose far end still counts there."""
    numbers = _follow(_behaviour(up=None, down=None), 10, [3] * 25, every_s=15.0)
    assert numbers == [10] * 21 + [3] * 4


def test_keps_example_of_scaling_down_in_no_hurry() -> None:
    """KEP-853: a decision a minute, 5 pods in 10 min at most, the largest of the last 10 min.

    After ten minutes with recommendations of 8 to 10 it is at 10 still; the eleventh sees 9 as the largest.
    """
    down = _rules(("pods", 5, "10min"), stabilization_window="10min")
    asked = [10, 9, 8, 9, 9, 8, 9, 8, 9, 8, 7]
    assert _follow(_behaviour(down=down), 10, asked, every_s=60.0) == [10] * 10 + [9]


def test_keps_examples_of_scaling_up() -> None:
    """As quickly as possible by 900 %; slowly by one pod a minute; gradually and never down."""
    quick = _rules(("percent", 900, "1min"))
    assert _follow(_behaviour(up=quick), 1, [1000] * 3, every_s=60.0) == [10, 100, 1000]
    slow = _rules(("pods", 1, "1min"))
    assert _follow(_behaviour(up=slow, down=_NEVER), 1, [9, 9, 9, 1], every_s=60.0) == [2, 3, 4, 4]


def test_scale_up_can_be_stabilised() -> None:
    """The lowest of the window counts: a spike shorter than it adds nothing."""
    up = _rules(("percent", 100, "15s"), stabilization_window="1min")
    numbers = _follow(_behaviour(up=up), 2, [2, 8, 8, 2, 8, 8, 8, 8], every_s=15.0)
    assert numbers == [2, 2, 2, 2, 2, 2, 2, 4]


def test_both_windows_hold_the_number_between_them() -> None:
    """Neither below the highest down-recommendation nor above the lowest up-recommendation."""
    behaviour = _behaviour(up=_rules(("pods", 9, "15s"), stabilization_window="5min"))
    assert _follow(behaviour, 5, [9, 1, 9, 1], every_s=15.0) == [5, 5, 5, 5]


def test_the_bounds_come_last() -> None:
    """Whatever is asked for, never above max or below min."""
    assert _follow(_behaviour(bounds=(2, 6)), 3, [100, 100], every_s=15.0) == [6, 6]
    assert _follow(_behaviour(bounds=(2, 6), down=_rules(("percent", 100, "15s"))), 3, [0], every_s=15.0) == [2]
    assert _follow(_behaviour(up=None, down=None, bounds=(2, 3)), 3, [100], every_s=15.0) == [3]
