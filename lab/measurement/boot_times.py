"""How long the replicas of a service take to boot: the very draws of the prediction."""

from __future__ import annotations

from lab.distributions import quantile_function
from lab.randomness import Stream
from lab.scenario.faults import CrashFault
from lab.scenario.scenario import Scenario
from lab.scenario.service import Service

_MOST_SCALED = 500  # replicas that an autoscaler starts in a run: far more than one machine could


def boot_times_s(scenario: Scenario, service: str) -> list[float]:
    """Return the boot times of a service's replicas by their numbers, those included that are started during the run.

    Those of the first replicas are there too, though they run from the start. None where none is ever started.
    """
    spec = scenario.components[service]
    assert isinstance(spec, Service)
    crashes = [fault for fault in scenario.faults if isinstance(fault, CrashFault) and fault.component == service]
    if not crashes and spec.autoscaler is None:
        return []
    stream, draw = (
        Stream(seed=scenario.run.seed, replication=0, name=f"{service}/boot_time"),
        quantile_function(spec.boot_time),
    )
    most = spec.replicas * (1 + len(crashes)) if spec.autoscaler is None else _MOST_SCALED
    return [draw(stream.uniform(number)) for number in range(most)]
