"""Waiting that never misses what ends a run: a signal, a dead part, a parent that went away."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

from reference_backend.events import Events
from reference_backend.problems import Interrupted, PartFailed
from reference_backend.processes import Child


class Watch:
    """The one place in which the supervisor waits.

    Attributes:
        children: the processes that must live.
        duties: what to do, in the middle of any wait, when a file descriptor can be read.
    """

    def __init__(self, *, lifeline: bool, events: Events) -> None:
        self._lifeline = sys.stdin.fileno() if lifeline else None
        self._events = events
        self._signal: int | None = None
        self.children: list[Child] = []
        self.duties: dict[int, Callable[[], None]] = {}
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)

    def catch_signals(self) -> None:
        """Turn SIGINT, SIGTERM and SIGHUP into an orderly end; a second one cannot disturb the teardown."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._remember)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        if self._signal is None:
            self._signal = number

    def check(self) -> None:
        """Raise if the run must end now."""
        if self._signal is not None:
            raise Interrupted.by_signal(self._signal)
        if self._events.reader_is_gone or self._lifeline_is_cut():
            raise Interrupted.by_parent()
        for child in self.children:
            if not child.is_alive():
                raise PartFailed(
                    child.part,
                    f"the process {child.exit_text()}",
                    why=f"a run without it would measure another system. Its last words: {child.last_words()}",
                    do="read those words; if it was killed from outside, run again",
                )

    def pause(self, seconds: float, *also: int) -> bool:
        """Wait; return at once, with True, when one of the file descriptors in ``also`` can be read.

        Raises:
            Interrupted: a signal came or the parent went away.
            PartFailed: a child has died (noticed within 0.2 s).
        """
        deadline = time.monotonic() + seconds
        while True:
            self.check()
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            watched = [self._wake_read, *also, *self.duties]
            watched += [self._lifeline] if self._lifeline is not None else []
            readable, _, _ = select.select(watched, [], [], min(left, 0.2))
            if self._wake_read in readable:
                os.read(self._wake_read, 64)
            for act in [act for fd, act in list(self.duties.items()) if fd in readable]:
                act()
            if any(fd in readable for fd in also):
                self.check()
                return True

    def until(self, is_so: Callable[[], bool], *, part: str, what: str, within_s: float) -> None:
        """Wait until something is so.

        Raises:
            PartFailed: it was not so in time.
        """
        deadline = time.monotonic() + within_s
        while not is_so():
            if time.monotonic() > deadline:
                words = " ".join(child.last_words() for child in self.children if child.part == part)
                raise PartFailed(
                    part,
                    f"{what} did not happen within {within_s:g} s",
                    why=f"the backend is not ready without it. Its last words: {words or '(none)'}",
                    do="look whether the machine is overloaded, and run again",
                )
            self.pause(0.02)

    def _lifeline_is_cut(self) -> bool:
        """Return whether the parent has closed its end; what it may have written is read and ignored."""
        if self._lifeline is None:
            return False
        readable, _, _ = select.select([self._lifeline], [], [], 0)
        return bool(readable) and os.read(self._lifeline, 4096) == b""
