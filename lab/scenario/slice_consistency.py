"""Whether the slice that runs, and each design, is valid too: told when the file is read, not when it runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lab.errors import ScenarioError
from lab.scenario.problems import Path, Problem, dotted
from lab.scenario.scenario import Scenario
from lab.scenario.slices import lay_over, slice_problems, sliced
from lab.scenario.variants import leads_somewhere, value_at

_OF = ("scale", "of")


def variant_problems(scenario: Scenario) -> tuple[Problem, ...]:
    """Return what is wrong with the scale and the designs of a scenario that is valid without them."""
    documents: dict[str, dict[str, Any]] = {}
    problems: list[Problem] = []
    for name in scenario.designs:
        documents[name] = scenario.to_document()
        problems += lay_over(documents[name], name)
    problems += _of_the_slice(scenario, documents)
    if not problems:  # else each design would repeat them
        problems += _of_the_whole(scenario)
        problems += [each for name in documents for each in _of_a_design(scenario, name, documents[name])]
    return tuple(problems)


def _of_the_slice(scenario: Scenario, designs: dict[str, dict[str, Any]]) -> Iterator[Problem]:
    scale = scenario.scale
    if scale is None:
        return
    document = scenario.to_document()
    for place, path in enumerate(scale.of):
        if not any(leads_somewhere(each, path) for each in (document, *designs.values())):
            yield Problem(path=("scale", "of", place), message=_nowhere(document, path))
    if not scale.applied:
        there = {path: place for place, path in enumerate(scale.of) if leads_somewhere(document, path)}
        yield from slice_problems(document, there, scale.slice)


def _nowhere(document: dict[str, Any], path: str) -> str:
    try:
        value_at(document, path)
    except ScenarioError as error:
        return f"{error}; correct the path, or take it out"
    raise AssertionError(f"{path} leads somewhere")


def _of_the_whole(scenario: Scenario) -> Iterator[Problem]:
    if scenario.scale is None or scenario.scale.applied:
        return
    try:
        sliced(scenario)
    except ScenarioError as error:
        for sentence in error.problems:
            yield Problem(path=("scale", "slice"), message=f"what runs of it is not valid: {sentence}")


def _of_a_design(scenario: Scenario, name: str, document: dict[str, Any]) -> Iterator[Problem]:
    try:
        Scenario.model_validate(document)
    except ScenarioError as error:
        for path, sentence in zip(error.paths, error.problems, strict=True):
            of_slice = len(path) > len(_OF) and path[: len(_OF)] == _OF
            wrong = str(document["scale"]["of"][path[len(_OF)]]) if of_slice else dotted(path)
            said = sentence.removeprefix(f"{dotted(path)}: ") if of_slice else sentence
            yield Problem(path=_written(scenario, name, wrong), message=said)


def _written(scenario: Scenario, name: str, wrong: str) -> Path:
    """Return where a design wrote what is wrong at a key path; the design itself if it did not write it."""
    for change in scenario.designs[name]:
        if wrong == change or wrong.startswith(f"{change}."):
            return ("designs", name, change)
    return ("designs", name)
