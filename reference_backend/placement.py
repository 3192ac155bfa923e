"""Where a run lives: its cores, and its temporary folder."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from reference_backend.postgres import may_pass
from reference_backend.problems import BadInput

# The length of a Unix socket's path is limited to 107 bytes, and HAProxy adds a suffix of its own while it binds.
_LONGEST_FOLDER = 70
_REMOVAL_S = 10.0
_FIRST = -15
_AGAIN_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Cores:
    """Which cores the backend (with the supervisor) and the generator have; None: wherever the kernel puts them.

    Attributes:
        nice: before whom they go there: negative where this user may go before other processes of the machine.
    """

    usable: int
    backend: frozenset[int] | None
    generator: frozenset[int] | None
    nice: int

    def recorded(self) -> dict[str, object]:
        """Return what is written into the manifest."""
        return {
            "cores_usable": self.usable,
            "backend": None if self.backend is None else sorted(self.backend),
            "generator": None if self.generator is None else sorted(self.generator),
            "nice": self.nice,
        }


def choose_cores(*, pin: bool, wanted: int | None = None) -> Cores:
    """Give the generator the last core for itself and the backend the others, or as many of them as it wants.

    With a single core, or if it is not wanted, nothing is pinned.

    Raises:
        BadInput: the deployment wants more cores than there are beside the generator's, or they cannot be given to it.
    """
    usable = sorted(os.sched_getaffinity(0))
    if wanted is not None and (not pin or wanted >= len(usable)):
        raise BadInput(
            "cores",
            f"the backend is to run on {wanted} cores, and the load generator on another one, but "
            + (f"there are {len(usable)}" if pin else "nothing is to be pinned"),
            why="on another number of cores the parts would share them in another way",
            do="run it pinned, on a machine with more cores, or leave `cores` (in a scenario: hosts) out",
        )
    if not pin or len(usable) == 1:
        return Cores(usable=len(usable), backend=None, generator=None, nice=_nice())
    given = usable[:-1] if wanted is None else usable[:wanted]
    os.sched_setaffinity(0, given)  # the supervisor itself, and with it every child that is not told otherwise
    return Cores(usable=len(usable), backend=frozenset(given), generator=frozenset(usable[-1:]), nice=_go_first())


def _nice() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)


def _go_first() -> int:
    """Go before other processes of this machine if this user may, and every child too; return the niceness.

    A generator that waits for a stranger sends late, and its whole repeat may not judge. Among each other the processes
    of a run weigh the same as before.
    """
    try:
        os.setpriority(os.PRIO_PROCESS, 0, min(_FIRST, _nice()))
    except PermissionError:
        return _nice()  # an ordinary user's; the manifest tells
    return _nice()


def remove_folder(folder: Path, *, within_s: float = _REMOVAL_S) -> bool:
    """Remove the temporary folder; return whether it is gone.

    The parent, who was told of it, may be doing the same at this moment, and a process that is just dying may still
    write into it: either makes an attempt fail, and the next one succeed.
    """
    deadline = time.monotonic() + within_s
    while folder.exists():
        try:
            shutil.rmtree(folder)
        except OSError:
            if time.monotonic() > deadline:
                return False
            time.sleep(_AGAIN_S)
    return True


def make_folder() -> Path:
    """Make the temporary folder that holds everything of one run.

    Root must let an ordinary user (PostgreSQL's) through, so for root a folder that is closed to others will not do.

    Raises:
        BadInput: no folder for temporary files can be used.
    """
    is_root = os.geteuid() == 0
    complaints = []
    try:
        for base in (tempfile.gettempdir(), "/tmp", "/var/tmp"):  # noqa: S108 - only as places for mkdtemp
            path = Path(base)
            if len(str(path)) > _LONGEST_FOLDER or not os.access(path, os.W_OK):
                complaints.append(f"{base} is too long a path, or cannot be written to")
                continue
            if is_root and not may_pass(path / "any"):
                complaints.append(f"{base} cannot be entered by every user")
                continue
            folder = Path(tempfile.mkdtemp(prefix="archlab-", dir=path))
            if is_root:
                folder.chmod(0o711)
            return folder
    except OSError as error:  # also when Python finds no folder for temporary files at all
        complaints.append(str(error))
    raise BadInput(
        "temporary folder",
        f"no place for temporary files can be used ({'; '.join(complaints)})",
        why="the servers keep sockets, logs and data there, and PostgreSQL's ordinary user must be able to reach it",
        do="set TMPDIR to a short path on a disk with free space that every user may enter",
    )
