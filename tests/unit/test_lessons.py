"""Exercises say right, wrong or wrong unit and keep their answer; a slider changes its picture and nothing else."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

import lab
from lab.lessons import Exercise, exercise, explore, replications

ANSWER = 137.0


def _asked(**changes: Any) -> Exercise:
    return exercise("How long?", **{"answer": ANSWER, "unit": "ms", "hints": ("think", "think again"), **changes})


@pytest.mark.parametrize(("quick", "wanted"), [("1", 3), ("", 20), ("0", 20)])
def test_a_quick_notebook_runs_three_replications(monkeypatch: pytest.MonkeyPatch, quick: str, wanted: int) -> None:
    """LAB_QUICK=1 alone changes the number, and never makes it larger."""
    monkeypatch.setenv("LAB_QUICK", quick)
    assert replications(20) == wanted
    assert replications(2) == 2
    with pytest.raises(lab.errors.DomainError, match="at least 1"):
        replications(0)


@pytest.mark.parametrize("value", [ANSWER, 124.0, 150.0, np.float64(137)])
def test_it_accepts_by_tolerance(value: float) -> None:
    """A tenth either way."""
    assert _asked().check(value).is_right


@pytest.mark.parametrize("value", [122.0, 152.0, -ANSWER, 0.0])
def test_it_refuses_beyond(value: float) -> None:
    """Just outside, the wrong sign, nothing."""
    assert not _asked().check(value).is_right


def test_a_whole_number_may_have_to_be_exact() -> None:
    """Tolerance 0 forgives rounding alone."""
    exact = exercise("How many?", answer=lambda: 0.1 * 30, tolerance=0)
    assert exact.check(3).is_right
    assert not exact.check(3.01).is_right


def test_each_wrong_try_gets_the_next_hint_and_the_last_stays() -> None:
    """Hints in order; then where the solution is."""
    asked = _asked()
    said = [asked.check(5).text for _ in range(3)]
    assert "Hint 1 of 2: think" in said[0]
    assert "Hint 2 of 2: think again" in said[1]
    assert ".solution()" in said[2]


@pytest.mark.parametrize(("value", "size"), [(ANSWER * 1000, "large"), (0.137, "small")])
def test_a_wrong_unit_is_told_from_a_wrong_answer(value: float, size: str) -> None:
    """A factor of 1000 is named, costs no hint, and is not right."""
    asked = _asked()
    reply = asked.check(value)
    assert not reply.is_right
    assert "ms" in reply.text
    assert f"too {size}" in reply.text
    assert "Hint 1" in asked.check(5).text


def test_only_the_solution_gives_the_answer() -> None:
    """Neither the exercise nor any reply shows it; the solution shows it with the way."""
    asked = _asked(explanation="Little's law.")
    shown = [repr(asked), asked._repr_html_(), *(repr(asked.check(value)) for value in (1, 0.137, 2, 3, 4))]
    assert not any("137" in text.replace("0.137", "") for text in shown)
    assert "137 ms. Little's law." in repr(asked.solution())


def test_the_answer_is_worked_out_once_and_late() -> None:
    """A simulation for an answer runs when it is first checked."""
    ran: list[int] = []
    late = exercise("How many?", answer=lambda: ran.append(1) or 4.0)
    assert ran == []
    assert late.check(4).is_right
    assert not late.check(9).is_right
    assert ran == [1]


@pytest.mark.parametrize("value", ["137 ms", True, float("nan"), None])
def test_what_is_no_number_is_refused(value: Any) -> None:
    """With what to give instead."""
    with pytest.raises(lab.errors.DomainError, match="number"):
        _asked().check(value)


def test_an_exercise_that_cannot_be_checked_is_refused() -> None:
    """No tolerance above all, none around zero."""
    with pytest.raises(lab.errors.DomainError, match="share"):
        _asked(tolerance=1.5)
    with pytest.raises(lab.errors.DomainError, match="is 0"):
        _asked(answer=0).check(1)


def _bar(ax: Any, height: float = 1.0, kind: str = "a") -> None:
    if height > 8:
        raise lab.errors.Unstable("too high to stand")
    ax.bar({"a": 0, "b": 5}[kind], height)
    ax.set(xlim=(-1, 6), ylim=(0, 10))
    ax.set_axis_off()  # ticks and their labels take most of the time that a picture takes


def test_a_slider_changes_the_picture_in_its_place() -> None:
    """The same widget shows another picture, the one drawn for that value; a choice works as a range does."""
    shown = explore(_bar, size=(1, 1), height=(0.0, 10.0, 1.0), kind=["a", "b"])
    before = shown.widget().children[-1]
    first = bytes(before.value)
    assert first.startswith(b"\x89PNG")
    assert shown.move(height=5.0) == shown.png(height=5.0) != first
    assert shown.move(kind="b") == shown.png(height=5.0, kind="b") != first
    assert shown.widget().children[-1] is before


def test_it_is_drawn_once_a_move_and_not_while_dragged() -> None:
    """Pictures would queue up otherwise."""
    drawn: list[float] = []
    shown = explore(lambda ax, height=1.0: drawn.append(height), size=(1, 1), height=(0.0, 4.0, 1.0))
    slider = shown.widget().children[0]
    assert slider.continuous_update is False
    shown.move(height=3.0)
    assert drawn == [1.0, 3.0]


def test_what_cannot_be_drawn_is_said_beside_the_slider() -> None:
    """The reason is shown, the last picture stays, and the next good value clears it."""
    shown = explore(_bar, size=(1, 1), height=(0.0, 10.0, 1.0))
    problem = shown.widget().children[-2]
    first = bytes(shown.widget().children[-1].value)
    assert shown.move(height=9.0) == first
    assert "too high to stand" in problem.value
    shown.move(height=2.0)
    assert problem.value == ""


@pytest.mark.parametrize(
    ("sliders", "said"),
    [
        ({}, "at least one slider"),
        ({"width": (0, 1, 1)}, "no parameter width"),
        ({"height": (2.0, 9.0, 1.0)}, "not on its slider"),
        ({"height": (5.0, 0.0, 1.0)}, "from < to"),
        ({"kind": ["b", "c"]}, "not on its slider"),
    ],
)
def test_a_slider_without_a_place_to_start_is_refused(sliders: dict[str, Any], said: str) -> None:
    """Before anything is drawn."""
    with pytest.raises(lab.errors.DomainError, match=said):
        explore(_bar, **sliders)


def test_without_ipywidgets_the_reader_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The core does without it; a slider does not."""
    monkeypatch.setitem(sys.modules, "ipywidgets", None)  # Python's way to say that it is not there
    with pytest.raises(lab.errors.UsageError, match="make install"):
        explore(_bar, size=(1, 1), height=(0.0, 4.0, 1.0)).widget()
