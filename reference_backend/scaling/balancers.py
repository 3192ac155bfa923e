"""The load balancers before a service that scales: all of them are told of each replica that comes or goes."""

from __future__ import annotations

from pathlib import Path

from reference_backend import balancing
from reference_backend.deployment import Deployment
from reference_backend.haproxy_runtime import Runtime, ServerState
from reference_backend.load_balancer import LoadBalancer


class Balancer:
    """One load balancer of HAProxy's, while it runs.

    Attributes:
        name: of the part.
    """

    def __init__(self, *, name: str, spec: LoadBalancer, control: Path, faulty: bool) -> None:
        self.name = name
        self._spec = spec
        self._faulty = faulty
        self._runtime = Runtime(control=control, backend=name)

    def servers(self) -> dict[int, ServerState]:
        """Return the state of every server, by the number of its replica."""
        return dict(self._runtime.servers())

    def add(self, replica: int, *, port: int) -> None:
        """Send requests to a replica from now on."""
        settings = balancing.server_settings(self._spec, faulty=self._faulty)
        self._runtime.add(replica, port=port, settings=settings + balancing.own_weight(self._spec, replica))

    def drain(self, replica: int) -> None:
        """Send a replica nothing new."""
        self._runtime.drain(replica)

    def remove(self, replica: int) -> bool:
        """Forget a drained replica; return False if it still has connections."""
        return self._runtime.remove(replica)


def balancers_of(deployment: Deployment, service: str, control: Path) -> list[Balancer]:
    """Return the load balancers before a service."""
    return [
        Balancer(name=name, spec=spec, control=control, faulty=bool(deployment.faults))
        for name, spec in deployment.load_balancers().items()
        if spec.targets == service
    ]
