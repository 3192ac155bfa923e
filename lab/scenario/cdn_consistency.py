"""Whether the keys of a tier of a cdn fit together, and the tier to the one behind it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lab.quantities import default_of
from lab.scenario.cache_consistency import room_problems
from lab.scenario.cdn import Cdn
from lab.scenario.fronts import leads_to
from lab.scenario.problems import Problem

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario


def without_effect(scenario: Scenario, name: str, cdn: Cdn) -> Iterator[Problem]:
    """Yield what is wrong between the keys of one tier."""
    yield from room_problems(cdn, ("components", name))
    for key, message in (*_collapsing(cdn), *_resolution(cdn), *_places(scenario, name, cdn)):
        yield Problem(path=("components", name, key), message=message)


def _collapsing(cdn: Cdn) -> Iterator[tuple[str, str]]:
    if not cdn.request_collapsing and cdn.collapse_timeout != default_of(Cdn, "collapse_timeout"):
        yield "collapse_timeout", "has no effect, as nobody waits without request_collapsing; leave one of them out"


def _resolution(cdn: Cdn) -> Iterator[tuple[str, str]]:
    shortest_s = min(cdn.max_age.values())
    if shortest_s < cdn.age_resolution:
        message = f"is more than the shortest max_age ({shortest_s:g} s), so answers would be too old when they come"
        yield "age_resolution", message


def _places(scenario: Scenario, name: str, cdn: Cdn) -> Iterator[tuple[str, str]]:
    for behind in leads_to(scenario, name)[1:]:
        tier = scenario.components.get(behind)
        if isinstance(tier, Cdn) and behind != name:
            here, there = cdn.points_of_presence, tier.points_of_presence
            if here % there:
                message = (
                    f"are {here}, which is no multiple of the {there} of {behind!r} behind it, so a place here would "
                    "belong to two places there; change one of them"
                )
                yield "points_of_presence", message
            return
