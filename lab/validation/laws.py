"""Laws that every simulated Run must keep, whatever the scenario: bookkeeping that no model may break.

A user's own component is held to them too: ``lab.validation.laws.broken_laws(run)`` names what it breaks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.runs.invocations import PLATFORM
from lab.runs.run import Run
from lab.scenario.components import Database, Host, LoadBalancer, Mailbox, Nginx, Queue, Service, Stream, WaitingRoom
from lab.scenario.crossing import connection_places
from lab.scenario.names import TLS
from lab.scenario.replicas import can_stand_still, processes_end
from lab.scenario.scenario import Scenario
from lab.scenario.service import every_step, most_at_once, slots
from lab.scenario.steps import CachedStep, CallStep, ParallelStep, StepSpec, walk
from lab.validation.admission_laws import broken_admission_laws
from lab.validation.balancer_laws import broken_balancer_laws
from lab.validation.cache_laws import cache_laws
from lab.validation.cdn_laws import answered_after_error, broken_cdn_laws
from lab.validation.client_laws import broken_client_laws
from lab.validation.database_laws import broken_database_laws, database_places
from lab.validation.envoy_laws import broken_envoy_laws
from lab.validation.fan_out_laws import broken_fan_out_laws
from lab.validation.mailbox_laws import broken_mailbox_laws
from lab.validation.network_laws import broken_network_laws
from lab.validation.numbers import numbers_over_time
from lab.validation.queue_laws import broken_queue_laws, channel_places
from lab.validation.retrying_laws import broken_retrying_laws, tried_again
from lab.validation.scaling_laws import ACTIVATOR, broken_scaling_laws
from lab.validation.stream_laws import broken_stream_laws
from lab.validation.zone_laws import broken_zone_laws

Floats = NDArray[np.float64]
_TOLERANCE_S = 1e-9
_ROUNDING_S = 1e-6  # of sums over many rows


def broken_laws(run: Run) -> list[str]:
    """Return a sentence with numbers for each law that a predicted Run breaks; none is as it should be.

    The laws: flow balance, own time within the stay, client time = waits + services, no more in service than there
    are places, nobody waits while a place is free, first come first served before a balancer, Little's law,
    no more let pass than limiters and waiting rooms allow, nobody turned away beside a free replica (nginx),
    no more under way than circuit breakers allow (Envoy), conservation of messages, records of a stream and messages
    of a chat in order and none lost, no more connections than a database has room for, fresh reads from a primary, no
    more processes than allowed, transfers no faster than the network, caches serve what was stored, a cdn fetches once
    what many ask for, and what clients promise (:mod:`lab.validation.client_laws`).

    Of parallel steps: as many good branches as a full answer needs, in time (:mod:`lab.validation.fan_out_laws`).
    """
    scenario = Scenario.model_validate(run.scenario)
    visits, requests = run.visits, run.requests
    return [
        *_flow_balance(run),
        *_stay(scenario, visits),
        *_client_time(scenario, requests, visits),
        *_places(scenario, _of_the_language(run), scenario.run.duration),
        *_littles_law(run, visits),
        *broken_admission_laws(scenario, run),
        *broken_retrying_laws(scenario, _of_the_language(run)),
        *broken_envoy_laws(scenario, _of_the_language(run), scenario.run.duration),
        *broken_queue_laws(scenario, run),
        *broken_stream_laws(scenario, run),
        *broken_mailbox_laws(scenario, run),
        *broken_database_laws(scenario, run),
        *broken_scaling_laws(scenario, run),
        *broken_zone_laws(scenario, run),
        *broken_network_laws(scenario, requests, visits, run.samples),
        *broken_fan_out_laws(scenario, visits),
        *cache_laws(scenario, requests, _of_the_language(run)),
        *broken_cdn_laws(scenario, requests, _of_the_language(run)),
        *broken_client_laws(scenario, requests, replayed=run.provenance.get("replayed_schedule") is not None),
    ]


def _of_the_language(run: Run) -> pd.DataFrame:
    """The visits to parts whose number of places the scenario states: a user's own part has its own rules."""
    own = run.provenance.get("own_components", [])
    return run.visits[~run.visits["component"].isin(own)]


