"""Predictions: stability, warm-up, own components, replay."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import lab
from lab.errors import DomainError, NotEnoughData, Unstable, Unsupported
from lab.experiment.simulate import OverloadWarning, schedule_of
from lab.experiment.warm_up import found_warm_up_s
from tests.unit.backends import scenario, service, waiting


def _at(rate: str, **others: object) -> lab.Scenario:
    workload = {"kind": "open", "arrival_rate": rate, "endpoints": {"get": "100%"}}
    run = {"duration": "10s", "replications": 2}
    return scenario({"api": service(waiting("100ms"), concurrency=1)}, workload=workload, run=run, **others)


def test_an_endless_queue_is_refused_with_the_arithmetic() -> None:
    """20/s times 100 ms on one slot is a utilisation of 200 % and nothing bounds the queue."""
    with pytest.raises(Unstable, match="200"):
        lab.simulate(_at("20/s"), progress=False)


def test_an_endless_queue_can_be_asked_for() -> None:
    """Whoever wants to see it grow says so."""
    run = lab.simulate(_at("20/s"), progress=False, allow_unstable=True)
    assert run.requests["outcome"].eq("in_flight").mean() > 0.3


def test_a_bounded_overload_is_simulated_with_a_warning() -> None:
    """A backlog bounds the queue: worth simulating, worth a word."""
    described = _at("20/s").with_({"components.api.backlog": 3})
    with pytest.warns(OverloadWarning, match="200"):
        run = lab.simulate(described, progress=False)
    assert run.requests["outcome"].eq("rejected").mean() > 0.3


def test_a_clients_timeout_does_not_bound_the_queue() -> None:
    """The client goes, its work stays: the queue grows all the same, and the lab says so instead of simulating it."""
    with pytest.raises(Unstable, match="200"):
        lab.simulate(_at("20/s", client={"timeout": "500ms"}), progress=False)


def test_no_replication_is_refused() -> None:
    """A prediction of nothing is wrong use."""
    with pytest.raises(DomainError, match="at least 1"):
        lab.simulate(_at("1/s"), replications=0, progress=False)


def test_own_components_must_replace_something() -> None:
    """A misspelt name would otherwise be ignored in silence."""
    with pytest.raises(Unsupported, match="no databse to replace"):
        lab.simulate(_at("1/s"), components={"databse": lambda context: context.part("api")}, progress=False)


class Doubling:
    """A service replica that takes 200 ms, written as a user would."""

    def __init__(self, context: lab.Context) -> None:
        self.context = context

    def handle(self, request: lab.Request):
        """Take 200 ms."""
        clock = self.context.clock
        visit = self.context.log.open_visit(request, self.context.name, self.context.replica, clock.now)
        visit.admit(clock.now)
        visit.service_time_s = 0.2
        yield clock.timeout(0.2)
        return visit.close(clock.now, lab.Outcome.OK)


def test_a_users_own_component_stands_in_and_leaves_visits() -> None:
    """The scenario's service is replaced; its visits are in the Run like any other."""
    run = lab.simulate(_at("2/s"), components={"api": Doubling}, progress=False)
    done = run.requests[run.requests["outcome"] == "ok"]
    assert done["sojourn_time_s"].to_numpy() == pytest.approx(0.2)
    assert run.provenance["own_components"] == ["api"]


def test_the_warm_up_is_found_and_written_into_the_run() -> None:
    """`warm_up: auto` becomes a time that the figures leave out."""
    described = _at("5/s").with_({"run.warm_up": "auto", "run.duration": "400s"})
    run = lab.simulate(described, progress=False)
    assert run.scenario["run"]["warm_up"] != "auto"
    assert 0 <= run.window.start_s < 200


def test_a_slow_start_is_cut_off() -> None:
    """A course that starts ten times as high for a tenth of the run: MSER-5 drops about that tenth."""
    starts_s = np.arange(0, 100, 0.1)
    requests = pd.DataFrame(
        {
            "intended_start_s": starts_s,
            "sojourn_time_s": np.where(starts_s < 10, 1.0, 0.1) * (1 + 0.1 * np.sin(starts_s)),
            "outcome": "ok",
        }
    )
    assert found_warm_up_s(requests, 100.0) == pytest.approx(10.0, abs=1.0)


def test_a_run_without_a_whole_schedule_cannot_be_replayed() -> None:
    """Replaying half of what was sent would predict something else."""
    run = lab.simulate(_at("5/s"), progress=False)
    tables = run.to_pandas()
    from lab.runs.tables import Tables

    half = lab.Run(
        world="predicted",
        scenario=run.scenario,
        tables=Tables(requests=tables["requests"][tables["requests"]["request"] % 2 == 1]),
        seed=1,
        provenance={},
    )
    with pytest.raises(NotEnoughData, match="whole schedule"):
        schedule_of(half)
