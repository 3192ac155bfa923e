"""A load balancer of a scenario as the reference backend reads it."""

from __future__ import annotations

from typing import Any

from lab.errors import Unsupported
from lab.scenario.load_balancer import HealthCheck, LoadBalancer

_FINEST_S = 1e-3
_PATIENT_S = 1.0  # HAProxy's pause before it tries a server again, where no connect_timeout is shorter


def load_balancer_document(spec: LoadBalancer, where: str) -> dict[str, Any]:
    """Return a load balancer of the deployment document, times in seconds.

    Raises:
        Unsupported: a time is too short for HAProxy.
    """
    times = {
        "queue_timeout_s": spec.queue_timeout,
        "server_timeout_s": spec.server_timeout,
        "connect_timeout_s": spec.connect_timeout or _PATIENT_S,
        "slow_start_s": spec.slow_start,
    }
    _refuse_too_short(times, where)
    return {
        "kind": "load_balancer",
        "targets": spec.targets,
        "algorithm": "hash" if spec.algorithm == "uri" else spec.algorithm,
        "draws": spec.draws,
        "hash_type": spec.hash_type,
        "hash_balance_factor": spec.hash_balance_factor,
        "weights": spec.weights,
        "max_connections_per_server": spec.max_connections_per_server,
        "max_queue": spec.max_queue,
        "abort_on_close": spec.abort_on_close,
        "retries": spec.retries,
        "redispatch": spec.redispatch,
        "health_check": None if spec.health_check is None else _health_check(spec.health_check, where),
        **times,
    }


def _health_check(spec: HealthCheck, where: str) -> dict[str, Any]:
    times = {
        "interval_s": spec.interval,
        "fast_interval_s": spec.fast_interval,
        "down_interval_s": spec.down_interval,
        "timeout_s": spec.timeout,
    }
    _refuse_too_short(times, f"{where}.health_check")
    return {"fall": spec.fall, "rise": spec.rise, "on_marked_down": spec.on_marked_down, **times}


def _refuse_too_short(times: dict[str, float | None], where: str) -> None:
    if any(time_s is not None and time_s < _FINEST_S for time_s in times.values()):
        raise Unsupported(f"{where}: HAProxy counts timeouts in whole milliseconds; give 1ms or more")
