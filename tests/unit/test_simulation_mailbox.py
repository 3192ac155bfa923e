"""Mailboxes by hand: what is kept, delivered in order, delivered again, dropped and expired."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

import lab
from lab.errors import ScenarioError
from lab.scenario.presence import OnOff
from lab.scenario.schedule import Schedule
from lab.simulation.build import Context
from lab.simulation.presence import Attendance
from lab.simulation.replicate import replicate
from lab.simulation.request import Handling, Outcome, Request
from lab.validation.overtaking import overtakings_in_groups
from tests.unit.backends import scenario, service, waiting

PUBLISH = {"kind": "publish", "queue": "chats"}
_ALWAYS = {"online": "720h", "offline": "1ms"}
_HALF = {"online": "20s", "offline": "10s"}
_ASKED = {"replication": 0, "request": [0, 1], "key": 7}


def _chats(mailbox: dict[str, Any], *, delivery: str = "1s", duration: str = "300s", **gateway: Any) -> lab.Scenario:
    return scenario(
        {
            "api": service(PUBLISH),
            "chats": {"kind": "mailbox", "consumer": "gateway", "endpoint": "get", "publish_time": "0s"}
            | _ALWAYS
            | mailbox,
            "gateway": service(waiting(delivery), **gateway),
        },
        run={"duration": duration},
    )


def _observe(
    described: lab.Scenario, starts_s: list[float], keys: list[int], *, own: Any = None
) -> tuple[pd.DataFrame, list[tuple[float, str]], pd.DataFrame]:
    """Return the stays in the mailbox, its events, and all visits."""
    schedule = Schedule(intended_start_s=np.array(starts_s), endpoint=("get",) * len(starts_s), key=np.array(keys))
    observed = replicate(described, schedule, seed=1, replication=0, own=own)
    visits = pd.DataFrame(observed.visits)
    events = list(zip(observed.events["time_s"], observed.events["kind"], strict=True))
    return visits[visits["component"] == "chats"].reset_index(drop=True), events, visits


def _stretches(mailbox: dict[str, Any], recipient: int) -> Attendance:
    """Return who is online when, as the simulation of seed 1 has it."""
    from lab.randomness import Stream

    spec = OnOff.model_validate(mailbox)
    return Attendance(spec=spec, stream=Stream(seed=1, replication=0, name="chats/presence"))


class Failing:
    """Delivers nothing the first time."""

    def __init__(self, context: Context) -> None:
        self._clock = context.clock
        self._failed = False

    def handle(self, request: Request) -> Handling:
        """Take a second; fail once."""
        yield self._clock.timeout(1)
        first, self._failed = not self._failed, True
        return Outcome.ERROR if first else Outcome.OK


def test_one_recipient_gets_messages_one_after_another_and_others_do_not_wait() -> None:
    """Two ticks: each 1 s after the one before it; another recipient's message goes at once."""
    stays, events, visits = _observe(_chats({}), [0, 0, 0], [5, 5, 6])
    assert stays["admitted_s"].tolist() == [0, 1, 0]
    assert stays["departure_s"].tolist() == [1, 2, 1]
    assert events == []
    assert visits[visits["component"] == "chats.publish"]["departure_s"].tolist() == [0, 0, 0]  # one tick


def test_what_comes_while_the_recipient_is_offline_waits_for_them_in_order() -> None:
    """Nobody is given anything offline; on coming back all is delivered, first come first served."""
    attendance = _stretches(_HALF, 5)
    off_s = next(at_s for at_s in range(100) if not attendance.at(5, at_s)[0])
    back_s = attendance.at(5, off_s)[1]
    stays, _, _ = _observe(_chats(_HALF), [off_s, off_s + 0.5], [5, 5])
    assert stays["admitted_s"].tolist() == [back_s, back_s + 1]
    assert stays["outcome"].tolist() == [Outcome.OK] * 2


def test_who_goes_offline_before_the_acknowledgement_gets_it_again() -> None:
    """The delivery takes 15 s, the stretch online ends before: it counts for nothing and is done again."""
    attendance = _stretches(_HALF, 5)
    on_s = next(at_s for at_s in range(100) if attendance.at(5, at_s)[0] and attendance.at(5, at_s)[1] - at_s < 10)
    until_s = attendance.at(5, on_s)[1]
    stays, events, _ = _observe(_chats(_HALF, delivery="15s"), [on_s], [5])
    assert stays["outcome"].tolist() == [Outcome.TIMEOUT, Outcome.OK]
    assert stays["departure_s"].tolist()[0] == on_s + 15
    assert events == [(on_s + 15, "redelivery")]
    assert stays["admitted_s"].tolist()[1] == pytest.approx(max(on_s + 15, until_s + 10))


