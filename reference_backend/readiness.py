"""Waiting for real answers: of each replica by itself, then through each load balancer."""

from __future__ import annotations

import httpx

from reference_backend.binaries import Binary
from reference_backend.deployment import Deployment
from reference_backend.launching import READY_S, Launcher
from reference_backend.limit import HEALTH_PATH
from reference_backend.parts import Parts
from reference_backend.ports import LOOPBACK
from reference_backend.processes import Child
from reference_backend.watch import Watch


def wait_until_ready(
    deployment: Deployment, found: dict[str, Binary], *, parts: Parts, launcher: Launcher, watch: Watch
) -> None:
    """Wait until every replica answers, and every load balancer passes an answer on.

    Args:
        deployment: whose.
        found: the binaries that run.
        parts: what has been started; HAProxy last.
        launcher: who started them.
        watch: where to wait.

    Raises:
        PartFailed: one of them did not answer in time.
    """
    with httpx.Client(trust_env=False, timeout=2.0) as client:

        def wait_for(child: Child, part: str, port: int, *, pid: int | None) -> None:
            watch.until(
                lambda: _answers(client, port, pid), part=child.part, what=f"a good answer of {part}", within_s=READY_S
            )

        for running in parts.running:
            if running.component in parts.replica_ports:
                port = parts.replica_ports[running.component][running.replica]
                wait_for(running.child, running.child.part, port, pid=running.child.pid)
                launcher.ready(running.child.part, running.child, port, None)
        for name in deployment.proxies():
            child = parts.running[-1].child
            wait_for(child, name, parts.ports[name], pid=None)
            launcher.ready(name, child, parts.ports[name], found["haproxy"])


def _answers(client: httpx.Client, port: int, pid: int | None) -> bool:
    try:
        answer = client.get(f"http://{LOOPBACK}:{port}{HEALTH_PATH}")
    except httpx.HTTPError:
        return False  # not up yet: asked again until the deadline
    return answer.is_success and (pid is None or answer.json()["pid"] == pid)
