"""Makes what sets the number of a worker's slots."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, assert_never

from lab.scenario.adaptive_concurrency import AdaptiveConcurrency as Spec
from lab.scenario.adaptive_concurrency import Aimd, Gradient2, Vegas
from lab.simulation.adaptive.limits import AimdLimit, Gradient2Limit, Limit, VegasLimit, Windowed
from lab.simulation.adaptive.slots import AdaptiveSlots
from lab.simulation.line import Slots
from lab.simulation.managed_line import ManagedLine

if TYPE_CHECKING:
    from lab.simulation.build.world import World


def make_adaptive_slots(world: World, name: str, process: int, *, spec: Spec, slots: Slots) -> AdaptiveSlots:
    """Return what learns for the slots of one worker process of the service ``name``."""
    assert isinstance(slots, ManagedLine)  # as they are made where their number may change
    jitter = world.stream(f"{name}/probe")
    rule = _rule(spec, lambda probe: jitter.uniform(process, 0, probe))
    limit = rule if spec.window is None else Windowed(rule, window_s=spec.window)
    return AdaptiveSlots(place=(world.clock, world.log, name), process=process, line=slots, limit=limit)


def _rule(spec: Spec, jitter: Callable[[int], float]) -> Limit:
    match spec:
        case Gradient2():
            return Gradient2Limit(
                initial=spec.initial,
                bounds=(spec.min, spec.max),
                queue_size=spec.queue_size,
                tolerance=spec.tolerance,
                smoothing=spec.smoothing,
                long_window=spec.long_window,
            )
        case Vegas():
            return VegasLimit(
                initial=spec.initial,
                most=spec.max,
                smoothing=spec.smoothing,
                probe_multiplier=spec.probe_multiplier,
                jitter=jitter,
            )
        case Aimd():
            return AimdLimit(
                initial=spec.initial,
                bounds=(spec.min, spec.max),
                timeout_s=spec.timeout,
                backoff_ratio=spec.backoff_ratio,
            )
        case _:
            assert_never(spec)
