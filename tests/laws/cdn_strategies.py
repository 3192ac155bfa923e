"""Random tiers of a cdn for hypothesis: one or two before what clients ask, and one before what services call."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

_TIMES = st.sampled_from(["0s", "2ms", {"kind": "exponential", "mean": "5ms"}])
_ROOMS = st.sampled_from(
    [
        {},
        {"capacity": 3},
        {"capacity": 4, "eviction": "random"},
        {"capacity": 4, "eviction": "slru", "protected_share": "50%"},
        {"capacity_bytes": "8KiB", "entry_sizes": {"kind": "lognormal", "mean": "2KiB", "scv": 1}, "eviction": "fifo"},
    ]
)
_WAYS = st.sampled_from([{}, {"request_collapsing": False}, {"collapse_timeout": "5ms"}])
_AGES = st.sampled_from(["20ms", "100ms", "1s"])
_SPANS = st.sampled_from(["0s", "50ms", "2s"])


def _tiers(targets: str, endpoints: tuple[str, ...], points: int) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda ages, room, way, stale, times: {
            **{"kind": "cdn", "targets": targets, "points_of_presence": points},
            **{"max_age": ages, "stale_while_revalidate": stale[0], "stale_if_error": stale[1]},
            **{"hit_time": times[0], "forward_time": times[1]},
            **room,
            **way,
        },
        st.fixed_dictionaries({endpoints[0]: _AGES}, optional=dict.fromkeys(endpoints[1:], _AGES)),
        _ROOMS,
        _WAYS,
        st.tuples(_SPANS, _SPANS),
        st.tuples(_TIMES, _TIMES),
    )


MEDIA = _tiers("balanced", ("get",), 2)
_BEFORE = st.one_of(
    st.builds(lambda edge: {"edge": edge}, _tiers("balancer", ("get", "put"), 3)),
    st.builds(
        lambda edge, shield: {"edge": edge, "shield": shield},
        _tiers("shield", ("get", "put"), 4),
        _tiers("balancer", ("put", "get"), 2),
    ),
)
TIERS = st.one_of(st.just({}), st.just({}), _BEFORE)
"""Nothing, or tiers of which clients ask ``edge`` and that end at ``balancer``."""
