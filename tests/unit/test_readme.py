"""What the README shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import lab
from lab.validation.laws import broken_laws

README = (Path(__file__).parents[2] / "README.md").read_text()
FIRST_SPIKE = Path(__file__).parents[2] / "scenarios" / "validation" / "first_spike.yaml"


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def test_the_own_component_of_the_readme_runs() -> None:
    """The class is executed as printed; it fails every tenth write and keeps the laws."""
    (code,) = (block for block in _blocks("python") if "class Flaky" in block)
    scenario = lab.read_scenario(FIRST_SPIKE).with_({"run.duration": "20s", "run.replications": 2})
    names = {"lab": lab, "scenario": scenario}
    exec(code, names)  # the README's own code
    run = lab.simulate(scenario, components={"main": names["Flaky"]}, progress=False)
    assert (run.visits[run.visits["component"] == "main"]["outcome"] == "error").any()
    assert broken_laws(run) == []


def test_the_commands_of_the_readme_exist() -> None:
    """Each `lab COMMAND` that it names is one."""
    from lab.cli.commands import app

    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    named = set(re.findall(r"^    lab ([a-z]+) ", README, re.M)) | set(re.findall(r"^    lab ([a-z]+)\b", README, re.M))
    assert named
    assert named <= commands


def test_the_components_of_the_readme_are_a_scenario() -> None:
    """The YAML that it shows is valid in a whole scenario."""
    (components,) = _blocks("yaml")
    head = "name: shown\nworkload: {kind: open, arrival_rate: 5/s, endpoints: {read_item: 100%}}\nentry: edge\n"
    scenario = lab.parse_scenario(head + components + "run: {duration: 5s}\n")
    assert set(scenario.components) == {"edge", "api", "items", "main"}


def test_every_lesson_stands_in_the_readme() -> None:
    """Each scenario in patterns/ is listed with the question that it answers, word for word."""
    patterns = sorted((Path(__file__).parents[2] / "scenarios" / "patterns").glob("*.yaml"))
    assert patterns
    for path in patterns:
        assert f"| [`{path.stem}`](scenarios/patterns/{path.name}) | {lab.read_scenario(path).question} |" in README
