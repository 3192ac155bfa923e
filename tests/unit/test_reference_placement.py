"""Where a run lives: its temporary folder, and how many files it may have open."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from reference_backend import descriptors, placement
from reference_backend.problems import BadInput

ROOT = Path(__file__).resolve().parents[2]


def test_no_folder_for_temporary_files_is_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """When Python finds no such folder at all, the error names the variable that would help."""

    def none_is_usable() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none_is_usable)
    with pytest.raises(BadInput, match=r"No usable temporary directory.*set TMPDIR"):
        placement.make_folder()


def test_folder_that_cannot_be_made_is_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is told with its reason, and with the variable that names another."""

    def disk_is_full(prefix: str, dir: Path) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "mkdtemp", disk_is_full)
    with pytest.raises(BadInput, match=r"No space left.*set TMPDIR"):
        placement.make_folder()


def test_removal_is_tried_until_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dying process that still writes makes an attempt fail with 'not empty'; the next one succeeds."""
    folder = tmp_path / "run"
    folder.mkdir()
    really_remove, failures = shutil.rmtree, [OSError(39, "Directory not empty"), FileNotFoundError(2, "gone")]

    def rmtree(path: Path) -> None:
        if failures:
            raise failures.pop()
        really_remove(path)

    monkeypatch.setattr(shutil, "rmtree", rmtree)
    assert placement.remove_folder(folder)
    assert not folder.exists()
    assert failures == []


def test_removal_that_never_succeeds_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its deadline the removal gives up and tells the caller, instead of trying for ever."""

    def rmtree(path: Path) -> None:
        raise OSError(39, "Directory not empty")

    monkeypatch.setattr(shutil, "rmtree", rmtree)
    assert not placement.remove_folder(tmp_path, within_s=0.0)


@pytest.mark.parametrize(("limit", "connections"), [(400, 100), (1024, 412), (1_048_576, 4000), (-1, 4000)])
def test_balancer_gets_what_the_descriptors_allow(limit: int, connections: int) -> None:
    """Each connection takes two descriptors beside the 200 that are set aside; -1 is the kernel's word for no limit."""
    assert descriptors.balancer_connections(limit) == connections


def test_too_few_descriptors_are_bad_input() -> None:
    """With less than a hundred connections nothing is measured, and the error says what to raise."""
    with pytest.raises(BadInput, match=r"399 file descriptors.*99 connections.*ulimit -Hn"):
        descriptors.balancer_connections(399)


def test_children_inherit_the_raised_limit() -> None:
    """The soft limit becomes the hard one, for the process and for what it starts."""
    code = (
        "import subprocess, sys\n"
        "from reference_backend.descriptors import raise_limit\n"
        "raise_limit()\n"
        "ask = 'import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE))'\n"
        "subprocess.run([sys.executable, '-c', ask], check=True)\n"
    )

    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 512))

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, preexec_fn=lower
    )
    assert done.stdout.strip() == "(512, 512)"


def test_a_pinned_run_goes_first_where_it_may() -> None:
    """Niceness as the kernel gave it: -15 for root, as before for an ordinary user; recorded either way."""
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os; from reference_backend.placement import choose_cores; cores = choose_cores(pin=True); "
            "print(cores.recorded()['nice'], os.getpriority(os.PRIO_PROCESS, 0), os.geteuid(), cores.backend is None)",
        ],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    recorded, actual, user, unpinned = said.stdout.split()
    before = os.getpriority(os.PRIO_PROCESS, 0)
    assert recorded == actual
    assert int(actual) == (min(-15, before) if user == "0" and unpinned == "False" else before)
