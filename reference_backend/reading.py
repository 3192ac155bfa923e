"""Reading a deployment file, with errors that name the file and the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from reference_backend.deployment import Deployment
from reference_backend.problems import BadInput

_SHOWN = 10


def read_deployment(path: Path) -> Deployment:
    """Return the deployment that a JSON file describes.

    Raises:
        BadInput: the file cannot be read, is no JSON, or describes no possible deployment.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise BadInput(
            path.name,
            f"the deployment cannot be read ({error.strerror})",
            why="there is nothing to start without it",
            do="give the path of a readable JSON file after --deployment",
        ) from error
    try:
        return Deployment.model_validate_json(text)
    except ValidationError as error:
        complaints = [_complaint(item) for item in error.errors(include_url=False)]
        raise BadInput(
            path.name,
            "; ".join(complaints[:_SHOWN]) + (f"; and {len(complaints) - _SHOWN} more" if complaints[_SHOWN:] else ""),
            why="the backend starts nothing that it does not fully understand",
            do="correct these keys; `python -m reference_backend schema` prints what is allowed",
        ) from error


def _complaint(item: Any) -> str:
    """Return one of pydantic's complaints as ``key.path: sentence (got ...)``."""
    place = ".".join(str(key) for key in item["loc"])
    message = str(item["msg"]).removeprefix("Value error, ")
    given = item.get("input")
    shown = f" (got {given!r})" if place and isinstance(given, str | int | float | bool) else ""
    return f"{place}: {message}{shown}" if place else message


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the deployment file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Deployment.model_json_schema()}
