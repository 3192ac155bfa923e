"""Random fronts that limit who is let in: before the entry's balancer, and before a service that another one calls."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

_TIMES = st.sampled_from(["0s", "1ms", {"kind": "exponential", "mean": "3ms"}])


@st.composite
def limiters(draw: st.DrawFn, *, endpoints: tuple[str, ...], clients_known: bool) -> dict[str, Any]:
    """Draw a rate limiter without its target.

    Args:
        endpoints: those of the service behind it.
        clients_known: whether one client can be told from another.
    """
    algorithm = draw(
        st.sampled_from(["token_bucket", "gcra", "fixed_window", "sliding_window_log", "sliding_window_counter"])
    )
    scopes = ["shared", "per_key", *["per_client"] * clients_known]
    return {
        "kind": "rate_limiter",
        "algorithm": algorithm,
        "limit": draw(st.integers(1, 20)),
        "window": draw(st.sampled_from(["100ms", "1s", "700ms"])),
        "burst": draw(st.sampled_from([None, 1, 5])) if algorithm in ("token_bucket", "gcra") else None,
        "scope": draw(st.sampled_from(scopes)),
        "endpoints": draw(st.sampled_from([None, list(endpoints[:1])])),
        "check_time": draw(_TIMES),
    }


@st.composite
def rooms(draw: st.DrawFn, *, clients_known: bool) -> dict[str, Any]:
    """Draw a waiting room without its target."""
    limits = draw(
        st.sampled_from([{"max_active": 2}, {"admission_rate": "50/s"}, {"max_active": 4, "admission_rate": "100/s"}])
    )
    return {
        "kind": "waiting_room",
        **limits,
        "max_queue": draw(st.sampled_from([None, 3])),
        "queue_timeout": draw(st.sampled_from([None, "100ms"])),
        "session_duration": draw(st.sampled_from([None, "50ms"])) if clients_known else None,
    }


@st.composite
def gates(draw: st.DrawFn, *, clients_known: bool) -> dict[str, dict[str, Any]]:
    """Draw what stands between clients and the balancer ``edge``: most often nothing, else fronts in a chain.

    Returns:
        By name: the first is called ``edge``, and the last leads to ``balancer``, which ``edge`` must be called then.
    """
    endpoints = ("get", "put")
    chain = draw(st.sampled_from([(), (), (), ("limiter",), ("room",), ("room", "limiter"), ("limiter", "room")]))
    names = ["edge", "second"][: len(chain)]
    drawn = [
        draw(rooms(clients_known=clients_known))
        if kind == "room"
        else draw(limiters(endpoints=endpoints, clients_known=clients_known))
        for kind in chain
    ]
    targets = [*names[1:], "balancer"]
    return {name: front | {"targets": target} for name, front, target in zip(names, drawn, targets, strict=False)}


def _called(steps: Any) -> list[str]:
    """Return the targets of all calls within steps, however deep, in the order in which they are written."""
    if isinstance(steps, list):
        return [target for step in steps for target in _called(step)]
    if not isinstance(steps, dict):
        return []
    own = [steps["target"]] if steps.get("kind") == "call" else []
    return own + [target for inner in steps.values() for target in _called(inner)]


@st.composite
def guards(draw: st.DrawFn, endpoints: dict[str, Any], *, patient: bool) -> dict[str, Any]:
    """Draw bulkheads for what the endpoints of a service call, and whether it heeds deadlines.

    Args:
        endpoints: by name, the steps as drawn.
        patient: whether clients never give up.
    """
    targets = list(dict.fromkeys(_called(list(endpoints.values()))))
    bulkhead = {"max_concurrent": draw(st.integers(1, 3)), "max_wait": draw(st.sampled_from(["0s", "10ms"]))}
    held_back = draw(st.booleans()) and bool(targets)
    return {
        "bulkheads": {targets[-1]: bulkhead} if held_back else {},
        "drop_expired": draw(st.booleans()) and not patient,
    }
