"""The training corpus: sentences spoken by many voices, with their exact words, phonemes and features.

Needs espeak-ng. Leaves ``corpus-0.pkl`` and ``corpus-1.pkl`` in the build folder (about 14,000 sentences, 11
hours, 2 GB; two processes, two minutes). No held-out sentence is in it.
"""

from __future__ import annotations

import logging
import multiprocessing
import pickle
import time
from pathlib import Path
from random import Random

import numpy as np
import torch

from sample_making.espeak import Synthesizer, Utterance
from sample_making.features import raw_log_mel
from sample_making.recordings import BUILD, PARTS, Recording, corpus_path
from sample_making.sentences import VOICES, training_sentence

SENTENCES = 14_000

logger = logging.getLogger(__name__)


def speak(synthesizer: Synthesizer, rng: Random, text: str, voice: str | None = None) -> tuple[str, Utterance]:
    """Says ``text`` as the corpus does: a drawn voice (unless given), rate, pitch and liveliness."""
    voice = voice or rng.choice(VOICES)
    spoken = synthesizer.say(
        text, voice, rate=rng.randint(140, 190), pitch=rng.randint(32, 68), pitch_range=rng.randint(30, 70)
    )
    return voice, spoken


def record_part(part: int, build: Path, count: int) -> None:
    """Speaks ``count`` sentences and writes them as ``corpus-<part>.pkl``; the part is also the seed."""
    torch.set_num_threads(1)
    synthesizer, rng, started = Synthesizer(), Random(f"corpus {part}"), time.monotonic()
    recordings = []
    for _ in range(count):
        text = training_sentence(rng).text
        voice, spoken = speak(synthesizer, rng, text)
        recordings.append(
            Recording(
                text=text,
                voice=voice,
                audio=np.round(spoken.audio * 32767).astype(np.int16),
                mel=raw_log_mel(spoken.audio).half().numpy(),
                words=spoken.words,
                phonemes=spoken.phonemes,
                duration=spoken.duration,
            )
        )
    with corpus_path(build, part).open("wb") as file:
        pickle.dump(recordings, file, protocol=pickle.HIGHEST_PROTOCOL)
    hours = sum(recording.duration for recording in recordings) / 3600
    logger.info("part %d: %d sentences, %.2f h in %.0f s", part, count, hours, time.monotonic() - started)


def main(build: Path = BUILD) -> None:
    """Makes the corpus, unless it is there."""
    build.mkdir(parents=True, exist_ok=True)
    missing = [part for part in range(PARTS) if not corpus_path(build, part).exists()]
    jobs = [multiprocessing.Process(target=record_part, args=(part, build, SENTENCES // PARTS)) for part in missing]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
        if job.exitcode:
            raise RuntimeError(f"a corpus process ended with {job.exitcode}")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    main()
