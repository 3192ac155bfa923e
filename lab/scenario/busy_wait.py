"""How SQLite waits for a file that another writer has locked: it sleeps and looks again."""

from __future__ import annotations

from collections.abc import Iterator

_FIRST_S = (0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.025, 0.025, 0.025, 0.05, 0.05)
_THEN_S = 0.1
_INSTANT_S = 1e-12


def busy_delays_s(timeout_s: float) -> Iterator[float]:
    """Yield how long a writer sleeps between its looks at the lock, until it has slept for the timeout.

    The last sleep is cut to what is left of the timeout; after it the writer looks once more.

    Source: SQLite 3.50, src/main.c, sqliteDefaultBusyCallback (a build with usleep).

    >>> [round(1000 * delay_s) for delay_s in busy_delays_s(0.3)]
    [1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 72]
    """
    slept_s, looks = 0.0, 0
    while timeout_s - slept_s > _INSTANT_S:
        delay_s = min(_FIRST_S[looks] if looks < len(_FIRST_S) else _THEN_S, timeout_s - slept_s)
        yield delay_s
        slept_s += delay_s
        looks += 1
