"""Which observations tell of a parameter: dispatch by what its key path points at."""

from __future__ import annotations

from typing import assert_never

import pandas as pd

from lab.calibration.alone import undisturbed
from lab.calibration.boots import boot_times
from lab.calibration.consumers import consumes, overheads
from lab.calibration.cpu_time import cpu_by_state, cpu_per_request
from lab.calibration.fit import fit, fit_mean
from lab.calibration.gaps import gaps
from lab.calibration.observed import Observed
from lab.calibration.own_time import cpu_of_steps_s, step_times
from lab.calibration.sample import sample_of
from lab.calibration.self_check import found_busy
from lab.calibration.statements import query_time, round_trip
from lab.calibration.steps import own_steps
from lab.errors import Unsupported, UsageError
from lab.scenario.calibration import CalibratedValue
from lab.scenario.channels import Channel
from lab.scenario.components import (
    Cache,
    Cdn,
    Component,
    Database,
    Envoy,
    Host,
    LoadBalancer,
    Mailbox,
    Nginx,
    NodePool,
    Queue,
    RateLimiter,
    Service,
    Stream,
    WaitingRoom,
)
from lab.scenario.scenario import Scenario
from lab.scenario.service import every_step
from lab.scenario.steps import asked

CALIBRATED = (
    "client.round_trip, workload.keys.exponent and .count; of a balancer forward_time; of a cdn hit_time; of a service "
    "overhead, busy_overhead, rejection_overhead, boot_time and the time of a cpu or wait step; of a cache "
    "access_time; of a rate limiter check_time; of a database round_trip and the time of a query; of a queue, stream "
    "or mailbox publish_time, of a queue access_time"
)
Found = dict[str, CalibratedValue]

_SHARED_HAPROXY = "haproxy"  # as the reference backend names the process of several balancers


def canonical(path: str, scenario: Scenario) -> str:
    """Return a path as the scenario's document has it: a query that is written as a bare time means its time."""
    match path.split("."):
        case ["components", name, "queries", _] if isinstance(scenario.components.get(name), Database):
            return f"{path}.time"
        case _:
            return path


def estimate(observed: Observed, path: str, found: Found) -> Found:
    """Return the value of one parameter of a component, and of any that can only be told together with it.

    Args:
        observed: what was observed.
        path: its canonical key path.
        found: the values found before, which others may have to be freed of.

    Raises:
        Unsupported: nothing that is recorded tells of what the path points at.
        NotEnoughData: too little was recorded.
    """
    match path.split("."):
        case ["components", name, "overhead" | "busy_overhead" as state] if _is_told_by_both(observed, name, state):
            return _by_state(observed, path, name, found)
        case ["components", name, *rest] if name in observed.scenario.components:
            return {path: _of_component(observed, path, observed.scenario.components[name], rest, found)}
        case _:
            raise _unknown(path)


def _unknown(path: str) -> Unsupported:
    return Unsupported(f"{path}: no record tells of it, so it cannot be calibrated; what can: {CALIBRATED}")


def _of_component(observed: Observed, path: str, part: Component, rest: list[str], found: Found) -> CalibratedValue:
    name = path.split(".")[1]
    match part:
        case LoadBalancer() | Nginx() | Envoy() | Cdn():
            if rest == ["hit_time" if isinstance(part, Cdn) else "forward_time"]:
                return _forward_time(observed, path, name)
        case Service():
            return _of_service(observed, path, name, rest)
        case Cache():
            if rest == ["access_time"]:
                return _exchange(observed, path, observed.of(name), how=f"exchanges with {name}")
        case Database():
            return _of_database(observed, path, part, rest, found)
        case Queue() | Stream() | Mailbox():
            return _of_channel(observed, path, part, rest)
        case RateLimiter():
            if rest == ["check_time"]:
                return _exchange(observed, path, observed.of(name), how=f"checks of {name}")
        case WaitingRoom() | Host() | NodePool():
            pass
        case _:
            assert_never(part)
    raise _unknown(path)


def _of_channel(observed: Observed, path: str, part: Channel, rest: list[str]) -> CalibratedValue:
    name = path.split(".")[1]
    match rest:
        case ["publish_time"]:
            return _exchange(observed, path, observed.of(f"{name}.publish"), how=f"exchanges with {name} to publish")
        case ["access_time"] if isinstance(part, Queue):  # a consumer's, whenever the request came
            times_s = observed.of(f"{name}.acknowledge")["service_time_s"]
            return fit(path, sample_of(path, times_s, how=f"exchanges with {name} to acknowledge"))
        case _:
            raise _unknown(path)


def _exchange(observed: Observed, path: str, visits: pd.DataFrame, *, how: str) -> CalibratedValue:
    """What a request's exchange with another process takes: others would hold up its answer on the event loop."""
    free = undisturbed(observed.requests, visits)
    return fit(path, sample_of(path, free["service_time_s"], how=how))