def test_a_failed_delivery_is_tried_again_after_a_while() -> None:
    """It fails at 1 s, and 30 s later it succeeds; the message behind it has waited."""
    stays, events, _ = _observe(_chats({}), [0, 0], [5, 5], own={"gateway": Failing})
    stays = stays.sort_values("admitted_s")
    assert stays["admitted_s"].tolist() == [0, 31, 32]
    assert stays["outcome"].tolist() == [Outcome.ERROR, Outcome.OK, Outcome.OK]
    assert events == [(1, "redelivery")]


@pytest.mark.parametrize(("overflow", "delivered"), [("reject", [0, 1]), ("drop_head", [0, 3])])
def test_a_full_mailbox_refuses_the_newest_or_loses_the_oldest(overflow: str, delivered: list[int]) -> None:
    """One is being delivered, one may wait."""
    described = _chats({"capacity": 1, "overflow": overflow}, delivery="10s")
    stays, events, visits = _observe(described, [0, 1, 2, 3], [5] * 4)
    assert stays[stays["outcome"] == Outcome.OK]["request"].tolist() == delivered
    assert [kind for _, kind in events] == (["dropped"] * 2 if overflow == "drop_head" else [])
    refused = (visits[visits["component"] == "chats.publish"]["outcome"] == Outcome.REJECTED).sum()
    assert refused == (0 if overflow == "drop_head" else 2)


def test_what_nobody_fetches_expires() -> None:
    """The recipient is away for an hour; after 100 s the message is deleted."""
    away = {"online": "1ms", "offline": "1h", "retention": "100s"}
    stays, events, _ = _observe(_chats(away), [50], [5])
    assert events == [(150, "expired")]
    assert stays["outcome"].tolist() == [Outcome.REJECTED]
    assert stays["waiting_time_s"].tolist() == [100]


def test_a_group_gets_a_message_each() -> None:
    """One publishing, three stays; all members are online and each gets it at once."""
    stays, _, visits = _observe(_chats({"group_size": 3, "recipients": 9}), [0], [5])
    assert stays["departure_s"].tolist() == [1, 1, 1]
    assert len(visits[visits["component"] == "chats.publish"]) == 1


@pytest.mark.parametrize(
    ("mailbox", "says"),
    [
        ({"overflow": "drop_head"}, "components.chats.overflow: has no effect, as a mailbox without a capacity"),
        ({"recipients": 9}, "components.chats.recipients: has no effect without groups"),
        ({"group_size": 9, "recipients": 3}, "components.chats.recipients: is 3, but each group has 9 members"),
        ({"consumer": "chats"}, "components.chats.consumer: 'chats' is not a service"),
    ],
)
def test_a_mailbox_that_cannot_work_is_refused(mailbox: dict[str, Any], says: str) -> None:
    """Keys have an effect, groups have members, and somebody delivers."""
    with pytest.raises(ScenarioError, match=says):
        _chats(mailbox)


def test_on_paper_a_group_multiplies_the_deliveries() -> None:
    """1/s to groups of three, 20 ms each."""
    paper = lab.arithmetic(_chats({"group_size": 3, "recipients": 9}, delivery="20ms"))
    assert paper.row("chats", "deliveries").offered_load == pytest.approx(0.06)
    assert "groups of 3" in lab.mermaid(_chats({"group_size": 3, "recipients": 9}))


def test_in_a_group_a_later_message_that_overtakes_is_told() -> None:
    """Two members get two messages, in order; then one of them gets the second before the first."""
    rows = [(0, 1.0, 3.0), (0, 1.0, 7.0), (1, 2.0, 8.0), (1, 2.0, 4.0)]
    visits = pd.DataFrame(
        {
            "replication": 0,
            "request": [request for request, *_ in rows],
            "attempt": 0,
            "component": "chats",
            "arrival_s": [arrival_s for _, arrival_s, _ in rows],
            "departure_s": [departure_s for *_, departure_s in rows],
            "outcome": "ok",
        }
    )
    run = cast("lab.Run", SimpleNamespace(visits=visits, requests=pd.DataFrame(_ASKED)))
    assert len(overtakings_in_groups(run, "chats", members=2)) == 0
    visits.loc[3, "departure_s"] = 2.5
    assert overtakings_in_groups(run, "chats", members=2)["request"].tolist() == [1]
    visits.loc[0, "outcome"] = "rejected"  # lost, so nobody is behind it
    assert len(overtakings_in_groups(run, "chats", members=2)) == 0
    visits["outcome"] = "in_flight"
    assert len(overtakings_in_groups(run, "chats", members=2)) == 0
