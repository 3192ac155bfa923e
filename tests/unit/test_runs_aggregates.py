"""Runs at summary level: the figures of the full Run, without its visits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lab
from lab.errors import DomainError, NotEnoughData
from lab.report import write_report
from lab.runs import AGGREGATES, Run, Tables
from lab.runs.buckets import RELATIVE_ERROR, buckets_of, quantile, times_of
from lab.simulation import columns
from lab.validation.laws import broken_laws
from tests.unit.runs_frames import frame_of, request, run_of, visit

SCENARIOS = Path(__file__).parents[2] / "scenarios"
ROUNDING = {"rel": 1e-9, "abs": 1e-9}


def _short(name: str) -> lab.Scenario:
    return lab.read_scenario(SCENARIOS / name).with_(
        {"run.replications": 2, "run.duration": "40s", "run.warm_up": "5s"}
    )


def _both(scenario: lab.Scenario) -> tuple[Run, Run]:
    full, summary = (
        lab.simulate(scenario, keep=keep, n_jobs=1, progress=False, allow_unstable=True) for keep in ("all", "summary")
    )
    return full, summary


@pytest.fixture(scope="module")
def spike() -> tuple[Run, Run]:
    """The first spike: caches, waits, a timeout now and then."""
    return _both(_short("validation/first_spike.yaml"))


@pytest.fixture(scope="module")
def overload() -> tuple[Run, Run]:
    """Timeouts, retries, full queues, abandoned work."""
    return _both(_short("validation/overload.yaml"))


@pytest.fixture(params=["spike", "overload"])
def pair(request: pytest.FixtureRequest) -> tuple[Run, Run]:
    """A full Run and its summary."""
    return request.getfixturevalue(request.param)


times = st.floats(min_value=0.0, max_value=1e6) | st.sampled_from([0.0, 1e-9, 1.0, 2.0])


@settings(deadline=None)
@given(st.lists(times, min_size=1, max_size=200), st.sampled_from([0.0, 0.5, 0.95, 1.0]))
def test_a_quantile_from_buckets_is_within_the_stated_error(values: list[float], share: float) -> None:
    """Of numpy's linear quantile of the times themselves; a time below a nanosecond may pass for none."""
    buckets, counts = np.unique(buckets_of(np.array(values)), return_counts=True)
    found, exact = quantile(buckets, counts, share), float(np.quantile(values, share))
    assert found == pytest.approx(exact, rel=RELATIVE_ERROR, abs=1e-9)


@settings(deadline=None)
@given(times, times)
def test_a_longer_time_never_has_a_lower_bucket(one: float, other: float) -> None:
    """So the order of the buckets is that of the times."""
    low, high = buckets_of(np.sort(np.array([one, other])))
    assert low <= high


def test_no_wait_stays_no_wait() -> None:
    """Zero has a bucket of its own, whose middle is zero; minus zero is zero."""
    assert times_of(buckets_of(np.array([0.0, -0.0]))).tolist() == [0.0, 0.0]


def test_no_time_has_no_quantile() -> None:
    """No data is an error."""
    with pytest.raises(NotEnoughData, match="no time"):
        quantile(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), 0.5)


@pytest.mark.slow
@pytest.mark.parametrize("warm_up", [True, False])
def test_a_summary_has_the_same_figures(pair: tuple[Run, Run], warm_up: bool) -> None:
    """The same set of them; equal to rounding, and the quantile of waits within the stated error."""
    full, summary = (run.metrics(warm_up=warm_up).set_index(["replication", "metric", "subject"]) for run in pair)
    assert list(full.index) == list(summary.index)
    is_quantile = full.index.get_level_values("metric") == "waiting_time_s_p95"
    assert summary["value"][~is_quantile].tolist() == pytest.approx(full["value"][~is_quantile].tolist(), **ROUNDING)
    wanted = full["value"][is_quantile].tolist()
    assert summary["value"][is_quantile].tolist() == pytest.approx(wanted, rel=RELATIVE_ERROR, abs=1e-9)
    assert (full["value"][is_quantile] > 1e-3).any()


@pytest.mark.slow
def test_a_summary_names_the_same_bottleneck(pair: tuple[Run, Run]) -> None:
    """With the same numbers in its sentence: shares, waits and the peak."""
    full, summary = (run.bottleneck() for run in pair)
    assert summary.sentence == full.sentence
    assert summary.waiting_share == pytest.approx(full.waiting_share)
    assert summary.number_waiting_peak == full.number_waiting_peak > 0


@pytest.mark.slow
@pytest.mark.parametrize("bin_s", [None, 4.0])
def test_a_summary_has_the_same_timeline_in_whole_bins(pair: tuple[Run, Run], bin_s: float | None) -> None:
    """Numbers present and hit ratios second by second, or in bins of several."""
    full, summary = (run.timeline(bin_s) for run in pair)
    assert summary.drop(columns="value").equals(full.drop(columns="value"))
    assert summary["value"].tolist() == pytest.approx(full["value"].tolist(), rel=1e-6, abs=1e-8)


@pytest.mark.slow
def test_requests_samples_and_objectives_are_those_of_the_full_run(pair: tuple[Run, Run]) -> None:
    """Requests are the product: they are kept to the last one."""
    full, summary = pair
    assert summary.requests.equals(full.requests)
    assert summary.samples["value"].tolist() == pytest.approx(full.samples["value"].tolist(), rel=1e-6, abs=1e-8)
    assert [each.met for each in summary.objectives()] == [each.met for each in full.objectives()]
    assert summary.schedule_fingerprint() == full.schedule_fingerprint()


