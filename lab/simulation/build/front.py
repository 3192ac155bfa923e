"""Makes the parts that pass a request on to one other component."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from lab.scenario.components import Cdn, Envoy, LoadBalancer, Nginx, RateLimiter, WaitingRoom
from lab.scenario.fronts import Front
from lab.simulation.build.cdn import make_cdn
from lab.simulation.build.envoy import make_envoy
from lab.simulation.build.load_balancer import make_load_balancer
from lab.simulation.build.nginx import make_nginx
from lab.simulation.build.rate_limiter import make_rate_limiter
from lab.simulation.build.waiting_room import make_waiting_room
from lab.simulation.request import Part

if TYPE_CHECKING:
    from lab.simulation.build.world import World


def make_front(world: World, name: str, spec: Front) -> Part:
    """Return the front of this name."""
    match spec:
        case LoadBalancer():
            return make_load_balancer(world, name, spec)
        case Nginx():
            return make_nginx(world, name, spec)
        case Envoy():
            return make_envoy(world, name, spec)
        case Cdn():
            return make_cdn(world, name, spec)
        case RateLimiter():
            return make_rate_limiter(world, name, spec)
        case WaitingRoom():
            return make_waiting_room(world, name, spec)
        case _:
            assert_never(spec)
