"""Makes a tier of a content delivery network."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lab.scenario.cdn import Cdn as Spec
from lab.simulation.build.contents import make_eviction, size_of
from lab.simulation.cache import Contents
from lab.simulation.cdn import Cdn, Point
from lab.simulation.cdn.cdn import Serving

if TYPE_CHECKING:
    from lab.simulation.build.world import World

_PLACES = "client/place"  # one stream for all tiers: whose edge is the same has the same regional place too


def make_cdn(world: World, name: str, spec: Spec) -> Cdn:
    """Return the tier, with all its places empty."""
    size = size_of(world, name, spec)

    def contents() -> Contents:
        return Contents(
            eviction=make_eviction(world, name, spec),
            room=spec.capacity or spec.capacity_bytes or math.inf,
            size=size,
            life_s=lambda _: math.inf,  # unused: the tier says until when each answer is kept
            stale_for_s=spec.stale_for_s,
        )

    points = tuple(
        Point(clock=world.clock, number=number, contents=contents(), patience_s=spec.collapse_timeout)
        for number in range(spec.points_of_presence)
    )
    return Cdn(
        clock=world.clock,
        log=world.log,
        name=name,
        target=world.reached(name, spec.targets),
        points=(points, world.stream(_PLACES)),
        serving=Serving(
            max_age_s=spec.max_age,
            age_resolution_s=spec.age_resolution,
            collapses=spec.request_collapsing,
            stale_while_revalidate_s=spec.stale_while_revalidate,
            stale_if_error_s=spec.stale_if_error,
            hit_time=world.unless_free(f"{name}/hit_time", spec.hit_time),
            forward_time=world.unless_free(f"{name}/forward_time", spec.forward_time),
        ),
    )