@pytest.mark.slow
def test_what_needs_visits_says_so_and_what_to_do(spike: tuple[Run, Run]) -> None:
    """Rows that were not kept are not an empty table."""
    _, summary = spike
    assert summary.is_summary
    assert summary.tables.visits.empty
    for ask in (lambda: summary.visits, lambda: broken_laws(summary)):
        with pytest.raises(NotEnoughData, match="keep='all'"):
            ask()


@pytest.mark.slow
def test_a_bin_that_was_not_kept_is_refused(spike: tuple[Run, Run]) -> None:
    """Half a second cannot be told from whole ones."""
    with pytest.raises(NotEnoughData, match="bins of 1 s"):
        spike[1].timeline(0.5)


@pytest.mark.slow
def test_a_warm_up_that_was_not_kept_is_refused(spike: tuple[Run, Run]) -> None:
    """Sums over [5 s, end) tell nothing about [7 s, end)."""
    _, summary = spike
    later = {**summary.scenario, "run": {**summary.scenario["run"], "warm_up": "7s"}}
    other = Run(world="predicted", scenario=later, tables=summary.tables, seed=1, provenance={})
    with pytest.raises(NotEnoughData, match="nothing is known from 7 s on"):
        other.metrics()


@pytest.mark.slow
def test_a_warm_up_that_is_found_afterwards_can_be_left_out() -> None:
    """`auto` is known only when all replications are done; the aggregates are cut wherever it may end."""
    scenario = lab.read_scenario(SCENARIOS / "theory" / "mm1.yaml")
    full, summary = _both(scenario.with_({"run.replications": 2, "run.duration": "200s", "run.warm_up": "auto"}))
    assert summary.scenario == full.scenario
    assert summary.value("waiting_time_s_mean", "server") == pytest.approx(full.value("waiting_time_s_mean", "server"))
    assert summary.bottleneck().number_waiting_peak == full.bottleneck().number_waiting_peak
    assert set(summary.tables.aggregates.query("quantity == 'visits'")["begin_s"]) <= {0.0, summary.window.start_s}


@pytest.mark.slow
def test_it_is_saved_and_loaded_with_its_fingerprint(spike: tuple[Run, Run], tmp_path: Path) -> None:
    """Like any Run; one replication can be taken out of it."""
    full, summary = spike
    again = Run.load(summary.save(tmp_path / "run"))
    assert again.fingerprint() == summary.fingerprint() != full.fingerprint()
    assert again.metrics().equals(summary.metrics())
    alone = again.only(1).metrics().reset_index(drop=True)
    assert alone.equals(summary.metrics().query("replication == 1").reset_index(drop=True))
    assert "aggregates of their visits" in repr(again)
    assert again._repr_html_() is not None


@pytest.mark.slow
def test_a_report_is_written_without_visits(spike: tuple[Run, Run], tmp_path: Path) -> None:
    """With every drawing that a full one has."""
    text = write_report(spike[1], tmp_path / "summary.html").read_text()
    titles = ("Topology", "Goodput over time", "Hit ratio of items", "Waiting at each component", "Queue at the")
    assert [title for title in titles if title not in text] == []


@pytest.mark.slow
def test_the_number_of_processes_changes_no_byte() -> None:
    """Aggregates travel from the workers like rows."""
    scenario = _short("validation/first_spike.yaml").with_({"run.duration": "10s"})
    prints = {lab.simulate(scenario, keep="summary", n_jobs=jobs, progress=False).fingerprint() for jobs in (1, 2)}
    assert len(prints) == 1


def test_another_level_is_refused() -> None:
    """There are two."""
    with pytest.raises(DomainError, match="'all' or 'summary'"):
        lab.simulate(_short("theory/mm1.yaml"), keep="some", progress=False)  # type: ignore[arg-type]


def test_a_run_has_visits_or_aggregates() -> None:
    """Both would be two truths."""
    run = run_of([request(1, 3.0, 0.1)], [visit(1, "api", 3.0, 3.0, 3.1)])
    row = {"replication": 0, "component": "api", "quantity": "visits", "begin_s": 0.0, "bucket": 0, "value": 1.0}
    with pytest.raises(DomainError, match="never both"):
        Tables(requests=run.requests, visits=run.visits, aggregates=frame_of(AGGREGATES, [row]))


@pytest.mark.slow
@pytest.mark.parametrize("keep", ["all", "summary"])
def test_when_rows_are_taken_down_changes_nothing_that_was_observed(keep: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row is final once it is closed: batches of 101 visits and one batch of all give the same Run."""
    scenario = _short("validation/overload.yaml").with_({"run.replications": 1, "run.duration": "30s"})
    figures = []
    for every in (101, 1_000_000):
        monkeypatch.setattr(columns, "_EVERY", every)
        run = lab.simulate(scenario, keep=keep, n_jobs=1, progress=False)
        figures.append(run.fingerprint() if keep == "all" else run.metrics()["value"].tolist())
    assert figures[0] == (figures[1] if keep == "all" else pytest.approx(figures[1], **ROUNDING))


@pytest.mark.slow
def test_few_rows_are_in_memory_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more visits than a batch and those under way; ended requests go with them."""
    most = {"visits": 0, "requests": 0}
    take = columns.Recorder._take

    def watched(self: columns.Recorder, now_s: float) -> None:
        most["visits"] = max(most["visits"], len(self._log.visits))
        most["requests"] = max(most["requests"], len(self._log.requests) + len(self._requests._open))
        take(self, now_s)

    monkeypatch.setattr(columns, "_EVERY", 200)
    monkeypatch.setattr(columns.Recorder, "_take", watched)
    run = lab.simulate(_short("validation/first_spike.yaml"), keep="summary", n_jobs=1, progress=False)
    assert len(run.requests) > 2000
    assert most["visits"] < 400
    assert most["requests"] < 200
