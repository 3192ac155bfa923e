"""Alarms that are exact to some ten microseconds.

Event loops (asyncio's, uvloop's, gevent's) round their timers to whole milliseconds, since epoll counts in those. A
demand of 4.3 ms would last 5 ms, and a request would leave up to a millisecond late. A timer of the kernel's own that
the loop sees as a readable file descriptor has no such step.
"""

from __future__ import annotations

import ctypes
import os

_CLOCK_MONOTONIC = 1
_NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC
_ABSOLUTE = 1


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Setting(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


_LIBC = ctypes.CDLL(None, use_errno=True)


class TimerFd:
    """One alarm on the monotonic clock; its file descriptor can be read once it has gone off."""

    def __init__(self) -> None:
        self.fd = _checked(_LIBC.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCK_CLOEXEC))

    def set(self, at_s: float) -> None:
        """Let the alarm go off at this time of ``time.monotonic()``, at once if it is past, and at no other."""
        nanoseconds = max(1, round(at_s * 1e9))  # zero would switch the alarm off
        setting = _Setting(_Timespec(0, 0), _Timespec(*divmod(nanoseconds, 1_000_000_000)))
        _checked(_LIBC.timerfd_settime(self.fd, _ABSOLUTE, ctypes.byref(setting), None))

    def clear(self) -> None:
        """Take note that the alarm went off."""
        try:
            os.read(self.fd, 8)
        except BlockingIOError:
            return  # it was set anew after it went off, which cleared it

    def close(self) -> None:
        """Give the file descriptor back."""
        os.close(self.fd)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
