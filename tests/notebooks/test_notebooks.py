"""Every notebook runs from top to bottom, is small, asks a question, and ends by asserting what it says."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
MOST_BYTES = 300_000


def _ids(path: Path) -> str:
    return path.stem


def test_there_are_notebooks() -> None:
    """An empty folder would pass everything below."""
    assert NOTEBOOKS


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=_ids)
def test_it_runs(path: Path) -> None:
    """Executed in a fresh kernel; its own asserts decide."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": path.parent}}
    ).execute()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=_ids)
def test_it_is_as_the_house_wants_it(path: Path) -> None:
    """Numbered name, a question for a title, outputs kept, small, asserts in the last cell, no private metadata."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert re.fullmatch(r"\d\d_[a-z_]+", path.stem)
    assert notebook.cells[0].source.splitlines()[0].endswith("?")
    assert "assert" in code[-1].source
    assert any(cell.outputs for cell in code)
    assert path.stat().st_size <= MOST_BYTES
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    assert all(cell.execution_count is None and not cell.metadata for cell in code)
