"""Documents that a Run carries: what can be saved as JSON and read back the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lab.errors import DomainError


def plain_json(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a deep copy in plain JSON types, so that what is saved is what was there.

    Args:
        name: what to call the document in an error.

    Raises:
        DomainError: it holds something that JSON cannot, such as an infinite number.

    >>> plain_json({"warm_up_s": (0.0, 5)}, "provenance")
    {'warm_up_s': [0.0, 5]}
    """
    try:
        return dict(json.loads(json.dumps(document, allow_nan=False)))
    except (TypeError, ValueError) as error:
        raise DomainError(
            f"{name}: is not plain JSON ({error}); give text, finite numbers, lists and mappings"
        ) from error
