"""Which versions took part: every Run says so."""

from __future__ import annotations

import platform
from importlib.metadata import version

PACKAGE = "architecture-lab"


def lab_version() -> str:
    """Return the version of the lab that is installed."""
    return version(PACKAGE)


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of Python, the lab and these installed packages."""
    own = {"python": platform.python_version(), "lab": lab_version()}
    return own | {package: version(package) for package in packages}
