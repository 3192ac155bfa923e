"""What the systems WhatsApp and Spotify show: which part gives out, what each change helps, and what stays true."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import lab
from lab.experiment.decision import Decision
from lab.runs.summary import estimate
from lab.validation.mailbox_laws import broken_mailbox_laws
from lab.validation.stream_laws import broken_stream_laws

SYSTEMS = Path(__file__).parents[2] / "scenarios" / "systems"


def _decide(name: str, *, replications: int) -> Decision:
    scenario = lab.read_scenario(SYSTEMS / f"{name}.yaml")
    return lab.decide(scenario, replications=replications, keep="all", progress=False)


@pytest.fixture(scope="module")
def whatsapp() -> Decision:
    """All designs of WhatsApp, in the same two worlds."""
    return _decide("whatsapp", replications=2)


@pytest.fixture(scope="module")
def spotify() -> Decision:
    """All designs of Spotify, in the same two worlds."""
    return _decide("spotify", replications=2)


def _requests(run: lab.Run, endpoint: str, begin_s: float, end_s: float) -> pd.DataFrame:
    requests = run.requests
    return requests[(requests["endpoint"] == endpoint) & requests["intended_start_s"].between(begin_s, end_s)]


def _quantile_s(run: lab.Run, endpoint: str, begin_s: float, end_s: float) -> float:
    """The 95 % quantile of the answer times of requests that were meant to start within a stretch."""
    return float(_requests(run, endpoint, begin_s, end_s)["sojourn_time_s"].quantile(0.95))


def _counting_s(run: lab.Run, quantile: float) -> float:
    """How long plays of the release wait until they are counted, or until the end."""
    stays = run.visits[(run.visits["component"] == "plays") & run.visits["arrival_s"].between(42, 60)]
    waited = stays["admitted_s"].fillna(run.window.end_s) - stays["arrival_s"]
    return float(waited.quantile(quantile))


@pytest.mark.slow
def test_the_herd_does_more_damage_than_the_midnights(whatsapp: Decision) -> None:
    """As it was: seconds at a midnight, more than ten for the herd, and messages that are kept twice."""
    run = whatsapp.runs["as it was"]
    assert 0.6 < _quantile_s(run, "send", 34, 44) < 5
    assert _quantile_s(run, "send", 52, 62) > 8
    kept = run.visits[(run.visits["component"] == "chats.publish") & (run.visits["outcome"] == "ok")]
    assert kept.duplicated(["replication", "request"]).any()


@pytest.mark.slow
def test_messages_before_log_ins_shut_everybody_out(whatsapp: Decision) -> None:
    """First ticks are perfect, and log-ins are served after their phones have gone; unless that work is dropped."""
    first, heeding = "messages before log-ins", "messages first, and nothing for who has gone"
    shut_out, careful = whatsapp.runs[first], whatsapp.runs[heeding]
    assert _quantile_s(shut_out, "send", 52, 70) < 1
    assert (_requests(shut_out, "connect", 70, 75)["outcome"] == "ok").mean() < 0.5
    assert whatsapp.value(first, "time_to_recover_s", "replications") == 0
    assert _quantile_s(careful, "send", 52, 70) < 1
    assert whatsapp.value(heeding, "error_ratio") < 0.02


@pytest.mark.slow
def test_each_change_helps_against_one_thing(whatsapp: Decision) -> None:
    """The cache against midnight, jitter against the herd, the cdn for media; together nothing is left."""
    base, cached = whatsapp.runs["as it was"], whatsapp.runs["write-back cache"]
    spread, cdn = whatsapp.runs["phones come back over a minute"], whatsapp.runs["media on a CDN"]
    assert _quantile_s(cached, "send", 8, 46) < 0.5
    assert _quantile_s(cached, "media", 58, 70) > 1.5 * _quantile_s(base, "media", 58, 70)
    assert _quantile_s(spread, "connect", 52, 70) < 0.3 * _quantile_s(base, "connect", 52, 70)
    assert _quantile_s(spread, "send", 34, 44) > 0.6
    assert _quantile_s(cdn, "media", 52, 70) < 0.6 * _quantile_s(base, "media", 52, 70)
    assert _quantile_s(whatsapp.runs["all together"], "send", 4, 110) < 0.2
    assert whatsapp.value("all together", "time_to_recover_s") < 6


@pytest.mark.slow
def test_no_message_is_lost_or_out_of_order(whatsapp: Decision) -> None:
    """Conservation and order of chats and groups in every design, though servers died with deliveries under way."""
    for name, run in whatsapp.runs.items():
        assert list(broken_mailbox_laws(whatsapp.scenario.design(name).sliced(), run)) == []
        kinds = set(run.events["kind"])
        assert "redelivery" in kinds
        assert kinds.isdisjoint({"dropped", "expired", "refused"})


@pytest.mark.slow
def test_after_the_release_audio_and_home_pages_stay_away(spotify: Decision) -> None:
    """Metastable as it was; the cdn brings audio back, precomputing home pages, and neither the other."""
    base, cdn, ahead = (spotify.runs[name] for name in ("as it was", "a CDN in two tiers", "home pages precomputed"))
    assert _quantile_s(base, "audio", 70, 85) > 16
    assert _quantile_s(base, "home", 70, 85) > 16
    assert spotify.value("as it was", "time_to_recover_s", "replications") == 0
    assert _quantile_s(cdn, "audio", 40, 110) < 2
    assert _quantile_s(cdn, "home", 70, 85) > 16
    assert _quantile_s(ahead, "home", 10, 110) < 0.1
    assert _quantile_s(ahead, "audio", 70, 85) > 16


@pytest.mark.slow
def test_no_client_notices_that_plays_are_not_counted(spotify: Decision) -> None:
    """Partitions and rebalances change no answer; half of the plays wait for a dead consumer to be missed."""
    runs = spotify.runs
    answered_per_s = spotify.value("as it was", "goodput_per_s")
    quick = "a rebalance that does not stop all"
    for name in ("twice the partitions", "plays counted in batches", quick):
        assert spotify.value(name, "goodput_per_s") == pytest.approx(answered_per_s, rel=0.02)
    assert _counting_s(runs["as it was"], 0.5) > 20
    assert _counting_s(runs[quick], 0.5) < 0.5 * _counting_s(runs["as it was"], 0.5)
    assert _counting_s(runs["twice the partitions"], 0.95) > 0.8 * _counting_s(runs["as it was"], 0.95)
    assert _counting_s(runs[quick], 0.95) > 4  # the hot partition
    assert _counting_s(runs["all together"], 0.95) < 3
    assert all(spotify.value("all together", text, "met") for text in spotify.objectives)
    for name, run in runs.items():
        assert list(broken_stream_laws(spotify.scenario.design(name).sliced(), run)) == []


@pytest.mark.slow
def test_the_slice_behaves_like_one_of_twice_the_size() -> None:
    """How long WhatsApp's answers take, and how long plays wait at Spotify, with batches of half the size."""
    scenario = lab.read_scenario(SYSTEMS / "whatsapp.yaml")
    more_chats = {"workload.keys.count": 500, "components.groups.recipients": 500}
    one, two = (
        lab.simulate(described, replications=3, progress=False)
        for described in (scenario.sliced(), scenario.with_(more_chats).sliced("0.01%"))
    )
    low, high = (estimate(one.per_replication("sojourn_time_s_mean").to_numpy(), level=0.95)[place] for place in (1, 2))
    assert low < two.value("sojourn_time_s_mean") < high
    assert two.value("goodput_per_s") == pytest.approx(2 * one.value("goodput_per_s"), rel=0.1)
    scenario = lab.read_scenario(SYSTEMS / "spotify.yaml")
    halved = {"components.plays.poll_time": "30ms", "components.counter.endpoints.count.0.time": "20ms"}
    one, two = (
        lab.simulate(described, replications=2, progress=False)
        for described in (scenario.sliced(), scenario.with_(halved).sliced("0.01%"))
    )
    assert _counting_s(two, 0.95) == pytest.approx(_counting_s(one, 0.95), rel=0.2)
    assert two.value("goodput_per_s") == pytest.approx(2 * one.value("goodput_per_s"), rel=0.1)
