"""What every piece of a deployment file has in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Index = Annotated[int, Field(ge=0, le=999)]


class Spec(BaseModel):
    """A piece of a deployment: frozen, and strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
