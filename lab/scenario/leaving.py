"""Whether a front could notice that clients leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.scenario.components import Cdn
from lab.scenario.fronts import leads_to
from lab.scenario.mix import named_endpoints

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario


def clients_leave(scenario: Scenario, name: str) -> bool:
    """Return whether a front is asked by clients who may give up, so that it could notice that they leave.

    Behind a CDN only requests that pass through are left; what is to be stored is fetched whoever leaves.
    """
    way = leads_to(scenario, scenario.entry)
    if name not in way or not scenario.client.gives_up:
        return False
    asked = set(named_endpoints(scenario.workload))
    before = (scenario.components[each] for each in way[: way.index(name)])
    return not any(isinstance(each, Cdn) and asked and asked <= set(each.max_age) for each in before)