def _flow_balance(run: Run) -> Iterator[str]:
    """Every request and every visit has ended in some way or is in flight."""
    for name, frame, end in (("requests", run.requests, "end_s"), ("visits", run.visits, "departure_s")):
        ended, open_ = int(frame[end].notna().sum()), int((frame["outcome"] == "in_flight").sum())
        if ended + open_ != len(frame):
            yield f"flow balance: {len(frame)} {name}, but {ended} ended and {open_} are in flight"
    per_request = run.visits.groupby(["replication", "request"], observed=True).size()
    sent = run.requests[run.requests["attempts"] > 0]
    if len(per_request) != len(sent):
        yield f"flow balance: {len(sent)} requests were sent, but visits belong to {len(per_request)}"


def _stay(scenario: Scenario, visits: pd.DataFrame) -> Iterator[str]:
    """Waiting and own work fit into the stay, except where branches work at the same time."""
    left = visits[visits["departure_s"].notna() & ~visits["component"].isin(_fanning_out(scenario))]
    own_s = left["waiting_time_s"].fillna(0) + left["service_time_s"].fillna(0)
    short = left[own_s > left["departure_s"] - left["arrival_s"] + _TOLERANCE_S]
    for component, rows in short.groupby("component", observed=True):
        yield f"stay: {len(rows)} visits to {component} waited and worked longer than they stayed"


def _client_time(scenario: Scenario, requests: pd.DataFrame, visits: pd.DataFrame) -> Iterator[str]:
    """What the client sees is the sum of what happened behind it, where nothing runs in parallel and no call is hedged.

    Requests that a balancer sent to a second server are left out: the first one may work on for nobody. So are those
    that a cdn answered although its fetch failed: who failed it by taking too long may work on.
    """
    if _fanning_out(scenario) or _hedges_calls(scenario):
        return
    done = requests[(requests["outcome"] == "ok") & (requests["attempts"] == 1)].set_index(["replication", "request"])
    done = done.drop(index=pd.MultiIndex.from_frame(tried_again(scenario, visits)), errors="ignore")
    done = done.drop(index=pd.MultiIndex.from_frame(answered_after_error(scenario, visits)), errors="ignore")
    visits = visits[~visits["background"]]
    own_s = visits["waiting_time_s"].fillna(0) + visits["service_time_s"].fillna(0)
    behind_s = own_s.groupby([visits["replication"], visits["request"]]).sum().reindex(done.index)
    off = (behind_s - (done["end_s"] - done["start_s"])).abs()
    for place in off.index[off > _ROUNDING_S][:1]:  # one example says enough
        yield (
            f"client time: request {place[1]} of replication {place[0]} took "
            f"{done.loc[place, 'sojourn_time_s']:.6f} s, but the waits and services behind it sum to "
            f"{behind_s[place]:.6f} s"
        )


def _fanning_out(scenario: Scenario) -> list[str]:
    """The services with an endpoint that does several things at once, and caches whose misses do (refreshes too)."""
    found: list[str] = []
    for name, part in scenario.components.items():
        steps = list(every_step(part)) if isinstance(part, Service) else []
        if _has_branches(steps):
            found += [name, f"{name}.branches"]  # branches may have branches of their own
        found += [step.cache for step in steps if isinstance(step, CachedStep) and _has_branches(walk(step.miss))]
    return found


def _hedges_calls(scenario: Scenario) -> bool:
    """Whether a request may be served by several copies of one call at once."""
    services = (part for part in scenario.components.values() if isinstance(part, Service))
    return any(isinstance(step, CallStep) and step.hedge for part in services for step in every_step(part))


def _has_branches(steps: Iterable[StepSpec]) -> bool:
    return any(isinstance(step, ParallelStep) for step in steps)


