"""Trains the speaker embedding of the sample diarizer and writes `data/models/diarize/`.

Needs espeak-ng and pyannote.audio. A speaker is an espeak voice. Training imitates the use: pyannote embeds a
few seconds in which two people may talk, with a mask for each; so an example is two voices in a row and two
masks. The loss is AAM-softmax (Deng et al., "ArcFace", CVPR 2019). Takes `CPU_MINUTES` of one core and leaves
about 0.5 MB.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import pyannote.audio
import torch
from pyannote.audio.core.task import Problem, Resolution, Specifications
from torch import nn
from torch.nn import functional

from channelscribe.sample.speaker_embedding import TinyXVector
from channelscribe.sample.world import models_dir
from sample_making.corpus import speak
from sample_making.espeak import Synthesizer
from sample_making.sentences import VOICES, training_sentence

BUILD = Path("build/sample")
CPU_MINUTES = 8.0
SENTENCES_PER_VOICE = 70
PAIRS_A_STEP = 32
FRAMES_A_SPEAKER = (60, 260)  # of 10 ms
MARGIN, SCALE = 0.2, 25.0
LEARNING_RATE = 3e-3

# Agglomerative clustering never looks at the PLDA, but the pipeline's constructor wants its files.
# The paths are filled in by channelscribe.sample.world.diarizer_folder.
CONFIG = """\
dependencies:
  pyannote.audio: 4.0.0
pipeline:
  name: pyannote.audio.pipelines.SpeakerDiarization
  params:
    clustering: AgglomerativeClustering
    segmentation: "WHISPERX_ASSETS/pytorch_model.bin"
    segmentation_batch_size: 8
    embedding: {checkpoint: "SAMPLE_MODELS/diarize/embedding"}
    embedding_batch_size: 16
    embedding_exclude_overlap: true
    plda: {checkpoint: "SAMPLE_MODELS/diarize/plda"}
params:
  segmentation: {threshold: 0.5, min_duration_off: 0.5}
  clustering: {method: centroid, min_cluster_size: 4, threshold: 0.7}
"""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Speech:
    """Mel power (bands, frames) of everything that one voice says, and that voice's number."""

    mel: torch.Tensor
    speaker: int


def speech_of_voices(model: TinyXVector, sentences: int) -> list[Speech]:
    """Has each voice say ``sentences`` sentences that are not held out."""
    synthesizer, rng = Synthesizer(), Random("speakers")
    result = []
    for speaker, voice in enumerate(VOICES):
        said = [speak(synthesizer, rng, training_sentence(rng).text, voice)[1].audio for _ in range(sentences)]
        with torch.inference_mode():
            result.append(Speech(model.mel(torch.from_numpy(np.concatenate(said))), speaker))
    return result


def excerpt(speech: Speech, rng: Random, frames: int) -> torch.Tensor:
    """A random piece at a random loudness."""
    start = rng.randrange(speech.mel.shape[-1] - frames)
    return speech.mel[:, start : start + frames] * 10 ** rng.uniform(-1.2, 0.3)


