"""Random faults within runs of three seconds: each kind at most once to each component."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

_TIMES = st.sampled_from(["0s", "400ms", "1s", "1100ms", "2s"])
_SPANS = st.sampled_from(["50ms", "300ms", "5s"])
_SOME = st.sampled_from([{}, {"replicas": 1}, {"replica": 0}])
_SERVICES = ("api", "inner", "worker", "function")


def _crashes(component: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda at, some, after: {"kind": "crash", "component": component, "at": at, "restart_after": after} | some,
        _TIMES,
        _SOME if component in _SERVICES else st.just({}),
        st.sampled_from([None, "0s", "200ms"]),
    )


def _standstills(component: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda at, some, span: {"kind": "hang", "component": component, "at": at, "duration": span} | some,
        _TIMES,
        _SOME if component in _SERVICES else st.just({}),
        _SPANS,
    )


def _slow_downs(component: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda at, factor, span: {
            **{"kind": "slow_down", "component": component, "at": at},
            **{"factor": factor, "duration": span},
        },
        _TIMES,
        st.sampled_from([1.5, 20]),
        _SPANS,
    )


def _bad_deploys(component: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda at, ratio, when, span, some: (
            {
                **{"kind": "bad_deploy", "component": component, "at": at, "duration": span},
                **{"error_ratio": ratio, "when": when},
            }
            | some
        ),
        _TIMES,
        st.sampled_from(["5%", "100%"]),
        st.sampled_from(["at_once", "at_the_end"]),
        _SPANS,
        _SOME,
    )


_FLUSHES = st.builds(
    lambda at, part: {"kind": "flush", "component": part, "at": at}, _TIMES, st.sampled_from(["items", "media"])
)
_PARTITIONS = st.builds(
    lambda at, span, between: {"kind": "partition", "between": list(between), "at": at, "duration": span},
    _TIMES,
    _SPANS,
    st.sampled_from([("client", "edge"), ("worker", "main"), ("media", "balanced")]),
)
_SLOW_LINKS = st.builds(
    lambda at, span, between: {
        **{"kind": "slow_link", "between": list(between), "at": at},
        **{"duration": span, "delay": "20ms"},
    },
    _TIMES,
    _SPANS,
    st.sampled_from([("worker", "main"), ("media", "balanced")]),
)
_DEAD_CACHES = st.builds(
    lambda at, after: {"kind": "crash", "component": "items", "at": at, "restart_after": after},
    _TIMES,
    st.sampled_from([None, "200ms"]),
)
_SCALINGS = st.builds(
    lambda at, replicas: {"kind": "scale", "component": "api", "at": at, "replicas": replicas},
    _TIMES,
    st.sampled_from([3, 4]),
)
_ANY = (
    _PARTITIONS,
    _SLOW_LINKS,
    _SCALINGS,
    *map(_crashes, (*_SERVICES, "main")),
    *map(_standstills, (*_SERVICES, "main")),
    *map(_slow_downs, ("inner", "main")),
    *map(_bad_deploys, _SERVICES),
    _FLUSHES,
)

_SOME_FAULTS = st.one_of(
    st.just([]),
    st.lists(st.one_of(*_ANY), max_size=3, unique_by=lambda fault: (fault["kind"], fault.get("component"))),
)


def _of_a_file(fault: dict[str, Any]) -> bool:
    """Whether it can happen where the database is a file, without a server and a network."""
    cut = "main" in fault.get("between", ())
    return not cut and (fault.get("component") != "main" or fault["kind"] == "slow_down")


@st.composite
def faults(
    draw: st.DrawFn, database: dict[str, Any], *, client: dict[str, Any], zones: list[str]
) -> list[dict[str, Any]]:
    """Draw none, or some faults; each only of what there is.

    Args:
        database: the one that they strike.
        client: on whose network, and on whose connections.
        zones: those of ``api``.
    """
    failover = {"kind": "failover", "component": "main", "at": draw(_TIMES)}
    lossy = {"kind": "packet_loss", "at": draw(_TIMES), "duration": draw(_SPANS), "loss": "40%"}
    last = database.get("shards", 1) - 1
    shard = draw(st.sampled_from([{}, {"shard": last}])) if last else {}
    failover |= shard
    drawn = [fault for fault in draw(_SOME_FAULTS) if database.get("engine") != "sqlite" or _of_a_file(fault)]
    mine = [fault | (shard if fault.get("component") == "main" else {}) for fault in drawn]
    some = mine + [failover] * bool(database.get("replicas") and draw(st.booleans()))
    reload = {"kind": "disconnect", "at": draw(_TIMES)}
    some += [reload] * bool(client.get("connections") and draw(st.booleans()))
    some += [lossy] * bool(client.get("network") and draw(st.booleans()))
    loss = {"kind": "zone_loss", "zone": draw(st.sampled_from(zones or ["a"])), "at": draw(_TIMES)}
    crashes = any(fault["kind"] == "crash" and fault["component"] == "api" for fault in some)
    lost = len(zones) > 1 and not crashes and draw(st.booleans())
    return some + [loss | {"duration": draw(_SPANS)}] * lost
