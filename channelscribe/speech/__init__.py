"""Speech to a transcript: recognize, align, diarize, assemble; each its own checkpoint of plain JSON.

Needs the extra `speech` (WhisperX, torch) from `loading` on; `registry` and `assemble` need nothing.
"""
