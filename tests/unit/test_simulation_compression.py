"""Compression by hand: bytes for CPU time."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from lab.distributions import mean_s
from lab.errors import ScenarioError
from lab.scenario.arithmetic import arithmetic
from lab.scenario.closed_bounds import closed_bounds
from lab.scenario.demands import demand_slots
from lab.scenario.payload import Payload
from lab.scenario.scenario import Scenario
from tests.unit.backends import observe, scenario, service, waiting

# (kind, level): bytes of 32,000 that remain, and ms of CPU time, as measured
_MEASURED = {
    ("gzip", 1): (11_200, 0.4),
    ("gzip", 6): (10_600, 0.98),
    ("brotli", 5): (10_000, 1.8),
    ("brotli", 11): (9_100, 88),
    ("zstd", 3): (10_100, 0.23),
}
_CUSTOM = {"kind": "custom", "remains": "25%", "time": "10ms"}


@pytest.mark.parametrize(("kind", "level"), _MEASURED)
def test_codecs_have_their_figures(kind: str, level: int) -> None:
    """And take twice as long for twice as much."""
    sent_bytes, time_ms = _MEASURED[kind, level]
    for size in (32_000, 64_000):
        payload = Payload.model_validate(
            {"response": f"{size}B", "compression": {"kind": kind, "level": level}}  # type: ignore[dict-item]
        )
        assert payload.answer_bytes == pytest.approx(sent_bytes * size / 32_000)
        assert payload.compressing is not None
        assert mean_s(payload.compressing) * 1000 == pytest.approx(time_ms * size / 32_000)


def test_each_codec_has_a_usual_level() -> None:
    """gzip 6, brotli 5, zstd 3."""
    sent = [
        Payload.model_validate({"response": "32000B", "compression": {"kind": kind}}).answer_bytes
        for kind in ("gzip", "brotli", "zstd")
    ]
    assert sent == pytest.approx([10_600, 10_000, 10_100])


def _scenario(compression: Any, *, response: str | None = "14600B", **api: Any) -> Scenario:
    payloads = {"get": {"response": response, "compression": compression}}
    network = {"kind": "custom", "round_trip": "100ms", "down": "1168kbit/s"}  # 146 kB/s
    return scenario({"api": service(waiting("50ms"), payloads=payloads, **api)}, client={"network": network})


def _seen(compression: Any, starts_s: list[float], **api: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    return observe(_scenario(compression, **api), starts_s)


def test_what_is_saved_on_the_way_is_paid_on_the_event_loop() -> None:
    """100 ms of bytes become 25; two at once take their turns at 10 ms of CPU time."""
    plain, _ = _seen(None, [0.0])
    assert plain["sojourn_time_s"].tolist() == pytest.approx([0.1 + 0.05 + 0.1])
    both, visits = _seen(_CUSTOM, [0.0, 0.0])
    assert both["sojourn_time_s"].tolist() == pytest.approx([0.1 + 0.05 + 0.01 + 0.025, 0.1 + 0.05 + 0.02 + 0.025])
    loop = visits[visits["component"] == "api.event_loop"]
    assert loop["waiting_time_s"].sum() == pytest.approx(0.01)


def test_a_refusal_is_not_compressed() -> None:
    """It has nothing to compress."""
    requests, _ = _seen(_CUSTOM, [0.0, 0.0], concurrency=1, backlog=0)
    assert requests["outcome"].tolist() == ["ok", "rejected"]
    assert requests["sojourn_time_s"][1] == pytest.approx(0.1)


def test_paper_knows_what_compressing_takes() -> None:
    """1/s of 10 ms is 1 % of the loop; it is the last slot of a request; the answer has a quarter of its bytes."""
    compressed = _scenario(_CUSTOM)
    assert arithmetic(compressed).row("api", "event_loop").utilisation == pytest.approx(0.01)
    assert [slot.kind for slot in demand_slots(compressed, "get")] == ["wait", "cpu"]
    closed = {"kind": "closed", "population": 2, "think_time": "1s", "endpoints": {"get": "100%"}}
    bounds = closed_bounds(compressed.with_({"workload": closed}))
    assert bounds.response_time_s == pytest.approx(0.1 + 0.05 + 0.01 + 0.025)


@pytest.mark.parametrize(
    ("compression", "says"),
    [
        ({"kind": "gzip", "level": 9}, "level 9 of gzip was not measured (1 and 6 was); give its figures with kind"),
        (_CUSTOM | {"remains": "0%"}, "remains is 0%, but something must be sent"),
        ({"kind": "lz4"}, "there is no kind 'lz4' here"),
    ],
)
def test_codecs_that_are_not_known_are_refused(compression: dict[str, Any], says: str) -> None:
    """With what to do."""
    with pytest.raises(ScenarioError) as caught:
        _scenario(compression)
    assert says in str(caught.value)


def test_nothing_cannot_be_compressed() -> None:
    """An answer without a size."""
    with pytest.raises(ScenarioError, match="compression has no effect without a response to compress"):
        _scenario(_CUSTOM, response=None)
