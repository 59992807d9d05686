"""Training windows for the recognizer: recordings labelled, then put side by side as WhisperX will cut them.

A window is made in the raw log-mel domain (see ``features``): recordings with gaps, gains and a noise floor,
then Whisper's clamp. Encoder frames are 20 ms, mel frames 10 ms.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from random import Random

import torch
from tokenizers import Tokenizer
from torch import Tensor

from sample_making.features import SILENCE, mel_filters, whisper_scale
from sample_making.recognizer_tokenizer import END_OF_TEXT, NO_TIMESTAMPS, START_OF_TRANSCRIPT
from sample_making.recordings import Recording

ENCODER_FRAMES_PER_SECOND = 50
_PAUSES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6)
_LN10 = 2.302585


@dataclass(frozen=True)
class LabelledRecording:
    """What to learn from a recording: tokens, their (start, end) in seconds, a phoneme for each frame."""

    mel: Tensor
    tokens: list[int]
    token_times: list[tuple[float, float]]
    phoneme_frames: Tensor


@dataclass(frozen=True)
class Batch:
    """Windows of one length; ``spans`` (batch, token, frame) marks the frames where each target is spoken."""

    mel: Tensor
    inputs: Tensor
    targets: Tensor  # -100: not counted
    phonemes: Tensor
    frame_tokens: Tensor  # 0: none, else token + 1
    spans: Tensor


def label(recording: Recording, tokenizer: Tokenizer, phoneme_numbers: dict[str, int]) -> LabelledRecording:
    """Labels a recording; new phonemes are added to ``phoneme_numbers`` (pauses share number 0)."""
    encoding = tokenizer.encode(" " + recording.text, add_special_tokens=False)
    frames = torch.zeros((recording.mel.shape[1] + 1) // 2, dtype=torch.long)
    onsets = [*recording.phonemes, (recording.duration, "_")]
    for (start, name), (end, _) in pairwise(onsets):
        number = 0 if name.startswith("_") else phoneme_numbers.setdefault(name, len(phoneme_numbers) + 1)
        frames[round(start * ENCODER_FRAMES_PER_SECOND) : round(end * ENCODER_FRAMES_PER_SECOND)] = number
    return LabelledRecording(
        torch.from_numpy(recording.mel), encoding.ids, _token_times(recording, encoding.offsets), frames
    )


def _token_times(recording: Recording, offsets: list[tuple[int, int]]) -> list[tuple[float, float]]:
    """Each token's share of its word's time, by letters; punctuation gets the pause that follows."""
    text, words = " " + recording.text, recording.words
    places, position = [], 0
    for word in words:
        position = text.index(word.text, position)
        places.append(position)
        position += len(word.text)
    times = []
    for first, last in offsets:
        letter = first + 1 if text[first] == " " and last - first > 1 else first
        index = max((place for place in range(len(words)) if places[place] <= letter), default=0)
        word, inside = words[index], letter - places[index]
        letters = len(word.text.rstrip(".,?"))
        if inside >= letters:
            pause_end = words[index + 1].start if index + 1 < len(words) else recording.duration
            times.append((word.end, max(pause_end, word.end + 0.04)))
        else:
            pace = (word.end - word.start) / letters
            end = min(last - places[index], letters)
            times.append((word.start + pace * inside, word.start + pace * end))
    return times


def make_batch(recordings: list[LabelledRecording], seconds: float, fill: float, size: int, rng: Random) -> Batch:
    """``size`` windows of ``seconds``, each with speech up to about ``fill`` seconds."""
    windows = [_Window(recordings, seconds, fill, rng) for _ in range(size)]
    longest = max(len(window.tokens) for window in windows) + 2
    inputs = torch.full((size, longest), END_OF_TEXT)
    targets = torch.full((size, longest), -100)
    spans = torch.zeros(size, longest, windows[0].frames)
    for row, window in enumerate(windows):
        tokens = torch.tensor(window.tokens, dtype=torch.long)
        count = len(tokens)
        inputs[row, 0], inputs[row, 1] = START_OF_TRANSCRIPT, NO_TIMESTAMPS
        inputs[row, 2 : 2 + count] = tokens
        targets[row, 1 : 1 + count] = tokens
        targets[row, 1 + count] = END_OF_TEXT
        for place, (start, end) in enumerate(window.times):
            first = max(0, int(start * ENCODER_FRAMES_PER_SECOND) - 2)
            spans[row, 1 + place, first : int(end * ENCODER_FRAMES_PER_SECOND) + 3] = 1
    return Batch(
        torch.stack([window.mel for window in windows]),
        inputs,
        targets,
        torch.stack([window.phonemes for window in windows]),
        torch.stack([window.frame_tokens for window in windows]),
        spans,
    )


class _Window:
    """One window in the making."""

    def __init__(self, recordings: list[LabelledRecording], seconds: float, fill: float, rng: Random) -> None:
        self.mel_frames = int(seconds * 100) // 2 * 2
        self.frames = self.mel_frames // 2
        self.mel = torch.full((80, self.mel_frames), SILENCE)
        self.phonemes = torch.zeros(self.frames, dtype=torch.long)
        self.frame_tokens = torch.zeros(self.frames, dtype=torch.long)
        self.tokens: list[int] = []
        self.times: list[tuple[float, float]] = []
        self._rng = rng
        end = self._add_speech(recordings, min(int(fill * 100), self.mel_frames))
        # The end of the text is "heard" in the silence after the last word.
        self.times.append((min(end, seconds - 0.3), min(end + 1.0, seconds)))
        if rng.random() < 0.4:
            self._add_noise(int(end * 100))
        self.mel = whisper_scale(self.mel)

    def _add_speech(self, recordings: list[LabelledRecording], fill: int) -> float:
        """Puts recordings in a row until ``fill`` mel frames; returns the end of speech in seconds."""
        rng, end = self._rng, 0
        position = self._pause()
        if rng.random() < 0.15:
            position = -2 * rng.randint(1, 2)  # the VAD sometimes cuts into the first word
        loudness = rng.uniform(-1.0, 0.4)
        while True:
            recording = self._draw(recordings, (self.mel_frames if not end else fill) - position)
            if recording is None:
                return end / 100
            self._place(recording, position, loudness + rng.uniform(-0.3, 0.2))
            end = position + recording.mel.shape[1]
            position = end + self._pause()

    def _draw(self, recordings: list[LabelledRecording], room: int) -> LabelledRecording | None:
        """A recording that fits into ``room`` mel frames; the first of a window is tried for longer."""
        for _ in range(3 if self.tokens else 100):
            recording = self._rng.choice(recordings)
            if recording.mel.shape[1] <= room:
                return recording
        return None

    def _pause(self) -> int:
        """An even number of mel frames, up to one second."""
        seconds = self._rng.choice((*_PAUSES, self._rng.random()))
        return int(seconds * 100) // 2 * 2

    def _place(self, recording: LabelledRecording, position: int, gain: float) -> None:
        """Writes a recording at a mel frame (below 0: its start is cut off) with a gain in log10 of power."""
        cut, first = max(0, -position), max(0, position)
        mel = (recording.mel[:, cut:].float() + gain).clamp(min=SILENCE)
        self.mel[:, first : first + mel.shape[1]] = mel
        phonemes = recording.phoneme_frames[cut // 2 :][: self.frames - first // 2]
        self.phonemes[first // 2 : first // 2 + len(phonemes)] = phonemes
        for token, (start, end) in zip(recording.tokens, recording.token_times, strict=True):
            start, end = start + position / 100, end + position / 100
            self.tokens.append(token)
            self.times.append((start, end))
            frame = max(0, int(start * ENCODER_FRAMES_PER_SECOND))
            self.frame_tokens[frame : max(int(end * ENCODER_FRAMES_PER_SECOND), frame + 1)] = token + 1

    def _add_noise(self, speech_end: int) -> None:
        """White noise 30 to 65 dB below the loudest frame, to the end of the window or of a chunk."""
        level = self.mel.max() - self._rng.uniform(3.0, 6.5)
        colour = mel_filters().sum(1)
        power = (torch.empty_like(self.mel).exponential_() + torch.empty_like(self.mel).exponential_()) / 2
        noise = level + (colour / colour.mean()).log10()[:, None] + power.clamp(min=1e-4).log10()
        cut = self._rng.choice((self.mel_frames, min(self.mel_frames, speech_end + self._pause() // 2)))
        both = torch.logaddexp(self.mel[:, :cut] * _LN10, noise[:, :cut] * _LN10) / _LN10
        self.mel[:, :cut] = both
