"""Random autoscalers and boot times, quick enough for runs of a few seconds."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

BOOT_TIMES = st.sampled_from(["0s", "150ms", {"kind": "exponential", "mean": "100ms"}])
_DOWN = {"stabilization_window": "200ms", "policies": [{"kind": "percent", "value": 100, "period": "300ms"}]}
_UP = {"policies": [{"kind": "pods", "value": 1, "period": "500ms"}, {"kind": "percent", "value": 50, "period": "1s"}]}
_LIMITS = {"min": 1, "max": 5}

_HPAS = st.builds(
    lambda metric, rules, quota, lag: {
        **{"kind": "hpa", **metric, **rules, **_LIMITS, "quota": quota},
        **{"sync_period": "300ms", "metric_window": "250ms", "metric_lag": lag},
    },
    st.sampled_from([{"metric": "cpu", "target": "30%"}, {"metric": "throughput", "target": "20/s"}]),
    st.sampled_from([{}, {"scale_down": _DOWN}, {"scale_up": _UP, "scale_down": _DOWN | {"select": "disabled"}}]),
    st.sampled_from([None, 3]),
    st.sampled_from(["0s", "200ms"]),
)
_TRACKING = st.builds(
    lambda warm_up: {
        **{"kind": "target_tracking", "metric": "throughput", "target": "20/s", **_LIMITS, "period": "200ms"},
        **{"high_periods": 1, "low_periods": 2, "warm_up": warm_up},
        **{"scale_out_cooldown": "300ms", "scale_in_cooldown": "300ms"},
    },
    st.sampled_from(["0s", "300ms"]),
)
_STEPS = st.builds(
    lambda kind, warm_up, periods: {
        **{"kind": "step_scaling", "metric": "throughput", **_LIMITS, "period": "200ms", "warm_up": warm_up},
        "policies": [
            {
                **{"alarm": "above", "threshold": "20/s", "adjustment_type": kind, "evaluation_periods": periods},
                "step_adjustments": [
                    {"lower_bound": "0/s", "upper_bound": "10/s", "scaling_adjustment": 1},
                    {"lower_bound": "10/s", "scaling_adjustment": 3},
                ],
            },
            {
                "alarm": "below",
                "threshold": "10/s",
                "step_adjustments": [{"upper_bound": "0/s", "scaling_adjustment": -1}],
            },
        ],
    },
    st.sampled_from(["change_in_capacity", "percent_change_in_capacity", "exact_capacity"]),
    st.sampled_from(["0s", "300ms"]),
    st.integers(1, 2),
)
_SCHEDULES = st.sampled_from(
    [(), ({"at": "1s", "min": 3, "max": 4},), ({"at": "400ms", "desired": 5}, {"at": "2500ms", "max": 1})]
)
_SCHEDULED = st.builds(
    lambda actions: {"kind": "scheduled", **_LIMITS, "quota": 4, "schedule": actions}, _SCHEDULES.filter(bool)
)
FUNCTIONS = st.builds(
    lambda replicas, most, room, idle, burst, boot, more: {
        **{"kind": "service", "replicas": replicas, "concurrency": room, "boot_time": boot},
        "autoscaler": {
            **{"kind": "serverless", "max": most, "idle_timeout": idle, "scaling_burst": burst, "scaling_rate": "5/s"},
            **more,
        },
    },
    st.integers(0, 2),
    st.sampled_from([2, 40]),
    st.integers(1, 3),
    st.sampled_from(["50ms", "10min"]),
    st.sampled_from([2, 50]),
    BOOT_TIMES,
    st.sampled_from([{}, {"quota": 3}, {"schedule": [{"at": "1s", "min": 2}, {"at": "2s", "min": 0, "max": 1}]}]),
)
"""A function without its endpoints, which is called directly."""

KNATIVE = st.builds(
    lambda replicas, room, boot, more: {
        **{"kind": "service", "replicas": replicas, "concurrency": room, "boot_time": boot},
        "autoscaler": {
            **{"kind": "knative", "target": 2, "max": 5, "tick": "300ms", "stable_window": "1s"},
            **{"scale_to_zero_grace_period": "200ms", **more},
        },
    },
    st.integers(0, 2),
    st.sampled_from([None, 1, 3, 5]),
    BOOT_TIMES,
    st.sampled_from(
        [
            {"panic_window_percentage": "50%", "max_scale_up_rate": 3},
            {"activator_capacity": 2, "scale_down_delay": "400ms", "quota": 3},
            {"activator_timeout": "50ms", "schedule": [{"at": "1s", "min": 2}, {"at": "2s", "min": 0, "max": 1}]},
        ]
    ),
)
"""A Knative service without its endpoints, which is called directly."""

_KEDA = st.builds(
    lambda fewest, target: {
        **{"kind": "keda", "queue": "jobs", "target": target, "min": fewest, "max": 4, "sync_period": "300ms"},
        **{"polling_interval": "200ms", "cooldown_period": "300ms", "scale_down": _DOWN},
    },
    st.integers(0, 1),
    st.sampled_from([1, 3]),
)


def _with_boot_time(autoscalers: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    scaled = st.builds(lambda autoscaler, boot: {"autoscaler": autoscaler, "boot_time": boot}, autoscalers, BOOT_TIMES)
    return st.one_of(st.just({}), scaled)


_REACTIVE = st.builds(
    lambda autoscaler, actions: autoscaler | {"schedule": actions}, st.one_of(_HPAS, _TRACKING, _STEPS), _SCHEDULES
)

NODES = st.builds(
    lambda room, first, most, scoring, quota: {
        **{"kind": "node_pool", "pods_per_node": room, "nodes": first, "min": 1, "max": most, "scoring": scoring},
        **{"quota": quota, "boot_time": "300ms", "scan_interval": "200ms"},
        **{"scale_down_unneeded_time": "300ms", "scale_down_delay_after_add": "200ms"},
    },
    st.sampled_from([2, 3]),
    st.just(2),
    st.sampled_from([2, 3]),
    st.sampled_from(["least_allocated", "most_allocated"]),
    st.sampled_from([None, 2]),
)
"""Nodes with room for the three replicas with which a service begins at most."""

SCALED = _with_boot_time(st.one_of(_REACTIVE, _SCHEDULED))
"""Keys of a service behind a load balancer: a fixed fleet, or one with an autoscaler."""

SCALED_CONSUMERS = _with_boot_time(_KEDA)
"""Keys of the service that consumes the queue ``jobs``."""
