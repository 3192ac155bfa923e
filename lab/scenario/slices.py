"""Slices and designs of a scenario: what of it runs, and each of its named variants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lab.errors import ScenarioError
from lab.scenario.multiplied import multiplied
from lab.scenario.problems import Path, Problem, scenario_error
from lab.scenario.scenario import Scenario
from lab.scenario.variants import leads_somewhere, replace_at, value_at, vary
from lab.scenario.vocabulary import unknown_word
from lab.units import format_ratio, parse_ratio

_Document = dict[str, Any]

# What all designs share, so that a difference between two of them is one of the design.
_SHARED = {
    "scale": "is of all designs; what runs of each is decided once",
    "designs": "cannot be changed by one of them",
    "run": "is the same for all designs, or their runs could not be compared",
    "objectives": "are the same for all designs, or they would be judged by different ones",
    "calibration": "is laid over the scenario before its designs are",
    **dict.fromkeys(("name", "question", "facts", "assumptions", "not_modelled"), "changes nothing that runs"),
}


def sliced(scenario: Scenario, share: str | float | None = None) -> Scenario:
    """Return what runs of a scenario: see :meth:`Scenario.sliced`."""
    scale = scenario.scale
    if scale is None or scale.applied:
        if share is not None and (scale is None or _ratio(share) != scale.slice):
            there = "this scenario has no scale: write one" if scale is None else "this is a slice of it already"
            raise ScenarioError(f"scale: {there}, which says what is multiplied (scale.of), before you slice it")
        return vary(scenario, {"designs": {}}) if scenario.designs else scenario
    taken = scale.slice if share is None else _ratio(share)
    document = scenario.to_document()
    # Others belong to parts that designs alone have: Scenario has checked that each leads somewhere.
    of = {path: place for place, path in enumerate(scale.of) if leads_somewhere(document, path)}
    problems = list(slice_problems(document, of, taken))
    if problems:
        raise scenario_error(problems)
    changes = {path: multiplied(value_at(document, path), taken, path=path) for path in of}
    about = {"scale.slice": format_ratio(taken), "scale.of": list(of), "scale.applied": True}
    return vary(scenario, {**changes, **about, "designs": {}}, what=f"slice of {format_ratio(taken)}")


def slice_problems(document: _Document, of: Mapping[str, int], share: float) -> Iterator[Problem]:
    """Yield what has no share, or none that is near enough.

    Args:
        document: of the scenario.
        of: key path of what is multiplied, which leads somewhere, to its number in ``scale.of``.
        share: of the whole.
    """
    for path, place in of.items():
        try:
            multiplied(value_at(document, path), share, path=path)
        except ValueError as error:
            yield Problem(path=("scale", "of", place), message=f"{path}: {error}")


def design(scenario: Scenario, name: str) -> Scenario:
    """Return one design of a scenario: see :meth:`Scenario.design`."""
    if name not in scenario.designs:
        known = scenario.designs or ("none: the scenario has no designs",)
        raise ScenarioError(f"designs: {unknown_word(name, known=known, what='design')}")
    document = scenario.to_document()
    problems = list(lay_over(document, name))
    if problems:
        raise scenario_error(problems)
    try:
        return Scenario.model_validate(document)
    except ScenarioError as error:
        message = f"the design {name!r} is not valid:\n{error}"
        raise ScenarioError(message, problems=error.problems, paths=error.paths) from error


def lay_over(document: _Document, name: str) -> Iterator[Problem]:
    """Lay a design over the document that holds it, and yield what is wrong with its key paths.

    What no longer leads anywhere is then no longer part of the slice.
    """
    changes, document["designs"] = document["designs"][name], {}
    for path, value in changes.items():
        where: Path = ("designs", name, path)
        shared = _SHARED.get(path.split(".", maxsplit=1)[0])
        if shared is not None:
            yield Problem(path=where, message=f"{path} {shared}; take it out of the design")
            continue
        try:
            replace_at(document, path, value, may_add=True)
        except ScenarioError as error:
            yield Problem(path=where, message=str(error))
    if document["scale"] is not None:
        document["scale"]["of"] = [path for path in document["scale"]["of"] if leads_somewhere(document, path)]


def _ratio(share: str | float) -> float:
    ratio = parse_ratio(share) if isinstance(share, str) else float(share)
    if not 0 < ratio <= 1:
        raise ScenarioError(f"a slice is a share above 0% and up to 100% of the whole, not {ratio:.6g}; write say 1%")
    return ratio
