"""Files in YAML that hold one thing of the lab's: cases, claims."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from lab.errors import UsageError
from lab.quantities import Spec

Changes = dict[str, Any]
"""Dotted path in a scenario to its new value."""
_Model = TypeVar("_Model", bound=Spec)


def read_document(path: Path, model: type[_Model], *, what: str, **more: Any) -> _Model:
    """Return what a file holds.

    Args:
        path: the file.
        model: what it must be.
        what: its name in messages, such as "a case".
        more: values of the model that the file does not tell.

    Raises:
        UsageError: it cannot be read, or is not valid.
    """
    try:
        document = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise UsageError(f"{path}: cannot be read as YAML ({error}); it must be {what}") from error
    if not isinstance(document, Mapping):
        keys = ", ".join(key for key in model.model_fields if key not in more)
        raise UsageError(f"{path}: is not {what}; it must be a mapping with the keys {keys}")
    try:
        return model.model_validate({**document, **more})
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        raise UsageError(f"{path}: is not valid as {what}:\n" + "\n".join(problems)) from error
