"""What a contributor relies on: the environments agree, no private address is written down, links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def _tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def _normal(name: str) -> str:
    """Return a distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_conda_installs_what_pip_does() -> None:
    """environment.yml installs the project with all its extras, on the Python that pyproject asks for."""
    text = (ROOT / "environment.yml").read_text()
    extras = re.search(r"- -e \.\[(.*)\]", text)
    assert extras is not None
    assert set(extras[1].split(",")) == set(PROJECT["optional-dependencies"])
    assert f"python{PROJECT['requires-python']}" in text


def test_every_dependency_is_locked_with_hashes() -> None:
    """requirements.lock pins all that pyproject names."""
    lock = (ROOT / "requirements.lock").read_text()
    pinned = {_normal(name) for name in re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[a-z,]+\])?==", lock, re.M)}
    named = [*PROJECT["dependencies"], *(each for extra in PROJECT["optional-dependencies"].values() for each in extra)]
    wanted = {_normal(re.split(r"[^A-Za-z0-9_.-]", each)[0]) for each in named}
    assert wanted <= pinned
    assert lock.count("--hash=sha256:") > len(pinned)


def test_the_lock_names_no_registry() -> None:
    """Wherever it is installed from is the installer's business."""
    lock = (ROOT / "requirements.lock").read_text()
    assert not re.search(r"https?://|file:|--index|--extra-index|--find-links|--trusted", lock)


def test_no_file_names_this_machine() -> None:
    """No path of a developer's machine stands in a text of ours."""
    home = re.compile(rb"/(?:work|root|home/[a-z]+)/" + rb"[a-z.]")
    texts = [
        file for file in _tracked() if file.suffix in {".py", ".md", ".toml", ".yaml", ".yml", ".ipynb", ".json", ""}
    ]
    assert texts
    assert [str(file) for file in texts if home.search(file.read_bytes())] == []


def test_links_between_documents_lead_somewhere() -> None:
    """Relative links of the Markdown files point at files that exist."""
    broken = []
    for file in (each for each in _tracked() if each.suffix == ".md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", file.read_text()):
            if not (file.parent / target).exists():
                broken.append(f"{file.name}: {target}")
    assert broken == []


def test_the_readme_names_targets_that_exist() -> None:
    """`make X` in a document is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    named = {name for file in ROOT.glob("*.md") for name in re.findall(r"make ([a-z]+)(?=[ `\n])", file.read_text())}
    assert {"run", "test", "check", "lab", "help"} <= named | {"help"}
    assert named - targets - {"it"} == set()


def test_nobody_imports_what_is_forbidden() -> None:
    """No `random`, no Locust in lab, tests and notebooks (ruff checks the rest of the code)."""
    pattern = re.compile(r"^\s*(?:import|from) (?:random|locust)\b", re.M)
    guarded = [*ROOT.glob("lab/**/*.py"), *ROOT.glob("tests/**/*.py"), *ROOT.glob("notebooks/*.ipynb")]
    assert [file.name for file in guarded if pattern.search(file.read_text())] == []


def test_modules_and_functions_stay_short() -> None:
    """300 lines a module of the library, as the house style has it."""
    sources = [*ROOT.glob("lab/**/*.py"), *ROOT.glob("reference_backend/**/*.py")]
    assert {str(file): n for file in sources if (n := len(file.read_text().splitlines())) > 300} == {}


def test_the_glossary_is_in_order_and_linked() -> None:
    """Each term once, alphabetically; README and the first notebook lead there."""
    terms = re.findall(r"^- \*\*(.+?)\*\*:? ", (ROOT / "docs" / "glossary.md").read_text(), re.M)
    plain = [re.sub(r"[^a-z0-9+ ]", "", term.lower()) for term in terms]
    assert len(terms) > 50
    assert plain == sorted(set(plain))
    assert "(docs/glossary.md)" in (ROOT / "README.md").read_text()
    assert "(../docs/glossary.md)" in (ROOT / "notebooks" / "00_start_here.ipynb").read_text()
