"""Scenarios from YAML: every problem at once, each with its file, line and key path."""

from __future__ import annotations

import stat
from pathlib import Path as FilePath

from lab.errors import ScenarioError
from lab.scenario.document import Document, UnreadableError, read_document
from lab.scenario.problems import Path, Problem, listed, shown
from lab.scenario.scenario import Scenario

_MOST_BYTES = 2**20


def read_scenario(path: FilePath | str) -> Scenario:
    """Return the scenario that a YAML file describes.

    Raises:
        ScenarioError: the file cannot be read, is not YAML, or is not a valid scenario; each problem begins
            with ``FILE:LINE: key.path:``.
    """
    source = str(path)
    return parse_scenario(_text(FilePath(path), source), source=source, folder=FilePath(path).parent)


def parse_scenario(text: str, *, source: str = "<text>", folder: FilePath | None = None) -> Scenario:
    """Return the scenario that a YAML text describes.

    Args:
        text: YAML.
        source: what to call the text in messages.
        folder: where the files that it names are; the working directory if not given.

    Raises:
        ScenarioError: the text is not YAML, or not a valid scenario; each problem begins with
            ``SOURCE:LINE: key.path:``.
    """
    try:
        document = read_document(text)
    except UnreadableError as error:
        raise ScenarioError(f"{source}:{error.line}: {error.message}") from error
    if not isinstance(document.value, dict):
        what = "nothing but comments" if document.value is None else shown(document.value)
        message = f"{source}:1: a scenario is a mapping (name:, workload:, entry:, components:, run:), this is {what}"
        raise ScenarioError(message)
    try:
        scenario = Scenario.model_validate(document.value, context={"folder": folder})
    except ScenarioError as error:
        raise _located(document, _problems_of(error), source) from error
    if document.faults:
        raise _located(document, (), source)
    return scenario


def _problems_of(error: ScenarioError) -> tuple[tuple[Path, str], ...]:
    return tuple(zip(error.paths, error.problems, strict=True))


def _located(document: Document, problems: tuple[tuple[Path, str], ...], source: str) -> ScenarioError:
    found = [(line, path, str(Problem(path=path, message=message))) for path, line, message in document.faults]
    faulty = {path for path, _, _ in document.faults}
    for path, sentence in problems:
        if not any(path[: len(fault)] == fault for fault in faulty):  # a trap explains what follows from it
            found.append((document.line(path), path, sentence))
    found.sort(key=lambda problem: problem[0])
    sentences = tuple(f"{source}:{line}: {sentence}" for line, _, sentence in found)
    return ScenarioError(listed(sentences), problems=sentences, paths=tuple(path for _, path, _ in found))


def _text(path: FilePath, source: str) -> str:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise ScenarioError(f"{source}: this is a folder, not a scenario file; name a .yaml file in it")
        if not stat.S_ISREG(status.st_mode):
            raise ScenarioError(f"{source}: this is not a regular file; write the scenario to a .yaml file")
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise ScenarioError(f"{source}: the scenario cannot be read ({reason}); check the path") from error
    if len(raw) > _MOST_BYTES:
        raise ScenarioError(f"{source}: the file is larger than {_MOST_BYTES} bytes; a scenario is a page or two")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message = f"{source}:{line}: the byte 0x{raw[error.start]:02X} is not UTF-8; save the file as UTF-8"
        raise ScenarioError(message) from error
