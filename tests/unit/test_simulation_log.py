"""Events and gauges that parts record, and how they come into a Run."""

from __future__ import annotations

import pytest

import lab
from lab.simulation.log import Log
from lab.simulation.request import Request
from tests.unit.backends import scenario, service, waiting


class Watched:
    """A service replica that records how many it works on, and that it was touched."""

    def __init__(self, context: lab.Context) -> None:
        self.context = context
        self.busy = 0

    def handle(self, request: lab.Request):
        """Take a second."""
        clock, log, name = self.context.clock, self.context.log, self.context.name
        visit = log.open_visit(request, name, self.context.replica, clock.now)
        visit.admit(clock.now)
        log.event(name, "touched", clock.now, request=request.number, busy=self.busy)
        self._count(1)
        yield clock.timeout(1.0)
        self._count(-1)
        return visit.close(clock.now, lab.Outcome.OK)

    def _count(self, change: int) -> None:
        self.busy += change
        self.context.log.gauge(self.context.name, self.context.replica, "busy", self.context.clock.now, self.busy)


def _watched(n_jobs: int = 1) -> lab.Run:
    described = scenario({"api": service(waiting("1s"))}, run={"duration": "20s", "replications": 2})
    return lab.simulate(described, components={"api": Watched}, n_jobs=n_jobs, progress=False)


def test_events_of_every_replication_come_into_the_run_with_their_inputs() -> None:
    """One event a visit, in the order of time, with the detail as JSON in a fixed order."""
    run = _watched()
    assert set(run.events["replication"]) == {0, 1}
    assert len(run.events) == len(run.visits)
    first = run.events.iloc[0]
    assert first["detail"] == '{"busy":0,"request":0}'
    assert (first["component"], first["kind"]) == ("api", "touched")
    assert first["time_s"] == run.visits["arrival_s"].iloc[0]


def test_recorded_gauges_stand_beside_the_derived_ones() -> None:
    """A recorded step function agrees with the number in service that the visits give."""
    run = _watched().only(0)
    busy = run.samples[run.samples["gauge"] == "busy"]
    assert len(busy) == 2 * run.visits["departure_s"].notna().sum() + run.visits["departure_s"].isna().sum()
    assert (run.samples["gauge"] == "number_in_service_mean").any()
    lasts = busy["time_s"].diff().shift(-1).fillna(20.0 - busy["time_s"].iloc[-1])
    whole = run.metrics(warm_up=False).set_index(["metric", "subject"])["value"]
    assert (busy["value"] * lasts).sum() / 20.0 == pytest.approx(whole["number_in_service_mean", "api"])


@pytest.mark.slow
def test_the_number_of_processes_changes_no_event_or_gauge() -> None:
    """Rows travel from the workers in the order in which they happened."""
    assert _watched(n_jobs=2).fingerprint() == _watched().fingerprint()


def test_a_reading_that_reverts_within_its_instant_leaves_no_step() -> None:
    """Of several readings at one time the last stands; if it is what was there before, nothing changed."""
    log = Log()
    for time_s, value in ((0.0, 1), (4.0, 2), (4.0, 1), (6.0, 5)):
        log.gauge("api", -1, "replicas_ready", time_s, value)
    assert log.gauges["api", -1, "replicas_ready"] == [(0.0, 1), (6.0, 5)]


def test_an_input_that_json_cannot_hold_is_refused_where_it_is_recorded() -> None:
    """An infinite input would not be read back; the part that records it must say what it means."""
    with pytest.raises(ValueError, match="JSON"):
        Log().event("api", "scale_up", 1.0, utilisation=float("inf"))


def test_who_watches_a_component_misses_no_visit_when_the_log_is_taken_down() -> None:
    """Visits 0 to 9 go to two parts; the log is emptied every three, and of those to `api` each is seen once."""
    log = Log()
    log.take_down(lambda _: log.visits.clear(), every=3)
    newcomers, seen = log.newcomers("api"), []
    for number in range(10):
        log.open_visit(Request(number, 0, "get", 0, 0), "api" if number % 2 else "main", 0, float(number))
        if number % 4 == 3:
            seen.append([visit.request for visit in newcomers.take()])
    assert [*seen, [visit.request for visit in newcomers.take()]] == [[1, 3], [5, 7], [9]]


def test_a_gauge_of_many_steps_is_thinned_only_if_asked_and_only_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four steps a second, of which the first three stay as they are, and then the last of each second."""
    monkeypatch.setattr("lab.simulation.log._MANY_STEPS", 3)
    log, whole = Log(), Log()
    log.take_down(lambda _: None, every=3, gauge_every_s=1.0)
    for step in range(12):
        for each in (log, whole):
            each.gauge("jobs", -1, "queue_depth", step / 4, step)
    assert log.gauges["jobs", -1, "queue_depth"] == [(0.0, 0), (0.25, 1), (0.75, 3), (1.75, 7), (2.75, 11)]
    assert len(whole.gauges["jobs", -1, "queue_depth"]) == 12
