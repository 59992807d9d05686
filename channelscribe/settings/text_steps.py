"""Which parts of a reading there are, and in which order. Raises pydantic's error, as `audio_steps` does.

The order means something: names are found within sentences, topics end where sentences end.
"""

from __future__ import annotations

from pydantic_core import PydanticCustomError

__all__ = ["TEXT_STEPS", "in_order"]

TEXT_STEPS = ("sentences", "tokens", "entities", "topics", "key_phrases")


def in_order(steps: tuple[str, ...]) -> tuple[str, ...]:
    """The steps themselves, if each is there at most once and in the order of TEXT_STEPS."""
    wanted = tuple(step for step in TEXT_STEPS if step in steps)
    if steps != wanted:
        says = "steps are named once each and in order: {wanted}"
        raise PydanticCustomError("text_steps", says, {"wanted": ", ".join(wanted)})
    return steps