def batch(speeches: list[Speech], rng: Random) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Mel power (pairs, bands, frames), masks (pairs, 2, frames), speakers (pairs, 2): two voices a row."""
    longest = 2 * FRAMES_A_SPEAKER[1]
    mel = torch.zeros(PAIRS_A_STEP, speeches[0].mel.shape[0], longest)
    masks = torch.zeros(PAIRS_A_STEP, 2, longest)
    speakers = torch.zeros(PAIRS_A_STEP, 2, dtype=torch.long)
    for row in range(PAIRS_A_STEP):
        offset = 0
        for place, speech in enumerate(rng.sample(speeches, 2)):
            frames = rng.randint(*FRAMES_A_SPEAKER)
            mel[row, :, offset : offset + frames] = excerpt(speech, rng, frames)
            # The recognizer of turns is never exact to the frame.
            masks[row, place, max(0, offset + rng.randint(-10, 10)) : offset + frames + rng.randint(-10, 10)] = 1
            speakers[row, place] = speech.speaker
            offset += frames
    noise = 10 ** torch.empty(PAIRS_A_STEP, 1, 1).uniform_(-6, -2.5)
    return mel + noise * torch.empty_like(mel).exponential_(), masks, speakers


def train(speeches: list[Speech], model: TinyXVector, cpu_minutes: float) -> None:
    """Trains in place until the process has used its CPU time (the machine may be shared)."""
    centres = nn.Parameter(torch.randn(len(speeches), model.dimension) * 0.1)
    optimizer = torch.optim.AdamW([*model.parameters(), centres], lr=LEARNING_RATE)
    rng, began, budget = Random("speaker batches"), time.process_time(), cpu_minutes * 60
    accuracy, step = 0.0, 0
    model.train()
    while (done := (time.process_time() - began) / budget) < 1:
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * (1 - done) + 1e-5
        mel, masks, speakers = batch(speeches, rng)
        embeddings = functional.normalize(model.embed(mel, masks), dim=-1).flatten(0, 1)
        cosines = embeddings @ functional.normalize(centres, dim=-1).T
        loss = functional.cross_entropy(SCALE * with_margin(cosines, speakers.flatten()), speakers.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        hits = (cosines.argmax(-1) == speakers.flatten()).float().mean().item()
        accuracy += (hits - accuracy) * max(0.02, 1 / step)
        if step % 50 == 0:
            logger.info("step %d, %.0f %%: loss %.2f, accuracy %.3f", step, 100 * done, loss.item(), accuracy)
    model.eval()


def with_margin(cosines: torch.Tensor, speakers: torch.Tensor) -> torch.Tensor:
    """Adds the angular margin to each example's own speaker."""
    own = cosines.gather(1, speakers[:, None])
    widened = torch.cos(torch.acos(own.clamp(-1 + 1e-6, 1 - 1e-6)) + MARGIN)
    # Beyond pi - margin the cosine would rise again.
    widened = torch.where(own > -np.cos(MARGIN), widened, own - MARGIN * np.sin(MARGIN))
    return cosines.scatter(1, speakers[:, None], widened)


def save(model: TinyXVector, folder: Path) -> None:
    """Writes the checkpoint as pyannote.audio 4 reads it, the dummy PLDA and the configuration."""
    for name in ("embedding", "plda"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    checkpoint = {
        "state_dict": model.state_dict(),
        "hyper_parameters": dict(model.hparams),
        "pytorch-lightning_version": "2.5.0",
        "pyannote.audio": {
            "versions": {
                "torch": torch.__version__.split("+")[0],
                "pyannote.audio": pyannote.audio.__version__,
            },
            "architecture": {"module": TinyXVector.__module__, "class": TinyXVector.__name__},
            "specifications": Specifications(
                problem=Problem.REPRESENTATION,
                resolution=Resolution.CHUNK,
                duration=5.0,
                classes=list(VOICES),
            ),
        },
    }
    torch.save(checkpoint, folder / "embedding" / "pytorch_model.bin")
    size = model.dimension
    zeros, identity = np.zeros(size), np.eye(size)
    np.savez(folder / "plda" / "xvec_transform.npz", mean1=zeros, mean2=zeros, lda=identity)
    np.savez(folder / "plda" / "plda.npz", mu=zeros, tr=identity, psi=np.linspace(2, 0.1, size))
    (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")


def main(build: Path = BUILD, cpu_minutes: float = CPU_MINUTES, output: Path | None = None) -> None:
    """Trains and writes into the package's data, or into ``output``. Keeps nothing in ``build``."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = TinyXVector()
    speeches = speech_of_voices(model, SENTENCES_PER_VOICE)
    train(speeches, model, cpu_minutes)
    save(model, output or models_dir() / "diarize")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    main()
