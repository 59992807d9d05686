"""How subtitles are laid out where they are wanted as whisperX's command line writes them. Needs nothing."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Layout"]


@dataclass(frozen=True, slots=True)
class Layout:
    """whisperX's options of the same names, for srt and vtt.

    `max_line_width` is in characters, without the spaces between words, as whisperX counts; alone it breaks lines,
    with `max_line_count` it makes new cues out of the words, whatever their segments. `max_line_count` alone does
    nothing. `highlight_words` gives each word a cue of its own, in which it is underlined.
    """

    max_line_width: int | None = None
    max_line_count: int | None = None
    highlight_words: bool = False

    @property
    def regroups(self) -> bool:
        """Whether cues are made anew instead of one for each segment."""
        return self.max_line_width is not None and self.max_line_count is not None