def _forward_time(observed: Observed, path: str, name: str) -> CalibratedValue:
    """A proxy's own time where it is recorded, else its CPU time per request: HAProxy logs whole milliseconds.

    Several balancers are one process, whose CPU time is then spread evenly over all that they forward.
    """
    visits = observed.of(name)
    if visits["service_time_s"].notna().any():
        return fit(path, sample_of(path, visits["service_time_s"], how=f"own time of {name}"))
    process, serves = name, [name]
    if not _has_cpu(observed, name):
        parts = observed.scenario.components.items()
        process, serves = _SHARED_HAPROXY, [each for each, part in parts if isinstance(part, LoadBalancer | Cdn)]
    asked_s = pd.concat([observed.of(each)["service_time_s"] for each in serves]).fillna(0.0)
    return fit_mean(path, cpu_per_request(observed, path, process, asked_s, serves=serves))


def _of_service(observed: Observed, path: str, name: str, rest: list[str]) -> CalibratedValue:
    match rest:
        case ["overhead" | "busy_overhead" as state]:
            turns = observed.of(f"{name}.event_loop", state)
            if len(turns):
                return fit(path, sample_of(path, turns["service_time_s"], how=f"stretches of {name}'s event loop"))
            if consumes(observed.scenario, name):
                return fit(path, overheads(observed, path, name))
            return _overhead(observed, path, name)
        case ["rejection_overhead"]:
            turns = observed.of(f"{name}.event_loop", "rejection")
            return fit(path, sample_of(path, turns["service_time_s"], how=f"stretches of {name}'s event loop"))
        case ["boot_time"]:
            return fit(path, boot_times(observed, path, name))
        case ["endpoints", endpoint, *_, "time"] if _is_step(observed, path, name, endpoint):
            return fit(path, step_times(observed, path, name, endpoint))
        case _:
            raise _unknown(path)


def _overhead(observed: Observed, path: str, name: str) -> CalibratedValue:
    """The CPU time of a service per request; where it calls others, at most what its visits leave between the calls.

    The CPU time of drivers lies within the spans of what they call, so it is in the times of those already.
    """
    called = [part for part in observed.scenario.components if part != name and _calls(observed, name, part)]
    found = []
    if called:
        how = f"time of {name}'s visits between the spans of {', '.join(called)}"
        found.append(fit_mean(path, sample_of(path, gaps(observed, name)["idle_s"], how=how)))
    if not called or _has_cpu(observed, name):
        found.append(fit_mean(path, cpu_per_request(observed, path, name, cpu_of_steps_s(observed, name))))
    return min(found, key=lambda each: each.mean)


def _is_told_by_both(observed: Observed, name: str, state: str) -> bool:
    """Whether a service has two overheads to be found, and no rows of a simulator tell of this one alone."""
    return f"components.{name}.busy_overhead" in observed.unknown and observed.of(f"{name}.event_loop", state).empty


def _by_state(observed: Observed, path: str, name: str, found: Found) -> Found:
    """The CPU time of a service per request, for who comes to an idle process and to a busy one."""
    both = (f"components.{name}.overhead", f"components.{name}.busy_overhead")
    if not set(both) <= observed.unknown:
        raise UsageError(f"{path}: one tells of the other; calibrate {both[0]} too")
    if consumes(observed.scenario, name) or any(_calls(observed, name, part) for part in observed.scenario.components):
        raise Unsupported(
            f"{both[1]}: {name!r} calls others, or works on messages: its CPU time holds that of drivers, so the "
            "overhead alone cannot be told for both states; leave busy_overhead out"
        )
    asked_s, told = cpu_of_steps_s(observed, name), found
    for _ in range(2):  # who finds it busy hangs a little on what it needs: the second time by what the first found
        busy = found_busy(observed.run, observed.scenario, told, name)
        values = cpu_by_state(observed, both, name, asked_s, busy)
        if min(each.mean for each in values) == 0:
            break  # what takes no time leaves no row in a replay
        told = {**found, **dict(zip(both, values, strict=True))}
    return dict(zip(both, values, strict=True))


def _has_cpu(observed: Observed, name: str) -> bool:
    """Whether the CPU time of processes of their own was sampled for a component."""
    sampled = observed.run.samples
    return bool(((sampled["gauge"] == "cpu_ratio") & (sampled["component"] == name)).any())


def _calls(observed: Observed, service: str, part: str) -> bool:
    component = observed.scenario.components[service]
    assert isinstance(component, Service)  # the caller has looked it up
    return any(asked(step) == part for step in every_step(component))


def _is_step(observed: Observed, path: str, service: str, endpoint: str) -> bool:
    return any(step.path == path for step in own_steps(observed.scenario, service, endpoint))


def _of_database(observed: Observed, path: str, part: Database, rest: list[str], found: Found) -> CalibratedValue:
    match rest:
        case ["round_trip"]:
            return round_trip(observed, path, part)
        case ["queries", query, "time"] if query in part.queries:
            trip = found.get(f"components.{path.split('.')[1]}.round_trip")
            return query_time(observed, path, part, query, trip)
        case _:
            raise _unknown(path)
