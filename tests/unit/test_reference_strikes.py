"""Faults of replicas: whom they strike, what numbers their successors get, and how all are made whole."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from reference_backend.agenda import Agenda
from reference_backend.deployment import Deployment
from reference_backend.faults import CrashFault, HangFault, SlowDownFault
from reference_backend.happenings import Happenings
from reference_backend.processes import Command, spawn, stop
from reference_backend.replicas import Replicas
from reference_backend.strikes import Strikes

from .test_reference_deployment import example


class Recorder(Replicas):
    """Replicas that exist on paper: ready a fifth of a second after their start."""

    def __init__(self, now_s: list[float]) -> None:
        self.deployment = Deployment.model_validate(example())
        self.now_s = now_s
        self.there = {"api": {0: 8000, 1: 8001}, "profiles": {0: 8002}}
        self.started_s: dict[tuple[str, int], float] = {}
        self.done: list[tuple[Any, ...]] = []

    def ports(self, service: str) -> dict[int, int]:
        """Return the ports of who is there."""
        return dict(self.there[service])

    def kill(self, service: str, number: int) -> int:
        """Take one away."""
        self.done.append(("kill", service, number))
        return self.there[service].pop(number)

    def start(self, service: str, number: int, *, port: int) -> None:
        """Add one."""
        assert port not in self.there[service].values()
        self.done.append(("start", service, number))
        self.there[service][number] = port
        self.started_s[service, number] = self.now_s[0]

    def is_ready(self, service: str, number: int) -> bool:
        """Say whether its boot is over."""
        return self.now_s[0] >= self.started_s[service, number] + 0.2

    def stop(self, service: str, number: int) -> None:
        """Note it."""
        self.done.append(("stop", service, number))

    def let_go_on(self, service: str, number: int) -> None:
        """Note it."""
        self.done.append(("let_go_on", service, number))

    def slow_down(self, service: str, number: int, steps: str, factor: float) -> None:
        """Note it."""
        self.done.append(("slow_down", service, number, steps, factor))


class Repeat:
    """A repeat whose clock is turned by hand."""

    def __init__(self) -> None:
        self.now_s = [0.0]
        self.agenda = Agenda(now_s=lambda: self.now_s[0])
        self.happenings = Happenings(agenda=self.agenda)
        self.replicas = Recorder(self.now_s)
        self.strikes = Strikes(replicas=self.replicas, agenda=self.agenda, happenings=self.happenings)
        self.agenda.begin(0.0)

    def until(self, time_s: float) -> None:
        """Let the time pass, in steps of a hundredth of a second."""
        while self.now_s[0] < time_s:
            self.now_s[0] = round(self.now_s[0] + 0.01, 2)
            self.agenda.carry_out()

    @property
    def told(self) -> list[tuple[str, str, str]]:
        """What happened."""
        return [(each.component, each.kind, each.detail) for each in self.happenings.all]


def test_a_restarted_replica_has_a_number_of_its_own_and_the_dead_ones_slot() -> None:
    """It is struck last, as it has been ready for the shortest time; in the end the first numbers are back."""
    repeat = Repeat()
    repeat.strikes.crash(CrashFault(kind="crash", at_s=0.0, component="api", replicas=1, restart_after_s=1.0))
    repeat.until(2.0)
    repeat.strikes.crash(CrashFault(kind="crash", at_s=2.0, component="api", replicas=1, restart_after_s=0.5))
    repeat.until(2.6)  # the second successor still boots
    assert repeat.told == [
        ("api", "crash", '{"replicas":[0]}'),
        ("api", "restart", '{"replaces":0,"replica":2}'),
        ("edge", "server_replaced", '{"replica":2,"server":0}'),
        ("api", "crash", '{"replicas":[1]}'),
        ("api", "restart", '{"replaces":1,"replica":3}'),
    ]
    assert repeat.strikes.aftermath.replica("edge", 0, 1.9) == 2
    assert repeat.strikes.make_whole() == [("api", 0), ("api", 1)]
    assert repeat.replicas.there["api"] == {0: 8000, 1: 8001}


def test_one_that_is_gone_is_not_struck_again() -> None:
    """Nothing is done to it, and the event says so."""
    repeat = Repeat()
    repeat.strikes.crash(CrashFault(kind="crash", at_s=0.0, component="api", replica=1))
    repeat.strikes.hang(HangFault(kind="hang", at_s=0.1, component="api", replica=1, duration_s=1.0))
    repeat.until(2.0)
    assert repeat.replicas.done == [("kill", "api", 1)]
    assert repeat.told[1:] == [("api", "hang", '{"replicas":[]}'), ("api", "hang_over", '{"replicas":[]}')]


def test_what_still_lasts_when_the_requests_are_over_ends_then() -> None:
    """Nobody stands still or is slow while the backend is drained."""
    repeat = Repeat()
    repeat.strikes.hang(HangFault(kind="hang", at_s=0.0, component="api", replica=0, duration_s=60.0))
    slow = SlowDownFault(
        kind="slow_down", at_s=0.0, component="api", replica=1, factor=2.0, steps="wait", duration_s=60
    )
    repeat.strikes.slow_down(slow)
    repeat.replicas.done.clear()
    repeat.strikes.end()
    assert ("let_go_on", "api", 0) in repeat.replicas.done
    assert ("slow_down", "api", 1, "wait", 1.0) in repeat.replicas.done
    assert repeat.strikes.make_whole() == []


def test_a_process_that_stands_still_ends_without_being_killed(tmp_path: Path) -> None:
    """It is let go on, so that it hears that it is asked to end."""
    child = spawn(Command(part="api/0", arguments=["sleep", "30"], log=tmp_path / "log"))
    os.kill(child.pid, signal.SIGSTOP)
    assert stop([child], patience_s=2.0) == []
