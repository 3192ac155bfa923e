"""Faults of the reference backend: when they happen, and what is refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from reference_backend.agenda import Agenda
from reference_backend.deployment import Deployment

from .test_reference_deployment import example


def with_faults(*faults: dict[str, object]) -> Deployment:
    """Return the example deployment with these faults."""
    return Deployment.model_validate({**example(), "faults": list(faults)})


def test_agenda_is_done_in_the_order_of_its_times_and_no_sooner() -> None:
    """Nothing happens before the schedule's zero is known; an act may put another on the agenda."""
    now_s, done = 100.0, []
    agenda = Agenda(now_s=lambda: now_s)
    agenda.at(2.0, lambda: done.append("second"))
    agenda.at(1.0, lambda: (done.append("first"), agenda.at(0.5, lambda: done.append("at once")))[0])
    agenda.carry_out()
    assert (done, agenda.within_s(7.0)) == ([], 7.0)
    agenda.begin(100.0)
    assert agenda.within_s(7.0) == 1.0
    now_s = 101.0
    agenda.carry_out()
    assert done == ["first", "at once"]
    assert agenda.within_s(0.25) == 0.25
    now_s = 102.5
    assert agenda.within_s(0.25) == 0.0
    agenda.carry_out()
    assert done == ["first", "at once", "second"]


def test_a_fault_strikes_what_there_is() -> None:
    """A fault of a part that cannot have it is refused by its place in the file."""
    assert with_faults({"kind": "flush", "at_s": 1.0, "component": "items"}).faults[0].component == "items"
    with pytest.raises(ValidationError, match=r"faults\[0\]\.component: 'main' is not a cache"):
        with_faults({"kind": "flush", "at_s": 1.0, "component": "main"})
    with pytest.raises(ValidationError, match=r"faults\[0\]\.replica: 'api' has no replica of that number"):
        with_faults({"kind": "hang", "at_s": 1.0, "component": "api", "replica": 2, "duration_s": 1.0})
    with pytest.raises(ValidationError, match="give one of them"):
        with_faults({"kind": "crash", "at_s": 1.0, "component": "api", "replica": 1, "replicas": 1})
