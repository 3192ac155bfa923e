"""What the launch of Pokemon GO and the viral app show: what breaks, in which order; what fixes do."""

from __future__ import annotations

from pathlib import Path

import pytest

import lab
from lab.measurement.render import deployment
from lab.validation.case import read_case

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::lab.experiment.simulate.OverloadWarning")]

SCENARIOS = Path(__file__).parents[2] / "scenarios"
SYSTEMS = SCENARIOS / "systems"


def _run(name: str, design: str, *, share: str | None = None, **changes: object) -> lab.Run:
    """One replication of a design in the world of the file."""
    scenario = lab.read_scenario(SYSTEMS / f"{name}.yaml").design(design)
    varied = scenario.with_({key.replace("__", "."): value for key, value in changes.items()})
    return lab.simulate(varied.sliced(share), replications=1, progress=False, allow_unstable=True)


def _served(run: lab.Run, begin_s: float, end_s: float) -> float:
    """The share of those due in a stretch of time who were answered well."""
    due = run.requests[run.requests["intended_start_s"].between(begin_s, end_s)]
    return float((due["outcome"] == "ok").mean())


def test_no_fix_of_the_launch_carries_it_alone() -> None:
    """At 50x nearly nobody is served as it was; a limit serves what the database can do, no other fix even that."""
    goodput = {
        design: _run("pokemon_go", design).value("goodput_per_s")
        for design in ("as it was", "rate limit", "pre-provisioned", "caching")
    }
    database_per_s = 2 / (0.7 * 0.3 + 0.15 * 0.1 + 0.15 * 0.15)
    assert goodput["as it was"] < 0.2 * database_per_s
    assert 0.5 * database_per_s < goodput["rate limit"] < database_per_s
    for design in ("pre-provisioned", "caching"):
        assert goodput[design] < 0.6 * goodput["rate limit"], design


def test_what_the_database_does_is_for_nobody() -> None:
    """The quiet break: of what it does in the launch, most was given up before."""
    visits = _run("pokemon_go", "as it was").visits
    late = visits[(visits["component"] == "main") & (visits["arrival_s"] > 40)]
    assert late["abandoned"].mean() > 0.8


def test_caching_carries_the_launch_if_the_pods_are_there_before() -> None:
    """With the map in a cache the database has room to spare; pods that come by autoscaler come too late to recover."""
    ready = _run("pokemon_go", "caching and pre-provisioned")
    late = _run("pokemon_go", "caching and quota")
    assert ready.value("error_ratio") < 0.01
    assert ready.value("sojourn_time_s_p95") < 3
    assert _served(late, 35, 60) < 0.3


def test_a_slice_twice_as_large_shows_the_same_launch() -> None:
    """Shares of those served differ little between 0.2 % and 0.4 % of the whole, limited and healthy."""
    for design in ("rate limit", "caching and pre-provisioned"):
        small, large = (_served(_run("pokemon_go", design, share=share), 40, 110) for share in ("0.2%", "0.4%"))
        assert abs(small - large) < 0.06, design


def test_beyond_what_is_there_a_waiting_room_keeps_what_there_is() -> None:
    """At 100x, above all that was provided, the waiting room keeps serving; without it hardly anybody is served."""
    peak = {"workload__arrival_rate__peak": "25000/s"}
    room = _run("pokemon_go", "all together", **peak)
    none = _run("pokemon_go", "caching and pre-provisioned", **peak)
    assert _served(none, 60, 100) < 0.2
    assert room.value("goodput_per_s") > 2.5 * none.value("goodput_per_s")


def test_phones_keep_a_game_down_whose_capacity_is_back() -> None:
    """Retries alone reach 15 times the highest rate seen before; a limit ends it, jitter alone does not."""
    runs = {
        design: _run("pokemon_go_migration", design)
        for design in ("as it was", "jitter alone", "limit at what there was", "backoff with jitter, up to 5 min")
    }
    visits = runs["as it was"].visits
    attempts = visits[visits["component"] == "edge"]["arrival_s"].astype(int).value_counts()
    before_per_s = 900_000 / 60 / 3 * 0.0005
    assert 15 < attempts.max() / before_per_s < 36
    back = {design: _served(run, 540, 570) for design, run in runs.items()}
    assert back["as it was"] < 0.1
    assert back["jitter alone"] < 0.1
    assert back["limit at what there was"] > 0.9
    assert back["backoff with jitter, up to 5 min"] > 0.9


def test_the_queries_break_first_in_the_viral_app_and_the_event_loop_second() -> None:
    """Mended queries move the break from 25,000 users to 71,000, as on paper; thumbnails elsewhere beyond 100,000."""
    for design, users in (("as it was", 25_000), ("queries", 71_000), ("queries and jobs", 110_000)):
        figures = lab.arithmetic(lab.read_scenario(SYSTEMS / "viral_app.yaml").design(design).sliced())
        first = figures.saturates_first
        assert first is not None
        assert first.component == ("main" if design == "as it was" else "api")
        assert first.capacity_per_s == pytest.approx(users * 0.005 * 0.1, rel=0.04)
        below, above = (
            _run("viral_app", design, workload__arrival_rate=f"{users * share * 0.005:g}/s", run__duration="50s")
            for share in (0.7, 1.3)
        )
        assert below.value("error_ratio") == 0, design
        assert _served(above, 20, 30) < 0.9, design


def test_functions_share_no_event_loop_but_the_database() -> None:
    """On functions mended queries are enough; before, refused connections leave more served than a proxy does."""
    kept, proxied, mended = (_run("viral_app_serverless", design) for design in ("as it was", "proxy", "queries"))
    assert kept.value("error_ratio") > 0.5
    assert proxied.value("goodput_per_s") < kept.value("goodput_per_s")
    assert proxied.value("cost_per_hour") > 2 * kept.value("cost_per_hour")
    assert mended.value("error_ratio") == 0


@pytest.mark.parametrize("name", ["pokemon_go", "viral_app"])
def test_the_twin_can_be_measured_and_breaks_as_its_system_does(name: str) -> None:
    """Its parts all have real counterparts; as it was it fails its clients in the spike, mended it does not."""
    case = read_case(SCENARIOS / "validation" / "cases" / f"{name}.yaml")
    broken, mended = (case.base().with_(load.changes) for load in case.loads.values())
    for scenario in (broken, mended):
        assert deployment(scenario)["entry"] == "edge"
    figures = [lab.simulate(each, replications=2, progress=False).value("error_ratio") for each in (broken, mended)]
    assert figures[0] > 0.1
    assert figures[1] < 0.01
