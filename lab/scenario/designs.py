"""Designs: named variants of one scenario, by key path."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema

_LONGEST_NAME = 60


def _named(name: str) -> str:
    if not (0 < len(name) <= _LONGEST_NAME and name.isprintable() and name == name.strip()):
        raise ValueError(
            f"{name!r} is not the name of a design: write a few words on one line, {_LONGEST_NAME} characters at most"
        )
    return name


Changes = Annotated[dict[str, Any], WithJsonSchema({"type": "object", "additionalProperties": True})]
"""Key path to what stands there instead."""

Designs = dict[Annotated[str, AfterValidator(_named)], Changes]
"""Name of a design to what it changes; the first is the one that the others are compared with."""
