"""Files for others, from the database alone: a channel as one corpus, transcripts in a folder."""

from __future__ import annotations

from channelscribe.exports.channel import CORPUS_FORMATS, Exported, export_channel
from channelscribe.exports.whole_file import whole_file

__all__ = ["CORPUS_FORMATS", "Exported", "export_channel", "whole_file"]