def _places(scenario: Scenario, visits: pd.DataFrame, end_s: float) -> Iterator[str]:
    """Never more in service than places; nobody waits while a place of that replica is free.

    Where a process may stand still for a while, nobody gets its free places either.
    """
    yield from broken_balancer_laws(scenario, visits, end_s)
    for component, rows in visits.groupby("component", observed=True):
        places, strict = _places_of(scenario, str(component))
        if places is None:
            continue
        strict = strict and not can_stand_still(scenario, str(component).split(".")[0])
        placed = rows[rows["replica"] >= 0]  # the rest was never given a server
        for (replication, replica), own in placed.groupby(["replication", "replica"]):
            busy, waiting, span_s = numbers_over_time(own, end_s)
            where = f"{component}/{replica} in replication {replication}"
            if busy.max(initial=0) > places:
                yield f"places: {int(busy.max())} in service at {where}, which has {places} places"
            idle_s = float(span_s[(waiting > 0) & (busy < places)].sum())
            if strict and idle_s > _TOLERANCE_S * len(own):
                yield f"idle server: somebody waited for {idle_s:.9f} s at {where} while a place was free"


def _places_of(scenario: Scenario, component: str) -> tuple[int | None, bool]:
    """The places of one replica, and whether whoever waits there can have any of them.

    A load balancer's queue is for all its servers, unless the key decides; each worker of a replica has a queue of its
    own.
    """
    if isinstance(scenario.components.get(component.partition(".")[0]), Database):
        return database_places(scenario, component)
    if component not in scenario.components:
        return _places_within(scenario, component)
    match scenario.components[component]:
        case Service(workers=workers, adaptive_concurrency=adaptive) as service:
            places = most_at_once(service)
            return None if places is None else places * workers, workers == 1 and adaptive is None
        case LoadBalancer(max_connections_per_server=places, algorithm=algorithm, targets=targets):
            return places, algorithm == "uri" and not processes_end(scenario, targets)
        case WaitingRoom(max_active=places, session_duration=None, admission_rate=rate):
            return places, rate is None
        case Nginx(max_conns=places):
            return places, False  # nobody waits there but for other tries
        case Host(cores=places):
            return places, True
        case Queue() | Stream() | Mailbox() as channel:
            return channel_places(channel), False
        case _:
            return None, True


def _places_within(scenario: Scenario, component: str) -> tuple[int | None, bool]:
    """The places of what processes have within: its loop, its interpreter, its threads, its bulkheads."""
    if component.endswith((".event_loop", ".gil")):
        return 1, True
    if component.endswith(TLS):
        return connection_places(scenario, "handshakes"), True
    name, _, within = component.partition(".")
    service = scenario.components.get(name)
    if not isinstance(service, Service):
        return None, True
    if component.endswith((PLATFORM, ACTIVATOR)):
        return slots(service), False
    if within == "schedulers":
        return service.schedulers, True
    if within == "thread_pool":
        return service.threads, True
    target = within.removeprefix("bulkhead.")
    return (service.bulkheads[target].max_concurrent if target in service.bulkheads else None), True


def _littles_law(run: Run, visits: pd.DataFrame) -> Iterator[str]:
    """Time-weighted number present = arrival rate x mean stay, over the whole run."""
    metrics = run.metrics(warm_up=False)
    present = metrics[metrics["metric"].isin(["number_waiting_mean", "number_in_service_mean"])]
    number = present.groupby(["subject", "replication"])["value"].sum()
    end_s = Scenario.model_validate(run.scenario).run.duration
    stay_s = visits["departure_s"].fillna(end_s) - visits["arrival_s"]
    area = stay_s.groupby([visits["component"].astype(str), visits["replication"]]).sum()
    number.index.names = area.index.names
    off = (number.reindex(area.index).fillna(0.0) * end_s - area).abs()
    for place in area.index[off > 1e-6 * area.clip(lower=1.0)]:
        yield (
            f"Little's law: {place[0]} in replication {place[1]} held {number.get(place, 0.0):.6f} on average, but "
            f"arrivals times mean stay give {area[place] / end_s:.6f}"
        )
