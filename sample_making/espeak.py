"""Speech with exact word times, from libespeak-ng.

Needs the shared library of espeak-ng (Debian: ``espeak-ng``). Leaves nothing behind: everything is returned.
The C interface, its constants and the event record are those of ``espeak-ng/speak_lib.h`` (1.50 and later).
"""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torchaudio.functional

SAMPLE_RATE = 16000

_LIBRARY = "libespeak-ng.so.1"
_SYNCHRONOUS_OUTPUT = 2
_PHONEME_EVENTS = 1
_CHARS_UTF8 = 1
_POSITION_IN_CHARACTERS = 1
_RATE, _PITCH, _PITCH_RANGE = 1, 3, 4
_EVENT_END, _EVENT_WORD, _EVENT_PHONEME = 0, 1, 7


@dataclass(frozen=True)
class SpokenWord:
    """One word of the text (punctuation attached) with its times in seconds.

    ``exact`` is False where espeak gave the word no event of its own and its start was worked out.
    """

    text: str
    start: float
    end: float
    exact: bool


@dataclass(frozen=True)
class Utterance:
    """What was spoken: 16 kHz mono float32 in [-1, 1], words, phonemes (start in seconds, name), seconds."""

    audio: np.ndarray
    words: list[SpokenWord]
    phonemes: list[tuple[float, str]]
    duration: float


class _EventId(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),  # in characters, the first is 1
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),  # milliseconds
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class Synthesizer:
    """The speaking library, loaded. It keeps global state: have one a process and one thread using it."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(_LIBRARY)
        self._native_rate = self._library.espeak_Initialize(_SYNCHRONOUS_OUTPUT, 0, None, _PHONEME_EVENTS)
        if self._native_rate <= 0:
            raise RuntimeError("espeak-ng did not start; are its voices (espeak-ng-data) installed?")
        self._callback = _Callback(self._collect)  # ctypes frees a callback nobody holds
        self._library.espeak_SetSynthCallback(self._callback)
        self._chunks: list[np.ndarray] = []
        self._word_starts: list[tuple[int, float]] = []
        self._phonemes: list[tuple[float, str]] = []

    def say(
        self, text: str, voice: str = "en-us", rate: int = 165, pitch: int = 50, pitch_range: int = 50
    ) -> Utterance:
        """Speaks ``text`` (plain ASCII prose) at ``rate`` words a minute; pitch and its range are 0 to 100.

        ``voice`` may carry a variant: ``en-us+f2``. Raises ValueError for a voice that espeak does not have.
        """
        self._chunks, self._word_starts, self._phonemes = [], [], []
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"espeak-ng has no voice {voice!r}")
        for parameter, value in ((_RATE, rate), (_PITCH, pitch), (_PITCH_RANGE, pitch_range)):
            self._library.espeak_SetParameter(parameter, value, 0)
        data = text.encode() + b"\0"
        self._library.espeak_Synth(
            data, ctypes.c_size_t(len(data)), 0, _POSITION_IN_CHARACTERS, 0, _CHARS_UTF8, None, None
        )
        self._library.espeak_Synchronize()
        native = np.concatenate(self._chunks) if self._chunks else np.zeros(0, np.int16)
        duration = len(native) / self._native_rate
        words = place_words(text, self._word_starts, self._phonemes, duration)
        return Utterance(self._resampled(native), words, self._phonemes, duration)

    def _resampled(self, native: np.ndarray) -> np.ndarray:
        waveform = torch.from_numpy(native.astype(np.float32) / 32768)
        resampled = torchaudio.functional.resample(waveform, self._native_rate, SAMPLE_RATE, lowpass_filter_width=16)
        return np.asarray(resampled.clamp(-1, 1))

    def _collect(self, samples: Any, count: int, events: Any) -> int:
        if count > 0 and samples:
            self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while events[index].type != _EVENT_END:
            event = events[index]
            seconds = event.audio_position / 1000
            # A word event of length 0 marks a clause, not a word.
            if event.type == _EVENT_WORD and event.length > 0:
                self._word_starts.append((event.text_position - 1, seconds))
            elif event.type == _EVENT_PHONEME:
                self._phonemes.append((seconds, event.id.string.decode("utf8", "ignore")))
            index += 1
        return 0


def place_words(
    text: str, word_starts: list[tuple[int, float]], phonemes: list[tuple[float, str]], duration: float
) -> list[SpokenWord]:
    """Gives each word of ``text`` its times, from espeak's events ``(character offset, seconds)``.

    espeak speaks "in the" or "from the" as one event; the swallowed word's start comes from its first
    phoneme where that is recognizable, else from the share of letters. A word ends at the pause before the
    next one, or where the next one starts.
    """
    spans = [match.span() for match in re.finditer(r"\S+", text)]
    starts: dict[int, float] = {}
    for offset, seconds in word_starts:
        for index, (first, last) in enumerate(spans):
            if first <= offset < last:
                starts.setdefault(index, seconds)
    starts.setdefault(0, 0.0)
    exact = set(starts)
    _fill_swallowed([text[first:last] for first, last in spans], starts, phonemes, duration)
    words = []
    for index, (first, last) in enumerate(spans):
        start, limit = starts[index], starts.get(index + 1, duration)
        pause = next((at for at, name in phonemes if start < at < limit and name.startswith("_")), limit)
        words.append(SpokenWord(text[first:last], start, pause, index in exact))
    return words


def _fill_swallowed(
    words: list[str], starts: dict[int, float], phonemes: list[tuple[float, str]], duration: float
) -> None:
    """Adds to ``starts`` the words that have no event, between their neighbours that have."""
    index = 0
    while index < len(words):
        if index in starts:
            index += 1
            continue
        after = next((later for later in range(index, len(words)) if later in starts), len(words))
        before, limit = starts[index - 1], starts.get(after, duration)
        onset = _last_onset(words[index], before, limit, phonemes) if after == index + 1 else None
        if onset is not None:
            starts[index] = onset
        else:
            lengths = [len(word) for word in words[index - 1 : after]]
            shares = np.cumsum(lengths) / sum(lengths)
            for place, share in zip(range(index, after), shares, strict=False):
                starts[place] = before + (limit - before) * float(share)
        index = after


def _last_onset(word: str, after: float, before: float, phonemes: list[tuple[float, str]]) -> float | None:
    """The second at which a swallowed "the", "that", "this" (its last ``D``) or "a" (last phoneme) starts."""
    bare = word.strip(".,?").lower()
    inside = [(at, name) for at, name in phonemes if after < at < before]
    if bare in ("the", "that", "this"):
        inside = [(at, name) for at, name in inside if name == "D"]
    elif bare != "a":
        return None
    return inside[-1][0] if inside else None
