"""Trains the aligner that ``whisperx.align`` uses on the sample channel, from nothing, on one thread.

Needs the corpus in the build folder. Leaves ``channelscribe/sample/data/models/align`` (2 MB): a wav2vec2 CTC
model with its processor. A character is taught on the one frame where it begins and blank everywhere else,
because WhisperX's trellis pays with blank for staying; a little plain CTC loss keeps the sequence whole.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from torch import Tensor
from torch.nn import functional
from transformers import Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC, Wav2Vec2Processor

from sample_making.aligner_model import (
    BETWEEN_WORDS,
    BLANK,
    NUMBERS,
    SAMPLES_A_FRAME,
    new_aligner,
)
from sample_making.espeak import SAMPLE_RATE
from sample_making.recordings import BUILD, MODELS, Recording, load_corpus

TARGET = MODELS / "align"
MINUTES = 7.0
LEARNING_RATE = 1.5e-3

_RECORDINGS = 4_000
_ROWS, _ROW_SECONDS = 10, 6.0
_WARM_UP_STEPS = 60
_BLANK_WEIGHT, _CTC_WEIGHT = 0.5, 0.15
_FRAMES_PER_SECOND = SAMPLE_RATE / SAMPLES_A_FRAME
# The trellis reports a character one frame after the one it was taught on.
_LEAD_FRAMES = 0.9

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SpelledRecording:
    """int16 audio, its characters (numbers) and the frame on which each begins, strictly rising."""

    audio: Tensor
    characters: list[int]
    frames: list[int]


def spell(recording: Recording) -> SpelledRecording:
    """Spreads each word's letters evenly over its time; the mark between words is at the end of the first."""
    characters: list[int] = []
    times: list[float] = []
    for place, word in enumerate(recording.words):
        if place:
            characters.append(NUMBERS[BETWEEN_WORDS])
            times.append(recording.words[place - 1].end - 0.01)
        letters = [letter for letter in word.text.lower() if letter.isalpha() or letter == "'"]
        length = max(word.end - word.start, 0.06)
        for index, letter in enumerate(letters):
            characters.append(NUMBERS[letter])
            times.append(word.start + length * index / len(letters))
    frames: list[int] = []
    for seconds in times:
        frame = max(0, round(seconds * _FRAMES_PER_SECOND - _LEAD_FRAMES))
        frames.append(max(frame, frames[-1] + 1) if frames else frame)
    return SpelledRecording(torch.from_numpy(recording.audio), characters, frames)


@dataclass(frozen=True)
class Batch:
    """Rows of audio (row, sample), the character of each frame (row, frame), and each row's characters."""

    audio: Tensor
    frame_characters: Tensor
    characters: list[list[int]]


def make_batch(recordings: list[SpelledRecording], rng: Random) -> Batch:
    """Rows of one to three recordings with pauses, gains and some white noise."""
    samples = int((_ROW_SECONDS + 1.5) * SAMPLE_RATE)
    audio = torch.zeros(_ROWS, samples)
    frame_characters = torch.full((_ROWS, samples // SAMPLES_A_FRAME + 1), BLANK)
    rows: list[list[int]] = []
    for row in range(_ROWS):
        frame = rng.randrange(25)
        characters: list[int] = []
        while True:
            recording = rng.choice(recordings)
            first = frame * SAMPLES_A_FRAME
            if first + len(recording.audio) > samples:
                if characters:
                    break
                continue
            gain = 10 ** rng.uniform(-0.7, 0.1) / 32768
            audio[row, first : first + len(recording.audio)] = recording.audio.float() * gain
            if characters:
                frame_characters[row, frame - 1] = NUMBERS[BETWEEN_WORDS]
                characters.append(NUMBERS[BETWEEN_WORDS])
            for character, offset in zip(recording.characters, recording.frames, strict=True):
                frame_characters[row, frame + offset] = character
            characters += recording.characters
            frame += len(recording.audio) // SAMPLES_A_FRAME + 1 + rng.randrange(1, 40)
        rows.append(characters)
    if rng.random() < 0.7:
        audio += torch.randn_like(audio) * 10 ** rng.uniform(-4.5, -2.2)
    return Batch(audio, frame_characters, rows)


def losses(model: Wav2Vec2ForCTC, batch: Batch) -> tuple[Tensor, Tensor]:
    """The frame-by-frame and the CTC loss, in nats."""
    scores = functional.log_softmax(model(batch.audio).logits, dim=-1)
    rows, frames, classes = scores.shape
    weights = torch.ones(classes)
    weights[BLANK] = _BLANK_WEIGHT
    wanted = batch.frame_characters[:, :frames]
    by_frame = functional.nll_loss(scores.flatten(0, 1), wanted.flatten(), weight=weights)
    lengths = torch.tensor([len(characters) for characters in batch.characters])
    joined = torch.tensor([character for characters in batch.characters for character in characters])
    ctc = functional.ctc_loss(scores.transpose(0, 1), joined, torch.full((rows,), frames), lengths, zero_infinity=True)
    return by_frame, ctc


def train(model: Wav2Vec2ForCTC, recordings: list[SpelledRecording], minutes: float) -> None:
    """Trains for ``minutes`` of CPU time."""
    rng = Random("aligner")
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01)
    model.train()
    started, step = time.process_time(), 0
    while (progress := (time.process_time() - started) / (60 * minutes)) < 1:
        cosine = 0.5 * (1 + math.cos(math.pi * progress))
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min(1, (step + 1) / _WARM_UP_STEPS) * (0.97 * cosine + 0.03)
        by_frame, ctc = losses(model, make_batch(recordings, rng))
        optimizer.zero_grad()
        (by_frame + _CTC_WEIGHT * ctc).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        if step % 50 == 0:
            logger.info("step %d at %.3f: frame %.3f ctc %.3f", step, progress, by_frame.item(), ctc.item())


def save(model: Wav2Vec2ForCTC, target: Path) -> None:
    """Writes the model and its processor where ``whisperx.load_align_model`` reads them."""
    target.mkdir(parents=True, exist_ok=True)
    (target / "vocab.json").write_text(json.dumps(NUMBERS))
    tokenizer = Wav2Vec2CTCTokenizer(str(target / "vocab.json"), do_lower_case=True, word_delimiter_token=BETWEEN_WORDS)
    extractor = Wav2Vec2FeatureExtractor(do_normalize=False, return_attention_mask=False)
    Wav2Vec2Processor(feature_extractor=extractor, tokenizer=tokenizer).save_pretrained(target)
    model.save_pretrained(target)
    # transformers writes the weights for the owner's eyes only.
    (target / "model.safetensors").chmod(0o644)


def main(build: Path = BUILD, *, minutes: float = MINUTES) -> None:
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    recordings = [spell(recording) for recording in load_corpus(build, parts=1)[:_RECORDINGS]]
    model = new_aligner()
    train(model, recordings, minutes)
    save(model, TARGET)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="CPU minutes")
    main(minutes=parser.parse_args().minutes)
