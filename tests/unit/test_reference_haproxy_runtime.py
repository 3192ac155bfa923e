"""What the runtime API is asked, and what is made of its answers; the real HAProxy is asked in tests/measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from reference_backend import haproxy
from reference_backend.haproxy_runtime import Refused, Runtime


class Spoken:
    """Stands for HAProxy's socket: notes the commands, and answers each with what was prepared for its beginning."""

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers = answers
        self.commands: list[str] = []

    def __call__(self, control: Path, command: str) -> str:
        """Answer as HAProxy does."""
        self.commands.append(command)
        return next((answer for begin, answer in self.answers.items() if command.startswith(begin)), "\n")


def runtime(monkeypatch: pytest.MonkeyPatch, answers: dict[str, str]) -> tuple[Runtime, list[str]]:
    """Return a runtime API that answers like this, and the list of what it is asked."""
    spoken = Spoken(answers)
    monkeypatch.setattr(haproxy, "ask", spoken)
    return Runtime(control=Path("h.sock"), backend="edge"), spoken.commands


def test_a_server_is_added_with_its_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is added later has its checks off until they are enabled, and is in maintenance until then."""
    api, commands = runtime(monkeypatch, {"add server": "New server registered.\n\n"})
    api.add(3, port=8003, settings="check inter 2s maxconn 4")
    assert commands == [
        "add server edge/r3 127.0.0.1:8003 check inter 2s maxconn 4",
        "enable health edge/r3",
        "enable server edge/r3",
    ]


def test_without_checks_none_are_enabled(monkeypatch: pytest.MonkeyPatch) -> None:
    """HAProxy refuses to enable checks that a server does not have."""
    api, commands = runtime(monkeypatch, {"add server": "New server registered.\n\n"})
    api.add(3, port=8003, settings="weight 1")
    assert [command.split()[1] for command in commands] == ["server", "server"]


def test_a_refusal_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """What HAProxy did not do is never taken for done."""
    api, _ = runtime(monkeypatch, {"add server": "Already exists a server with the same name in backend.\n"})
    with pytest.raises(Refused, match=r"add server edge/r3 .*Already exists"):
        api.add(3, port=8003, settings="weight 1")


def test_a_server_with_connections_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server can be taken out only when nobody is connected; whether it was is said."""
    api, commands = runtime(monkeypatch, {"del server": "Server still has connections attached to it.\n"})
    assert not api.remove(1)
    assert commands == ["set server edge/r1 state maint", "del server edge/r1"]
    gone, _ = runtime(monkeypatch, {"del server": "Server deleted.\n\n"})
    assert gone.remove(1)
    with pytest.raises(Refused, match="No such server"):
        runtime(monkeypatch, {"set server": "No such server.\n\n"})[0].remove(9)


def test_states_are_read_by_replica(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers are counted whatever their status; a server that drains is not up."""
    names = "# pxname,svname,qcur,scur,status,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,"
    rows = ["edge,r0,1,3,UP,0,10,0,2,1,0,", "edge,r12,0,1,DRAIN,0,4,0,0,0,,", "other,r1,0,0,UP,0,0,0,0,0,,"]
    api, _ = runtime(monkeypatch, {"show stat -1 4 -1": "\n".join([names, *rows]) + "\n\n"})
    states = api.servers()
    assert sorted(states) == [0, 12]
    assert (states[0].under_way, states[0].queued, states[0].answered, states[0].up) == (3, 1, 13, True)
    assert (states[12].under_way, states[12].answered, states[12].up) == (1, 4, False)
