"""Makes a waiting room with the places that it gives away."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from lab.scenario.components import WaitingRoom as Spec
from lab.scenario.identity import client_of
from lab.simulation.request import Part
from lab.simulation.waiting_room.places import Places, RequestPlaces, SessionPlaces
from lab.simulation.waiting_room.room import House, WaitingRoom

if TYPE_CHECKING:
    from lab.simulation.build.world import World


def make_waiting_room(world: World, name: str, spec: Spec) -> Part:
    """Return the room before its target."""

    def make_places(freed: Callable[[], None]) -> Places:
        if spec.session_duration is None:
            return RequestPlaces(spec.max_active)
        return SessionPlaces(
            clock=world.clock,
            most=spec.max_active,
            duration_s=spec.session_duration,
            client_of=partial(client_of, world.scenario.workload),
            freed=freed,
        )

    interval_s = 0.0 if spec.admission_rate is None else 1 / spec.admission_rate
    return WaitingRoom(
        place=(world.clock, world.log, name),
        target=world.part(spec.targets),
        house=House(interval_s=interval_s, max_queue=spec.max_queue, queue_timeout_s=spec.queue_timeout),
        make_places=make_places,
        gone=world.gone,
    )
