"""An autoscaler as a deployment of the reference backend says it."""

from __future__ import annotations

from typing import Any

from lab.measurement.refusals import no_counterpart
from lab.scenario.autoscaler import Autoscaler, HpaAutoscaler, ScalingRules
from lab.scenario.serverless import ServerlessAutoscaler


def autoscaler_document(autoscaler: Autoscaler | None, where: str) -> dict[str, Any] | None:
    """Return what scales a service, if anything does: an autoscaler's process, or a platform for functions.

    Raises:
        Unsupported: there is no real counterpart of that kind.
    """
    match autoscaler:
        case None:
            return None
        case HpaAutoscaler():
            up, down = autoscaler.rules()
            return {
                "kind": "hpa",
                "min": autoscaler.min,
                "max": autoscaler.max,
                "metrics": [{"metric": each.metric, "target": each.value} for each in autoscaler.metrics],
                "sync_period_s": autoscaler.sync_period,
                "tolerance": autoscaler.tolerance,
                "metric_window_s": autoscaler.metric_window,
                "metric_lag_s": autoscaler.metric_lag,
                "cpu_initialization_period_s": autoscaler.cpu_initialization_period,
                "scale_up": None if up is None else _rules(up),
                "scale_down": None if down is None else _rules(down),
            }
        case ServerlessAutoscaler():
            return {
                "kind": "serverless",
                "min": autoscaler.min,
                "max": autoscaler.max,
                "idle_timeout_s": autoscaler.idle_timeout,
                "scaling_burst": autoscaler.scaling_burst,
                "scaling_rate_per_s": autoscaler.scaling_rate,
            }
        case _:
            raise no_counterpart(where, autoscaler.kind)


def _rules(rules: ScalingRules) -> dict[str, Any]:
    return {
        "stabilization_window_s": rules.stabilization_window,
        "policies": [
            {"kind": policy.kind, "value": policy.value, "period_s": policy.period} for policy in rules.policies
        ],
        "select": rules.select,
    }
