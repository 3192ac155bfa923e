"""All that scales in a backend, from repeat to repeat."""

from __future__ import annotations

import time
from pathlib import Path

import httpx

from reference_backend.deployment import Deployment
from reference_backend.happenings import Happening
from reference_backend.launching import READY_S, Launcher
from reference_backend.limit import HEALTH_PATH
from reference_backend.parts import Parts
from reference_backend.ports import LOOPBACK
from reference_backend.scaling.balancers import Balancer, balancers_of
from reference_backend.scaling.fleet import Fleet
from reference_backend.scaling.records import Reading, read_notes
from reference_backend.scaling.scaler import Scaler
from reference_backend.watch import Watch


class Scaling:
    """The scaling processes of a backend, and the state from which each repeat begins.

    ::

        begin --> start_clock --> end --> (requests drain) --> renew: the first replicas again, then begin --> ...
    """

    def __init__(self, *, deployment: Deployment, folder: Path, launcher: Launcher, parts: Parts, watch: Watch) -> None:
        self._deployment = deployment
        self._control = folder / "h.sock"
        self._parts = parts
        self._watch = watch
        self._scalers = {
            name: Scaler(
                deployment=deployment, service=name, folder=folder, launcher=launcher, parts=parts, watch=watch
            )
            for name, service in deployment.services().items()
            if service.autoscaler is not None
        }

    def listen(self, entry_port: int) -> None:
        """Bind the addresses of platforms; that of the entry has a port of its own."""
        for name, scaler in self._scalers.items():
            scaler.listen(entry_port if name == self._deployment.entry else 0)

    def begin(self) -> None:
        """Start the scaling processes; autoscalers wait for the clock, platforms take requests at once."""
        for scaler in self._scalers.values():
            scaler.begin()

    def start_clock(self, zero_s: float) -> None:
        """Tell them the monotonic time at which the schedule begins."""
        for scaler in self._scalers.values():
            scaler.start_clock(zero_s)

    def end(self) -> None:
        """End the scaling processes: from now on the number of replicas stays."""
        for scaler in self._scalers.values():
            scaler.end()

    def renew(self) -> None:
        """Have the replicas again with which every repeat begins, and scaling processes that know nothing."""
        self.end()
        for name, scaler in self._scalers.items():
            self._restore(name, scaler.fleet)
        self.begin()

    def notes(self, zero_s: float) -> tuple[list[Reading], list[Happening]]:
        """Return what the scaling processes noted in the repeat whose schedule began at a monotonic time."""
        readings: list[Reading] = []
        happenings: list[Happening] = []
        for name, scaler in self._scalers.items():
            mine, theirs = read_notes(scaler.notes, service=name, zero_s=zero_s)
            readings += mine
            happenings += theirs
        return readings, happenings

    def _restore(self, name: str, fleet: Fleet) -> None:
        """End replicas that were added, start those again that were ended, and tell the load balancers."""
        first = set(range(self._deployment.services()[name].replicas))
        balancers = balancers_of(self._deployment, name, self._control)
        for balancer in balancers:
            for replica, state in balancer.servers().items():
                if replica not in first or not state.up:
                    self._take_out(balancer, replica)
        for replica in set(fleet.living()) - first:
            fleet.stop(replica)
        for replica in sorted(first - set(fleet.living())):
            port, _ = fleet.start(replica, ready_at_s=time.monotonic())
            self._wait_for(f"{name}/{replica}", port)
            fleet.ready(replica)
        for balancer in balancers:
            for replica in sorted(first - set(balancer.servers())):
                balancer.add(replica, port=self._parts.replica_ports[name][replica])

    def _take_out(self, balancer: Balancer, replica: int) -> None:
        what = f"the removal of server r{replica}"
        self._watch.until(lambda: balancer.remove(replica), part=balancer.name, what=what, within_s=READY_S)

    def _wait_for(self, part: str, port: int) -> None:
        def answers() -> bool:
            try:
                return httpx.get(f"http://{LOOPBACK}:{port}{HEALTH_PATH}", trust_env=False, timeout=1.0).is_success
            except httpx.HTTPError:
                return False  # not up yet: asked again until the deadline

        self._watch.until(answers, part=part, what=f"a good answer of {part}", within_s=READY_S)
