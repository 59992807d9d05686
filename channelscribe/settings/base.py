"""What the sections of the settings have in common."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

__all__ = ["Options", "by_comma"]


class Options(BaseModel):
    """A section. Unknown keys are errors; a default is checked as what people give."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def by_comma(value: Any) -> Any:
    """`convert,trim` as environments and command lines write it, for a field of tuples; lists stay what they are."""
    if value is None:
        return ()
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
