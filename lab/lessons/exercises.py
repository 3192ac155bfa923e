"""A question with a number for an answer: checked by tolerance, with one more hint for each wrong try."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape

from lab.errors import DomainError

# Milliseconds for seconds and the like: the reasoning is right then, and a hint about it would mislead.
_WRONG_UNIT = 1000.0
_ROUNDING = 1e-9  # what floating point may be off where no tolerance is given


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is said to one try.

    Attributes:
        is_right: whether the value was within the tolerance.
        text: a sentence or two for the reader; never the answer.
    """

    is_right: bool
    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        sign = "&#10003;" if self.is_right else "&#10007;"
        return f'<div style="margin:.3em 0"><b>{sign}</b> {escape(self.text)}</div>'


@dataclass(slots=True, kw_only=True, repr=False)
class Exercise:
    """One question; made by :func:`exercise`."""

    question: str
    answer: float | Callable[[], float] = field(repr=False)
    unit: str
    tolerance: float
    hints: Sequence[str]
    explanation: str
    _wrong: int = field(default=0, init=False)

    def check(self, value: float) -> Reply:
        """Say whether a value is right, without giving the answer away.

        A value that is a factor of 1000 off is told so and costs no hint.

        Raises:
            DomainError: the value is no finite number.
        """
        given, wanted = _number(value, "what you give to check()"), self._wanted()
        if self._is_near(given, wanted):
            return Reply(is_right=True, text=f"{given:g}{self._unit} is right{self._how_near(given, wanted)}.")
        for factor in (_WRONG_UNIT, 1 / _WRONG_UNIT):
            if self._is_near(given, wanted * factor):
                size = "large" if factor > 1 else "small"
                asked = f": the answer is asked for in {self.unit}" if self.unit else ""
                return Reply(
                    is_right=False, text=f"Right but for the unit{asked}, and yours is a thousand times too {size}."
                )
        self._wrong += 1
        return Reply(is_right=False, text=f"{given:g}{self._unit} is not it. {self._next_hint()}")

    def solution(self) -> Reply:
        """Give the answer away, with the way to it."""
        why = f" {self.explanation}" if self.explanation else ""
        return Reply(is_right=True, text=f"{self._wanted():.4g}{self._unit}.{why}")

    def __repr__(self) -> str:
        asked = f" (in {self.unit}" if self.unit else " ("
        within = f"within {self.tolerance:.0%}" if self.tolerance else "exactly"
        return f"{self.question}{asked}{', ' if self.unit else ''}{within})"

    def _repr_html_(self) -> str:
        return f'<div style="margin:.3em 0"><i>{escape(repr(self))}</i></div>'

    @property
    def _unit(self) -> str:
        return f" {self.unit}" if self.unit else ""

    def _wanted(self) -> float:
        """Work the answer out at the first try, so that no cell need show it before."""
        if callable(self.answer):
            self.answer = self.answer()
        wanted = _number(self.answer, f"the answer of {self.question!r}")
        if wanted == 0:
            raise DomainError(
                f"the answer of {self.question!r} is 0, of which no share is a tolerance; ask for another"
            )
        return wanted

    def _is_near(self, given: float, wanted: float) -> bool:
        return math.isclose(given, wanted, rel_tol=0.0, abs_tol=max(self.tolerance, _ROUNDING) * abs(wanted))

    def _how_near(self, given: float, wanted: float) -> str:
        """Whether it hits the mark is worth knowing, and tells nothing that the reader has not found."""
        off = f"{abs(given / wanted - 1):.0%}"
        return "" if off == "0%" else f" (within {off})"

    def _next_hint(self) -> str:
        if not self.hints:
            return "Try again, or ask for .solution()."
        if self._wrong <= len(self.hints):
            return f"Hint {self._wrong} of {len(self.hints)}: {self.hints[self._wrong - 1]}"
        return f"{self.hints[-1]} That was the last hint; .solution() has the answer."


def exercise(
    question: str,
    *,
    answer: float | Callable[[], float],
    unit: str = "",
    tolerance: float = 0.1,
    hints: Sequence[str] = (),
    explanation: str = "",
) -> Exercise:
    """Make an exercise.

    Args:
        question: what is asked.
        answer: the number, or a function that works it out (a simulation, say) when it is first needed.
        unit: what the answer is counted in, such as ``ms`` or ``requests/s``; empty for a plain number.
        tolerance: how far a right answer may be off, as a share of the answer; 0 for whole numbers.
        hints: one is given for each wrong try, in order.
        explanation: the way to the answer, shown by :meth:`Exercise.solution` alone.

    Raises:
        DomainError: the tolerance is no share below 1.

    >>> stays = exercise("How long does a request stay?", answer=0.1, unit="s", hints=["S / (1 - utilisation)"])
    >>> stays.check(0.05)
    0.05 s is not it. Hint 1 of 1: S / (1 - utilisation)
    >>> stays.check(100)
    Right but for the unit: the answer is asked for in s, and yours is a thousand times too large.
    >>> stays.check(0.1).is_right
    True
    """
    if not 0 <= tolerance < 1:
        raise DomainError(f"a tolerance of {tolerance} is no share of the answer; give one from 0 to below 1")
    return Exercise(
        question=question, answer=answer, unit=unit, tolerance=tolerance, hints=tuple(hints), explanation=explanation
    )


def _number(value: object, what: str) -> float:
    # numpy's numbers have __float__ as ours do; a text has not, and True is none that anybody means.
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise DomainError(f"{what} is {value!r}, which is no number; give a number, without its unit")
    number = float(value)
    if not math.isfinite(number):
        raise DomainError(f"{what} is {number}; give a finite number")
    return number
