"""Hedged requests whose copies are independent: the first of two answers, the second asked for after a delay.

With service times S of independent copies and a delay d, P(T > t) is P(S > t) up to d and P(S > t) P(S > t - d) beyond.
A queue that both copies wait in breaks the assumption, and hedging then adds to what it waits for.

Source: Dean and Barroso (2013), "The tail at scale", Communications of the ACM 56(2), 74-80.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from lab.theory import domain


def slower_probability(*, slower_than: Callable[[float], float], time_s: float, delay_s: float) -> float:
    """Return the share of hedged requests that take longer than ``time_s``.

    Args:
        slower_than: the share of single copies that take longer than a time in seconds.
        time_s: 0 or above.
        delay_s: after which the second copy is sent, 0 or above.

    >>> tail = lambda time_s: math.exp(-time_s)
    >>> round(slower_probability(slower_than=tail, time_s=3.0, delay_s=1.0), 6)  # exp(-5)
    0.006738
    """
    until = domain.non_negative(time_s, name="time_s", unit="s")
    delay = domain.non_negative(delay_s, name="delay_s", unit="s")
    alone = slower_than(until)
    return alone if until < delay else alone * slower_than(until - delay)


def exponential_s_mean(*, service_time_s: float, delay_s: float) -> float:
    """Return the mean time of hedged requests whose copies take exponential times: m (1 - e) + m e / 2, e = exp(-d/m).

    Args:
        service_time_s: m, the mean of one copy, above 0.
        delay_s: d, after which the second copy is sent, 0 or above.

    >>> exponential_s_mean(service_time_s=0.1, delay_s=0.0)  # the first of two
    0.05
    """
    mean = domain.positive(service_time_s, name="service_time_s", unit="s")
    hedged = math.exp(-domain.non_negative(delay_s, name="delay_s", unit="s") / mean)
    return mean * (1.0 - hedged / 2.0)


def exponential_s_quantile(*, quantile: float, service_time_s: float, delay_s: float) -> float:
    """Return the time within which a share ``quantile`` (in (0, 1)) of such requests are answered.

    Other arguments as in ``exponential_s_mean``.

    >>> round(exponential_s_quantile(quantile=0.99, service_time_s=1.0, delay_s=3.0), 4)  # 4.6052 alone
    3.8026
    """
    beyond = 1.0 - domain.open_probability(quantile, name="quantile")
    mean = domain.positive(service_time_s, name="service_time_s", unit="s")
    delay = domain.non_negative(delay_s, name="delay_s", unit="s")
    alone = -mean * math.log(beyond)
    return alone if alone <= delay else (alone + delay) / 2.0
